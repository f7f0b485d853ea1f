import pytest
from calcparse import CalcError, tokens_of


def texts(text):
    return [token.text for token in tokens_of(text)[:-1]]


def test_marks_and_numbers():
    assert texts("1+2*(3-4)") == ["1", "+", "2", "*", "(", "3", "-", "4", ")"]


def test_blanks_do_not_matter():
    assert texts("  1 +\t2 ") == ["1", "+", "2"]


@pytest.mark.parametrize("number", ["0", "12", "1.5", "1.", ".5", "1e3", "2.5E-4", "1e+2"])
def test_numbers(number):
    tokens = tokens_of(number)
    assert [(token.kind, token.text) for token in tokens] == [("number", number), ("end", "")]


@pytest.mark.parametrize("name", ["x", "x1", "_rest", "max_speed", "Pi"])
def test_names(name):
    assert [(token.kind, token.text) for token in tokens_of(name)[:-1]] == [("name", name)]


def test_positions():
    assert [token.position for token in tokens_of("1 +  x")] == [0, 2, 5, 6]


def test_what_means_nothing():
    with pytest.raises(CalcError, match=r"'\$' means nothing at 2") as caught:
        tokens_of("1+$")
    assert caught.value.position == 2


def test_nothing():
    assert [token.kind for token in tokens_of("")] == ["end"]
