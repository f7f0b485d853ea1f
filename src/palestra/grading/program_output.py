"""Whether a program gave what was expected: standard output line by line, or the value of a call.

Both are strict by default, and as loose as NeMo Gym's runner with `compatible`. Linear in the length of the texts.
"""

import json
import math
import re
from collections import Counter, OrderedDict, defaultdict
from decimal import Decimal, InvalidOperation
from typing import Any, cast

LONGEST_TEXT = 300
"""Characters of a text in the metadata of a verdict; a longer one loses its middle."""
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-12
"""How far floating-point values of calls may be apart: the order of a sum may differ, a result may not."""
ALLCLOSE = (1e-5, 1e-8)
"""The relative and the absolute tolerance of numpy.allclose, with which the original compares values of calls."""
DICTIONARIES = (dict, OrderedDict, defaultdict, Counter)
NUMBER = re.compile(r"[+-]?(?:[0-9]++(?P<point>\.[0-9]*+)?|(?P<bare_point>\.[0-9]++))(?P<exponent>[eE][+-]?[0-9]++)?")


def output_difference(output: str, expected: str, *, compatible: bool = False) -> str | None:
    """How standard output differs from what was expected, in the runner's words; None if it does not.

    Blanks around the output and around each line do not count. A line that differs may hold the same numbers: see
    `same_numbers`.
    """
    lines, expected_lines = stripped_lines(output), stripped_lines(expected)
    if len(lines) != len(expected_lines):
        return "Wrong answer: mismatched output length"
    for number, (line, expected_line) in enumerate(zip(lines, expected_lines, strict=True)):
        if line != expected_line and not same_numbers(line, expected_line, compatible=compatible):
            told = f"{shortened(line)} != {shortened(expected_line)}"
            return f"Wrong answer at output_line_idx={number}: {told}"
    return None


def stripped_lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def same_numbers(line: str, expected: str, *, compatible: bool = False) -> bool:
    """Whether two lines hold the same decimal numbers in the same order, compared exactly: `1.0 2` and `1 2.00`.

    Whole numbers must be written alike: `007` and `-0` may mean more than 7 and 0. With `compatible` they need not, and
    whatever `Decimal` reads is a number, such as `1_0` and `Infinity`.
    """
    words, expected_words = line.split(), expected.split()
    same = same_decimal if compatible else same_number
    return len(words) == len(expected_words) and all(map(same, words, expected_words))


def same_number(word: str, expected: str) -> bool:
    found, wanted = NUMBER.fullmatch(word), NUMBER.fullmatch(expected)
    if found is None or wanted is None:
        return False
    return word == expected or (not (is_whole(found) and is_whole(wanted)) and same_decimal(word, expected))


def is_whole(number: re.Match[str]) -> bool:
    return not (number["point"] or number["bare_point"] or number["exponent"])


def same_decimal(word: str, expected: str) -> bool:
    try:
        # Exponents are compared first, so that 1e999999999 costs no more than its letters.
        return Decimal(word) == Decimal(expected)
    except InvalidOperation:
        return False


def same_value(value: object, expected: object, *, compatible: bool = False) -> bool:
    """Whether a call gave the expected JSON value, by type and value: `"25"` is not 25, True is not 1, 2.0 is not 2.

    A tuple is a list, as it is in JSON, and a Counter is a dict. Where a float is expected, an int will do, and floats
    may differ by a share of 1e-9 or by 1e-12; NaN is NaN. With `compatible`, equal is what HEAD's runner calls equal:
    see `loosely_same`.
    """
    if compatible:
        return loosely_same(value, expected)
    pairs = [(value, expected)]
    while pairs:
        found, wanted = pairs.pop()
        if type(wanted) is list:
            entries = cast("list[Any]", wanted)
            if not (type(found) is list or isinstance(found, tuple)) or len(cast("list[Any]", found)) != len(entries):
                return False
            pairs += zip(cast("list[Any]", found), entries, strict=True)
        elif type(wanted) is dict:
            fields = cast("dict[str, Any]", wanted)
            if type(found) not in DICTIONARIES or cast("dict[Any, Any]", found).keys() != fields.keys():
                return False
            pairs += [(cast("dict[Any, Any]", found)[name], entry) for name, entry in fields.items()]
        elif not same_leaf(found, wanted):
            return False
    return True


def same_leaf(found: object, wanted: object) -> bool:
    if type(wanted) is float and type(found) in (int, float):
        return is_close(cast("float", found), wanted)
    return type(found) is type(wanted) and found == wanted


def is_close(found: float, wanted: float) -> bool:
    try:
        number = float(found)
    except OverflowError:
        # An int beyond all floats.
        return False
    if math.isnan(number) and math.isnan(wanted):
        return True
    return math.isclose(number, wanted, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def loosely_same(value: Any, expected: Any) -> bool:
    """Equal for Python (a tuple is a list, on the outside), as JSON text, or nearly as floats: `"25"` is 25.

    For values of the standard library's types, such as the sandbox gives: comparing them runs code of their classes.
    """
    if type(value) is tuple:
        value = list(cast("tuple[Any, ...]", value))
    try:
        if value == expected:
            return True
    except (RecursionError, ValueError):
        # Too deep, or an array of numpy, which is equal in parts.
        return False
    try:
        if json.dumps(value) == json.dumps(expected):
            return True
    except (TypeError, ValueError, RecursionError):
        # It is no JSON value; it may still be a number.
        pass
    try:
        found, wanted = float(value), float(expected)
    except (TypeError, ValueError, OverflowError):
        return False
    relative, absolute = ALLCLOSE
    return found == wanted or (math.isfinite(wanted) and abs(found - wanted) <= absolute + relative * abs(wanted))


def shortened(value: object, most: int = LONGEST_TEXT) -> str:
    """A text, or the text of a value, of which a long one keeps half of `most` characters at each end."""
    try:
        text = value if isinstance(value, str) else str(value)
    except (RecursionError, ValueError):
        # Too deep, or a whole number of more digits than Python prints.
        return f"a {type(value).__name__} that cannot be printed"
    return text if len(text) <= most else f"{text[: most // 2]}...(truncated) ...{text[-(most // 2) :]}"
