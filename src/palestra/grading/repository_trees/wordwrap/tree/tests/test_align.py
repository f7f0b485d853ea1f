import pytest
from wordwrap import center, justify, right


def test_right():
    assert right("abc", 6) == "   abc"


def test_right_leaves_long_lines():
    assert right("abcdef", 3) == "abcdef"


@pytest.mark.parametrize(("line", "width", "centred"), [("ab", 6, "  ab"), ("ab", 7, "  ab"), ("abc", 3, "abc")])
def test_center(line, width, centred):
    assert center(line, width) == centred


def test_center_leaves_long_lines():
    assert center("abcdef", 3) == "abcdef"


def test_justify_reaches_the_edge():
    assert justify("aa bb cc", 10) == "aa  bb  cc"


def test_justify_widens_the_left_gaps_first():
    assert justify("a b c d", 9) == "a  b  c d"


def test_justify_gives_every_width():
    for width in range(7, 30):
        assert len(justify("a b c d", width)) == width


def test_justify_leaves_one_word():
    assert justify("word", 10) == "word"


def test_justify_leaves_long_lines():
    assert justify("aaa bbb", 5) == "aaa bbb"


def test_justify_of_nothing():
    assert justify("", 5) == ""
