"""What counts as the expected output, and what as the expected value."""

import json
import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from palestra.grading.program_output import output_difference, same_value, shortened, stripped_lines

WORDS = st.text("ab01.-+eE_ \t", max_size=12)
OUTPUTS = st.lists(WORDS, min_size=1, max_size=5).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(OUTPUTS, st.booleans())
def test_an_output_is_what_it_is_also_with_blanks_around(output: str, compatible: bool) -> None:
    assert output_difference(output, output, compatible=compatible) is None
    wide = "\n \n" + "\n".join(f"\t{line}  \r" for line in output.strip().split("\n")) + "\n\n"
    assert output_difference(wide, output, compatible=compatible) is None


@given(OUTPUTS, OUTPUTS)
def test_what_is_strictly_right_is_loosely_right(output: str, expected: str) -> None:
    if output_difference(output, expected) is None:
        assert output_difference(output, expected, compatible=True) is None
        assert len(stripped_lines(output)) == len(stripped_lines(expected))


@given(OUTPUTS, OUTPUTS)
def test_lines_without_a_digit_must_be_equal(output: str, expected: str) -> None:
    assume(not any(letter.isdigit() for letter in output))
    same = stripped_lines(output) == stripped_lines(expected)
    assert (output_difference(output, expected) is None) == same


@given(st.lists(st.integers(), min_size=1), st.data())
def test_one_number_or_sign_changed_is_wrong(numbers: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(numbers) - 1))
    changed = data.draw(st.sampled_from([numbers[place] + 1, -numbers[place] or 1]))
    assume(changed != numbers[place])
    others = [*numbers[:place], changed, *numbers[place + 1 :]]
    for separator in (" ", "\n"):
        wrong, right = separator.join(map(str, others)), separator.join(map(str, numbers))
        assert output_difference(wrong, right) is not None
        assert output_difference(wrong, right, compatible=True) is not None


@pytest.mark.parametrize(
    ("output", "expected", "strict", "loose"),
    [
        ("1.0 2", "1 2.0", True, True),
        ("1  2", "1 2", True, True),
        ("1e3", "1000", True, True),
        ("+5.50", "5.5", True, True),
        ("-0.0", "0", True, True),
        (".5", "0.5", True, True),
        ("a b", "a  b", False, False),
        ("yes", "Yes", False, False),
        ("1 2", "1\n2", False, False),
        ("1 a", "1.0 a", False, False),
        ("007", "7", False, True),
        ("-0", "0", False, True),
        ("+5", "5", False, True),
        ("1_0", "10", False, True),
        ("Infinity", "inf", False, True),
        ("nan", "NaN", False, False),
        ("sNaN", "snan", False, False),
        ("٣", "3", False, True),
        ("", "0", False, False),
        ("1.0000000000000000000001", "1", False, False),
    ],
)
def test_lines_that_differ_may_hold_the_same_numbers(output: str, expected: str, strict: bool, loose: bool) -> None:
    assert (output_difference(output, expected) is None) == strict
    assert (output_difference(output, expected, compatible=True) is None) == loose


def test_the_message_names_the_line() -> None:
    assert output_difference("1\n2\n", "1\n3\n") == "Wrong answer at output_line_idx=1: 2 != 3"
    assert output_difference("1\n2\n3", "1\n2") == "Wrong answer: mismatched output length"
    told = output_difference("a" * 1000, "b" * 1000)
    assert told == f"Wrong answer at output_line_idx=0: {shortened('a' * 1000)} != {shortened('b' * 1000)}"


@pytest.mark.parametrize(
    "bomb", ["1e999999999", "1e-999999999", "9" * 200_000, "1." + "0" * 200_000, "1e" + "9" * 200_000, "0x" * 100_000]
)
def test_numbers_that_are_bombs_are_compared_at_once(bomb: str) -> None:
    began = time.process_time()
    for compatible in (False, True):
        assert (output_difference(bomb, "1", compatible=compatible) is None) == bomb.startswith("1.")
        assert output_difference(bomb, bomb + "1", compatible=compatible) is not None
    assert time.process_time() - began < 5


@given(JSON)
def test_a_value_is_what_it_is(value: Any) -> None:
    assert same_value(json.loads(json.dumps(value)), value)


@given(PLAIN_JSON, PLAIN_JSON)
def test_values_are_equal_if_their_json_is(value: Any, expected: Any) -> None:
    assert same_value(value, expected) == (json.dumps(value, sort_keys=True) == json.dumps(expected, sort_keys=True))


@given(PLAIN_JSON, PLAIN_JSON)
def test_what_is_strictly_equal_is_loosely_equal(value: Any, expected: Any) -> None:
    if same_value(value, expected):
        assert same_value(value, expected, compatible=True)


class Point(NamedTuple):
    x: int
    y: int


class Equal:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class EqualNumber(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    ("value", "expected", "strict", "loose"),
    [
        ("25", 25, False, True),
        (True, 1, False, True),
        (1, True, False, True),
        (0, False, False, True),
        (None, 0, False, False),
        (2.0, 2, False, True),
        (2, 2.0, True, True),
        (True, 1.0, False, True),
        (0.1 + 0.2, 0.3, True, True),
        (0.30001, 0.3, False, False),
        (0.300001, 0.3, False, True),
        (1e-13, 0.0, True, True),
        (float("nan"), 1.0, False, False),
        (float("nan"), float("nan"), True, True),
        (float("inf"), float("inf"), True, True),
        (float("inf"), 1e308, False, False),
        (10**400, 1.0, False, False),
        ((1, 2), [1, 2], True, True),
        ([(1, 2)], [[1, 2]], True, True),
        ([1, 2], [2, 1], False, False),
        ([1], [1, 2], False, False),
        ({1, 2}, [1, 2], False, False),
        ({1: 2}, {"1": 2}, False, True),
        ({"a": 1}, {"a": 1, "b": 2}, False, False),
        (defaultdict(int, a=1), {"a": 1}, True, True),
        (Counter("aab"), {"a": 2, "b": 1}, True, True),
        (Point(1, 2), [1, 2], True, True),
        (b"a", "a", False, False),
        (Equal(), 25, False, True),
        (EqualNumber(1), 25, False, True),
        ([Equal()], [25], False, True),
        (1j, 1, False, False),
        ("a", "a", True, True),
    ],
)
def test_type_and_value_must_be_equal(value: Any, expected: Any, strict: bool, loose: bool) -> None:
    assert same_value(value, expected) == strict
    assert same_value(value, expected, compatible=True) == loose


def test_deep_values_are_compared_and_told() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    assert same_value(deep, deep)
    assert not same_value(deep, [deep])
    assert isinstance(same_value(deep, [deep], compatible=True), bool)
    assert "list" in shortened(deep)
    assert "int" in shortened(10**5000)


@given(st.text(max_size=1000))
def test_long_texts_lose_their_middle(text: str) -> None:
    told = shortened(text)
    assert told == text if len(text) <= 300 else told == text[:150] + "...(truncated) ..." + text[-150:]
