import pytest
from wordwrap import fill, wrap


def test_words_fill_the_line():
    assert wrap("aa bb cc dd", 5) == ["aa bb", "cc dd"]


def test_a_line_may_be_exactly_as_wide():
    assert wrap("abc de fgh", 6) == ["abc de", "fgh"]


def test_no_line_is_wider():
    text = "the quick brown fox jumps over the lazy dog again and again"
    assert all(len(line) <= width for width in range(5, 40) for line in wrap(text, width))


def test_blanks_between_words_do_not_count():
    assert wrap("  aa \n bb\t cc  ", 20) == ["aa bb cc"]


def test_an_empty_text_has_no_lines():
    assert wrap("", 10) == []
    assert wrap("   ", 10) == []


def test_a_long_word_is_cut():
    assert wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_after_a_cut_word_the_line_goes_on():
    assert wrap("abcdefgh ij k", 6) == ["abcdef", "gh ij", "k"]


def test_a_word_of_twice_the_width_makes_two_lines():
    assert wrap("abcdefgh", 4) == ["abcd", "efgh"]


def test_first_line_is_indented():
    assert wrap("aa bb cc", 7, indent="  ") == ["  aa bb", "cc"]


def test_other_lines_hang():
    assert wrap("aa bb cc dd", 6, hanging="> ") == ["aa bb", "> cc", "> dd"]


def test_cut_words_hang_too():
    assert wrap("abcdefgh", 4, indent="* ", hanging="  ") == ["* ab", "  cd", "  ef", "  gh"]


def test_a_width_without_room_is_refused():
    with pytest.raises(ValueError, match="leaves no room"):
        wrap("a", 2, hanging="  ")
    with pytest.raises(ValueError, match="width of 0"):
        wrap("a", 0)


def test_fill_keeps_paragraphs():
    assert fill("aa bb\ncc\n\ndd", 5) == "aa bb\ncc\n\ndd"


def test_fill_joins_many_empty_lines():
    assert fill("aa\n\n\n  \nbb\n\n", 5) == "aa\n\nbb"


def test_fill_of_nothing():
    assert fill("\n\n", 5) == ""
