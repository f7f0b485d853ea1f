"""Whether two mathematical answers say the same: value by value, in structures that must agree."""

# pyright: basic
# The mathematical libraries carry no types.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from latex2sympy2_extended import is_expr_of_only_symbols
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from palestra.grading.math_reading import Reading, Unreadable
from palestra.grading.math_text import plain_words
from palestra.grading.math_values import NoValue, bits, exact, proportion, same_value

MOST_ELEMENTS = 40
ROUGHLY = sympy.Rational(1, 100)
"""How far an approximation may be from what it stands for."""

Strict = sympy.StrictLessThan | sympy.StrictGreaterThan
Greater = sympy.GreaterThan | sympy.StrictGreaterThan
Inequality = sympy.LessThan | sympy.GreaterThan | sympy.StrictLessThan | sympy.StrictGreaterThan


@dataclass(frozen=True, slots=True)
class Equation:
    """`name = a = b = c`: all sides but the name. An equation without a name has its left side as a first side."""

    name: str | None
    sides: tuple[Any, ...]


def same_answer(gold: Reading, answer: Reading) -> bool:
    """Whether the answer says what the gold answer says. Raises NoValue for what nobody should compute."""
    if gold.text.words is not None or answer.text.words is not None:
        return plain_words(gold.text.body) == plain_words(answer.text.body)
    units = gold.text.unit, answer.text.unit
    other_unit = None not in units and units[0] != units[1]
    if other_unit or not all(roughly(answer.expression, other) for other in answer.approximations):
        return False
    if listed_like_tuple(gold, answer):
        return same_in_order(elements(gold.expression), elements(answer.expression))
    # "50" says the same as "50%", and so does "0.5".
    is_share = units.count("%") == 1 and is_scalar(gold.expression) and is_scalar(answer.expression)
    as_written = same(gold.expression, answer.expression)
    return as_written or (is_share and same(of_hundred(gold), of_hundred(answer)))


def of_hundred(reading: Reading) -> Any:
    return sympy.Mul(reading.expression, sympy.Rational(1, 100)) if reading.text.unit == "%" else reading.expression


def roughly(expression: Any, approximation: Any) -> bool:
    equation = as_equation(expression)
    value = equation.sides[-1] if equation else expression
    ratio = proportion(approximation, value) if is_scalar(value) and is_scalar(approximation) else None
    return ratio is not None and abs(ratio - 1) <= float(ROUGHLY)


def is_scalar(expression: Any) -> bool:
    return isinstance(expression, sympy.Expr) and not isinstance(expression, sympy.MatrixBase)


def listed_like_tuple(gold: Reading, answer: Reading) -> bool:
    """Whether one is written `1, 2` and the other `(1, 2)`, or one names its letters and the other does not."""
    pair = (gold, answer)
    listed = [is_list(reading) for reading in pair]
    grouped = [isinstance(reading.expression, sympy.Tuple) or is_open(reading.expression) for reading in pair]
    if any(listed) and any(grouped):
        return True
    named = [all(as_equation(element) for element in elements(reading.expression)) for reading in pair]
    return all(listed) and named[0] != named[1] and len(names_of(gold) | names_of(answer)) > 1


def names_of(reading: Reading) -> set[str]:
    equations = [as_equation(element) for element in elements(reading.expression)]
    return {equation.name for equation in equations if equation and equation.name}


def is_list(reading: Reading) -> bool:
    return isinstance(reading.expression, sympy.FiniteSet) and "\\{" not in reading.text.body


def is_open(expression: Any) -> bool:
    return isinstance(expression, sympy.Interval) and bool(expression.left_open) and bool(expression.right_open)


def elements(expression: Any) -> Sequence[Any]:
    if isinstance(expression, sympy.Interval):
        return (expression.start, expression.end)
    if isinstance(expression, sympy.FiniteSet):
        # As for chains: the order in which a list was written.
        written = getattr(expression, "_unsorted_args", expression.args)
        return tuple(written) if len(written) == len(expression.args) else expression.args
    return expression.args if isinstance(expression, sympy.Tuple | sympy.Union) else (expression,)


def same(gold: Any, answer: Any) -> bool:  # noqa: PLR0911  one kind of expression each
    gold, answer = unwrapped(gold), unwrapped(answer)
    left, right = as_equation(gold), as_equation(answer)
    if left and right:
        return same_equation(left, right) or same_relation(gold, answer)
    if right:
        return all(same(gold, side) for side in right.sides)
    if left:
        return left.name is not None and all(same(side, answer) for side in left.sides)
    gold, answer = as_interval(gold), as_interval(answer)
    if isinstance(gold, Relational) and isinstance(answer, Relational):
        return same_relation(gold, answer)
    if isinstance(gold, sympy.MatrixBase) and isinstance(answer, sympy.MatrixBase):
        return gold.shape == answer.shape and same_in_order(gold.flat(), answer.flat())
    if is_scalar(gold) and is_scalar(answer):
        return gold == answer or same_value(gold, answer)
    return same_structure(gold, answer)


def same_structure(gold: Any, answer: Any) -> bool:
    if isinstance(gold, sympy.Tuple) or isinstance(answer, sympy.Tuple):
        pointlike = all(isinstance(side, sympy.Tuple) or is_open(side) for side in (gold, answer))
        return pointlike and same_in_order(elements(gold), elements(answer))
    if isinstance(gold, sympy.Interval) and isinstance(answer, sympy.Interval):
        ends = (gold.left_open, gold.right_open) == (answer.left_open, answer.right_open)
        return ends and same_in_order(elements(gold), elements(answer))
    gathered = sympy.FiniteSet | sympy.Union
    if isinstance(gold, gathered) and isinstance(answer, gathered):
        return same_in_any_order(elements(gold), elements(answer))
    if type(gold) is type(answer) and isinstance(gold, sympy.Complement | sympy.Intersection):
        return same_in_order(gold.args, answer.args)
    return bool(gold == answer)


def unwrapped(expression: Any) -> Any:
    """A set of one is its element; a difference of sets of numbers is computed."""
    while isinstance(expression, sympy.FiniteSet) and len(expression.args) == 1:
        expression = expression.args[0]
    if expression is sympy.S.Reals:
        return sympy.Interval(-sympy.oo, sympy.oo)
    if isinstance(expression, sympy.Complement):
        whole, hole = unwrapped(expression.args[0]), expression.args[1]
        is_plain = isinstance(whole, sympy.Interval) and isinstance(hole, sympy.FiniteSet)
        numbers = [*hole.args, *(end for end in elements(whole) if end.is_finite)] if is_plain else []
        if is_plain and len(numbers) <= MOST_ELEMENTS and all(exact(number) is not None for number in numbers):
            return sympy.Complement(whole, hole)
    return expression


def as_equation(expression: Any) -> Equation | None:
    """An equation or a chain of them; None for everything else."""
    # A chain is taken in the order in which it was written; sympy forgets it, the reader keeps it beside.
    is_chain = isinstance(expression, sympy.And)
    relations: list[Any] = list(getattr(expression, "_unsorted_args", expression.args)) if is_chain else [expression]
    if any(not isinstance(relation, sympy.Eq) for relation in relations):
        return None
    sides = [relations[0].lhs, *(relation.rhs for relation in relations)]
    for index in (0, -1):
        if is_name(sides[index]) and not all(map(is_name, sides)):
            return Equation(str(sides.pop(index)), tuple(sides))
    if is_name(sides[0]):
        return Equation(str(sides[0]), tuple(sides[1:]))
    return Equation(None, tuple(sides))


def is_name(expression: Any) -> bool:
    """Whether this is what an answer is called: `x`, `AB`, `f(x)`, `(x, y)`."""
    if isinstance(expression, sympy.Tuple | sympy.Interval):
        return all(map(is_name, elements(expression)))
    return isinstance(expression, AppliedUndef) or (
        isinstance(expression, sympy.Expr) and is_expr_of_only_symbols(expression)
    )


def same_equation(gold: Equation, answer: Equation) -> bool:
    if gold.name is None or gold.name != answer.name:
        return False
    return all(same(gold.sides[-1], side) for side in answer.sides)


def same_relation(gold: Any, answer: Any) -> bool:
    """Whether two equations or inequalities are multiples of one another, possibly written the other way round."""
    if not isinstance(gold, Relational) or not isinstance(answer, Relational):
        return False
    sides: tuple[Any, ...] = (gold.lhs, gold.rhs, answer.lhs, answer.rhs)
    if not all(map(is_scalar, sides)) or isinstance(gold, Strict) != isinstance(answer, Strict):
        return False
    ratio = proportion(sides[0] - sides[1], sides[2] - sides[3])
    if ratio is None:
        return False
    if isinstance(gold, Inequality) and isinstance(answer, Inequality):
        return ratio * (1 if isinstance(gold, Greater) == isinstance(answer, Greater) else -1) > 0
    return type(gold) is type(answer)


def as_interval(expression: Any) -> Any:
    """`1 < x \\le 2` and `x > 3` as intervals, and a list of such as their union."""
    if isinstance(expression, sympy.FiniteSet) and all(isinstance(part, Inequality) for part in expression.args):
        return sympy.Union(*map(as_interval, expression.args), evaluate=False)
    if isinstance(expression, sympy.And) and len(expression.args) == 2:
        first, second = map(as_interval, expression.args)
        if isinstance(first, sympy.Interval) and isinstance(second, sympy.Interval):
            lower, upper = (first, second) if second.start == -sympy.oo else (second, first)
            return sympy.Interval(lower.start, upper.end, bool(lower.left_open), bool(upper.right_open))
    if not isinstance(expression, Inequality):
        return expression
    left, right, is_greater = expression.lhs, expression.rhs, isinstance(expression, Greater)
    if is_name(right):
        left, right, is_greater = right, left, not is_greater
    if not is_name(left) or right.free_symbols:
        return expression
    is_strict = isinstance(expression, Strict)
    if is_greater:
        return sympy.Interval(right, sympy.oo, is_strict, True)
    return sympy.Interval(-sympy.oo, right, True, is_strict)


def same_in_order(gold: Sequence[Any], answer: Sequence[Any]) -> bool:
    return len(gold) == len(answer) and all(map(same, gold, answer))


def same_in_any_order(gold: Sequence[Any], answer: Sequence[Any]) -> bool:
    if len(gold) != len(answer):
        return False
    if len(gold) > MOST_ELEMENTS:
        raise NoValue(f"it has {len(gold)} elements, more than {MOST_ELEMENTS}")
    left = list(answer)
    for element in gold:
        partner = next((index for index, other in enumerate(left) if same(element, other)), None)
        if partner is None:
            return False
        left.pop(partner)
    return True


def demand_value(reading: Reading) -> None:
    """Raises Unreadable if the answer cannot be compared with anything, not even itself."""
    expression = reading.expression
    try:
        if is_scalar(expression):
            bits(expression)
        comparable = expression is None or same(expression, expression)
    except NoValue as error:
        raise Unreadable(str(error)) from error
    if not comparable:
        raise Unreadable("it is not equal to itself")
