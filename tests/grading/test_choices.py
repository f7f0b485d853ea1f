"""Readers of choices: known answers, and what holds for every text."""

import time
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.grading import choices

LISTED = {"A": "Circle", "B": "Square", "C": "Big square", "D": ""}

READERS: tuple[Callable[[str, Mapping[str, str]], str | None], ...] = (
    choices.strict_boxed,
    choices.lenient_boxed,
    choices.answer_colon,
    choices.answer_colon_markdown,
)

PIECES = ("\\boxed{", "\\boxed", "\\text{", "}", "{", "Answer:", "answer :", "**", "\n", " ", "A", "B", "b", "Z", "or",
          "Square", "big", "ب", "Ｂ", "-", ":", ")", "<think>", "\\", "\ud800")  # fmt: skip
texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join))
listings = st.one_of(
    st.just(LISTED),
    st.dictionaries(st.sampled_from("ABCDEFGHIJ"), st.one_of(st.text(max_size=20), st.sampled_from(PIECES))),
)


@given(texts, listings)
def test_readers_never_raise_and_return_only_listed_letters(text: str, listed: dict[str, str]) -> None:
    for reader in READERS:
        found = reader(text, listed)
        assert found is None or found in listed
        assert found == reader(text, listed)


@given(
    texts, st.lists(st.sampled_from([r"(\w)", r"pick (.+)", "((", "", r"\\boxed\{(.*?)\}|(B)", "x{99999999999999}"]))
)
def test_patterns_never_raise_and_return_a_letter(text: str, patterns: list[str]) -> None:
    found = choices.by_patterns(text, patterns, LISTED)
    assert found is None or (len(found) == 1 and found.isascii() and found.isupper())
    assert found == choices.by_patterns(text, patterns, LISTED)


@given(st.text(), st.sampled_from("ABC"))
def test_the_last_box_decides_whatever_stands_before_it(before: str, letter: str) -> None:
    if not before.endswith("\\") and "{" not in before:
        assert choices.strict_boxed(f"{before} \\boxed{{{letter}}}", LISTED) == letter


@given(st.sampled_from("ABC"), st.sampled_from("ABC"), st.sampled_from([" or ", ", ", "/", " and ", "-", ": ", ") "]))
def test_two_letters_name_no_choice(first: str, second: str, separator: str) -> None:
    if first != second:
        hedge = f"{first}{separator}{second}"
        assert choices.strict_boxed(f"\\boxed{{{hedge}}}", LISTED) is None
        assert choices.lenient_boxed(f"\\boxed{{{hedge}}}", LISTED) is None
        assert choices.answer_colon(f"Answer: {hedge}", LISTED) is None
        assert choices.answer_colon_markdown(f"**Answer:** {hedge}", LISTED) is None


@given(st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=5), max_size=2)))
def test_choices_of_any_options_have_one_letter_each(options: list[dict[str, str | None]]) -> None:
    assert all(len(letter) == 1 and letter.isalpha() for letter in choices.choices_of(options))


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{B} " * 20_000,
        "\\boxed{" * 40_000,
        "\\boxed{" * 20_000 + "}" * 20_000,
        "\\boxed{" + "\\text{" * 20_000 + "B" + "}" * 20_001,
        "Answer: A or B\n" * 20_000,
        "answer " * 40_000 + ":",
        "Answer: " + "\\text{" * 20_000 + "}" * 20_000,
        "\\boxed{" + " " * 200_000,
        "*_`" * 80_000,
        "answer" + " " * 200_000,
    ],
    ids=lambda text: f"{text[:20]!r}..{len(text)}",
)
def test_long_hostile_texts_are_read_in_no_time(text: str) -> None:
    for reader in READERS:
        began = time.process_time()
        reader(text, LISTED)
        # Measured 0.2 s at most on one core; a quadratic reader would take minutes.
        assert time.process_time() - began < 2.0, reader.__name__


def test_the_last_of_twenty_thousand_boxes_counts() -> None:
    assert choices.strict_boxed("\\boxed{A} " * 20_000 + "\\boxed{B}", LISTED) == "B"


@pytest.mark.parametrize(
    ("content", "letter"),
    [
        ("B", "B"),
        ("b", None),
        ("[B]", "B"),
        ("10 B", "B"),
        ("B: Square", "B"),
        ("B) anything else", "B"),
        ("B-Square", "B"),
        ("B, Square", None),
        ("B Square", None),
        ("B: a square or C", None),
        ("B: not A", None),
        ("B: B", "B"),
        ("A: A thing that is round", "A"),
        ("Z", None),
        ("Z: Square", None),
        ("AB", None),
        ("", None),
        ("\\mathrm{B}", "B"),
        ("$B$", "B"),
        ("ب", "B"),
        ("باب", None),
        ("ｂ", None),
        ("ঘ)", "D"),
        ("কাক", None),
    ],
)
def test_what_a_box_names(content: str, letter: str | None) -> None:
    assert choices.letter_in(content, LISTED) == letter


def test_a_text_that_holds_other_letters_is_no_hedge_if_it_belongs_to_the_choice() -> None:
    listed = {"A": "iron", "B": "vitamin C or D", "C": "zinc", "D": "salt"}
    assert choices.strict_boxed("\\boxed{B: vitamin C or D}", listed) == "B"
    assert choices.strict_boxed("\\boxed{B: vitamin C}", listed) == "B", "the start of the choice's text"
    assert choices.strict_boxed("\\boxed{B: vitamin C or D, not A}", listed) is None


def test_foreign_letters_name_options_too() -> None:
    assert choices.choices_of([{"أ": "one"}, {"ب": "two"}, {"ж": "three"}, {"": "none"}, {}]) == {
        "A": "one",
        "B": "two",
        "Ж": "three",
    }


def test_markdown_in_the_text_of_a_choice_is_ignored_on_both_sides() -> None:
    assert choices.answer_colon_markdown("Answer: `snake_case`", {"A": "snake_case", "B": "kebab-case"}) == "A"


@pytest.mark.parametrize(
    ("pattern", "text", "letter"),
    [
        (r"pick (\w)", "pick a, pick b", "B"),
        (r"pick (\w)", "pick z", "Z"),
        (r"pick (\w+)", "pick SQUARE", "B"),
        (r"pick (\w) (\w+)", "pick b now", "B"),
        (r"(?:pick (\w))|(?:take (\w))", "take c", "C"),
        (r"[a-d](?=!)", "c!", "C"),
        (r"pick (", "pick b", None),
        (r"pick (\w+)", "pick circles", None),
        (r"pick (\w)", "pick ب", "B"),
        (r"pick (\w)", "pick 7", None),
    ],
)
def test_what_a_pattern_reads(pattern: str, text: str, letter: str | None) -> None:
    assert choices.by_patterns(text, [pattern], LISTED) == letter


@settings(max_examples=30)
@given(st.integers(1, 400))
def test_a_pattern_nested_too_deeply_is_passed_over(depth: int) -> None:
    assert choices.by_patterns("B", ["(" * (depth * 50) + ")" * (depth * 50), "(B)"], LISTED) == "B"
