"""Reading numbers: what is printed reads back, hedges do not pay, hostile text is cheap."""

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.grading.numbers import MAX_SLOT_CHARACTERS, answer_slot, exact, only_number

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)


@given(st.integers(-(10**60), 10**60))
def test_any_integer_reads_back_with_and_without_separators(number: int) -> None:
    assert only_number(str(number)) == number
    assert only_number(f"{number:,}") == number
    assert only_number(f"**{number:,}** apples.") == number


@given(DECIMALS)
def test_any_decimal_reads_back_with_and_without_separators(number: Decimal) -> None:
    assert only_number(f"{number:f}") == Fraction(number)
    assert only_number(f"${number:,f}.") == Fraction(number)


@given(st.integers(-999, 999), st.integers(1, 999))
def test_any_fraction_reads_back(top: int, bottom: int) -> None:
    assert only_number(f"{top}/{bottom}") == Fraction(top, bottom)


@given(st.text(max_size=2 * MAX_SLOT_CHARACTERS))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    only_number(text)
    only_number(answer_slot(text) or "")


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([" or ", ", maybe ", " - ", "\t", "..", " to ", "/ "])
)
def test_two_numbers_are_no_answer(first: int, second: int, between: str) -> None:
    if between != "/ ":
        assert only_number(f"{first}{between}{second}") is None
    else:
        assert only_number(f"{first} {second}") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("7.", 7),
        ("7.0", 7),
        ("$12", 12),
        ("-$3.50", Fraction(-7, 2)),
        ("$-3.50", Fraction(-7, 2)),
        (r"\$1,234", 1234),
        ("12%", 12),
        ("12 %", 12),
        ("7/2", Fraction(7, 2)),
        (r"\frac{7}{2}", Fraction(7, 2)),
        (r"\boxed{7}", 7),
        (r"$\boxed{1{,}234}$", 1234),
        ("_7_", 7),
        ("12 apples", 12),
        ("12kg", 12),
        ("Ann has 12 apples left!", 12),
        ("3 + 4 = 7", 7),
        ("x = -4", -4),
        (".5", Fraction(1, 2)),
        ("１２", 12),
        ("٣٤", 34),
        ("\N{MINUS SIGN}4", -4),
        ("1\N{NARROW NO-BREAK SPACE}234", 1234),
    ],
)
def test_a_number_is_read_in_its_usual_dress(text: str, number: Fraction) -> None:
    assert only_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "", "N", "seven", "1,23", "12,34,567", "1.2.3", "1e5", "7e-3", "1/0", "3/4/5", "5-4", "n-4", "--4", "2^x",
        "3 x 4", "7 or 8", "5, 6", "1 234", "²", "①", "nan", "inf", "9" * 401, "$-", "3 +", "1,234,56",
    ],
)  # fmt: skip
def test_what_is_no_single_number_is_refused(text: str) -> None:
    assert only_number(text) is None


@pytest.mark.parametrize(
    ("reply", "slot"),
    [
        ("Answer: 5\nAnswer: 6", "6"),
        ("**Answer:** 7", "7"),
        ("**Answer: 7**", "7**"),
        ("Final Answer :  7 apples", "7 apples"),
        ("So 3 + 4.\nAnswer:\n\n 7 \nBye", "7"),
        ("work\n#### 12", "12"),
        (r"\boxed{5} and \boxed{6}", "6"),
        (r"\boxed{5} Answer: 6", "6"),
        ("Answer:", ""),
        ("It is 7.", None),
        ("the answer is 7", None),
        ("Answers: 7", None),
    ],
)
def test_the_last_slot_is_what_the_reply_commits_to(reply: str, slot: str | None) -> None:
    assert answer_slot(reply) == slot


def test_numbers_of_rows_are_exact() -> None:
    assert exact(7) == 7
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1e30) == 10**30
    assert exact("1,234.5") == Fraction(2469, 2)


@pytest.mark.parametrize(
    "unit", ["answer", "Answer:", "answer*", "####", "9", "1,", "\\boxed{", "-", "= ", "\\frac{1}{"]
)
def test_hostile_text_is_read_in_linear_time(unit: str) -> None:
    began = time.process_time()
    only_number(answer_slot(unit * 100_000) or "")
    only_number(unit * 100_000)
    assert time.process_time() - began < 1.0
