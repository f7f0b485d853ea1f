"""Mathematical answers as expressions: tidied, and parsed by the LaTeX reader of math-verify."""

# pyright: basic
# The mathematical libraries carry no types.

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy
from latex2sympy2_extended import NormalizationConfig, latex2sympy, normalize_latex
from latex2sympy2_extended.sets import FiniteSet

from palestra.grading.math_guard import LONGEST, refusal
from palestra.grading.math_text import MathText, divided, tidied

CACHED = 256
NORMALIZATION = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
)
WHOLE = re.compile(r"[-+]?\s*\d+")
DECIMAL = re.compile(r"[-+]?\s*(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d+)?")
RATIO = re.compile(r"([-+]?)\s*(?:\\[dtc]?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}|(\d+)\s*/\s*(\d+))")
INFINITE = re.compile(r"([-+]?)\s*\\infty")
EQUATION = re.compile(r"([a-zA-Z])\s*=\s*(\S+)")
GROUP = re.compile(r"(?:\\left)?(\(|\[|\\\{|)([^()\[\]{}=<>]*?)(?:\\right)?(\)|\]|\\\}|)")
COMPLEX = re.compile(r"\\det(?![a-zA-Z])|\\i(?:math)?(?![a-zA-Z])|(?<![a-zA-Z])i(?![a-zA-Z])")
APPROXIMATELY = re.compile(r"\\(?:approx|simeq|approxeq)(?![a-zA-Z])")


class Unreadable(Exception):
    """The text is no mathematics that can be judged."""


class Refused(Unreadable):
    """The text asks for more than a judgement may cost."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer that was understood: words, or an expression with a unit."""

    text: MathText
    expression: Any = None
    approximations: tuple[Any, ...] = ()
    """What the answer says it is about equal to."""

    def __str__(self) -> str:
        as_written = self.expression is None or isinstance(self.expression, sympy.Float)
        return self.text.body if as_written else str(self.expression)


@lru_cache(maxsize=CACHED)
def read(text: str) -> Reading:
    """Understand one answer. Raises Refused or Unreadable."""
    body = tidied(text) if len(text) < 10 * LONGEST else text
    reason = refusal(body)
    if reason:
        raise Refused(reason)
    if not body:
        raise Unreadable("it is empty")
    parts = divided(body)
    if parts.words is not None:
        return Reading(parts)
    first, *others = APPROXIMATELY.split(parts.body)
    if len(others) > 1 or not first.strip():
        raise Unreadable("it is only approximate")
    return Reading(parts, parsed(first), tuple(parsed(other) for other in others))


def parsed(text: str) -> Any:
    quick = plain_number(text.strip())
    quick = plain_group(text.strip()) if quick is None else quick
    if quick is not None:
        return quick
    latex = normalize_latex(text.replace("**", "^"), NORMALIZATION)
    try:
        expression = latex2sympy(
            latex, is_real=not COMPLEX.search(latex), convert_degrees=False, normalization_config=None
        )
    except MemoryError:
        raise
    except Exception as error:
        # The reader raises plain Exceptions, and whatever sympy raises, for text that is no mathematics.
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unreadable(f"{first_line[:200]} (at {latex[:200]!r})") from error
    if not isinstance(expression, sympy.Basic | sympy.MatrixBase) or expression.has(sympy.nan, sympy.zoo):
        raise Unreadable("it has no value")
    return expression


def plain_number(text: str) -> Any:
    """Numbers as most answers are: read without the grammar, which takes milliseconds."""
    if WHOLE.fullmatch(text):
        return sympy.Integer(int(text.replace(" ", "")))
    if DECIMAL.fullmatch(text) and text.strip("+- "):
        digits = text.replace(" ", "").replace(",", "")
        return sympy.Float(digits) if "." in digits else sympy.Integer(int(digits))
    ratio = RATIO.fullmatch(text)
    if ratio is None:
        return None
    numerator, denominator = int(ratio[2] or ratio[4]), int(ratio[3] or ratio[5])
    if not denominator:
        raise Unreadable("it divides by zero")
    return sympy.Rational(-numerator if ratio[1] == "-" else numerator, denominator)


def plain_group(text: str) -> Any:  # noqa: PLR0911  one kind of group each
    """Equations, intervals, tuples, sets and lists of plain numbers. The grammar takes 30 ms for them."""
    equation = EQUATION.fullmatch(text)
    if equation:
        number = plain_number(equation[2])
        name = sympy.Symbol(equation[1].lower(), real=True)
        return None if number is None else sympy.Eq(name, number, evaluate=False)
    group = GROUP.fullmatch(text)
    if group is None:
        return None
    start, inner, end = group.groups()
    numbers = [plain_end(part.strip()) for part in inner.split(",")]
    if len(numbers) < 2 or any(number is None for number in numbers):
        return None
    if (start, end) in (("\\{", "\\}"), ("", "")):
        return FiniteSet(*numbers)
    if start not in ("(", "[") or end not in (")", "]"):
        return None
    if len(numbers) == 2 and numbers[0] < numbers[1]:
        return sympy.Interval(numbers[0], numbers[1], start == "(", end == ")")
    return sympy.Tuple(*numbers) if (start, end) == ("(", ")") else None


def plain_end(text: str) -> Any:
    infinite = INFINITE.fullmatch(text)
    if infinite:
        return -sympy.oo if infinite[1] == "-" else sympy.oo
    return plain_number(text)


def warm_up(examples: Sequence[str]) -> None:
    """Parse examples, so that the grammar's tables are built."""
    for example in examples:
        parsed(example)
