import pytest
from calcparse import CalcError, parse


def test_products_bind_stronger_than_sums():
    assert parse("1+2*3") == ("+", 1, ("*", 2, 3))
    assert parse("1*2+3") == ("+", ("*", 1, 2), 3)


def test_from_left_to_right():
    assert parse("1-2-3") == ("-", ("-", 1, 2), 3)
    assert parse("8/4/2") == ("/", ("/", 8, 4), 2)


def test_powers_from_right_to_left():
    assert parse("2^3^2") == ("^", 2, ("^", 3, 2))


def test_powers_bind_stronger_than_signs():
    assert parse("-x^2") == ("negative", ("^", "x", 2))


def test_exponents_may_have_a_sign():
    assert parse("2^-1") == ("^", 2, ("negative", 1))


def test_parentheses():
    assert parse("(1+2)*3") == ("*", ("+", 1, 2), 3)
    assert parse("((x))") == "x"


def test_signs():
    assert parse("--x") == ("negative", ("negative", "x"))
    assert parse("+x") == "x"
    assert parse("1 - -2") == ("-", 1, ("negative", 2))


def test_functions():
    assert parse("max(1, x, 2+3)") == ("max", 1, "x", ("+", 2, 3))
    assert parse("now()") == ("now",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1+", "a value expected at 2"),
        ("", "a value expected at 0"),
        ("(1+2", r"'\)' expected at 4"),
        ("1 2", "'2' not expected at 2"),
        ("1)", r"'\)' not expected at 1"),
        ("max(1,)", "a value expected at 6"),
        ("max(1", r"'\)' expected at 5"),
        ("*2", "a value expected at 0"),
    ],
)
def test_what_cannot_be_read(text, message):
    with pytest.raises(CalcError, match=message):
        parse(text)
