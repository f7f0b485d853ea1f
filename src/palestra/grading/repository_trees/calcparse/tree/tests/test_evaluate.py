import math

import pytest
from calcparse import CalcError, evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [("1+2*3", 7), ("(1+2)*3", 9), ("10-4-3", 3), ("2^3^2", 512), ("7/2", 3.5), ("-3^2", -9), ("2*-3", -6)],
)
def test_arithmetic(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize(("text", "value"), [("7%3", 1), ("-7%3", -1), ("7.5%2", 1.5)])
def test_remainders_have_the_sign_of_the_first(text, value):
    assert evaluate(text) == value


def test_names():
    assert evaluate("2*x + y", x=3, y=0.5) == 6.5


def test_constants():
    assert evaluate("cos0 * pi", cos0=1) == math.pi
    assert evaluate("e") == math.e


def test_names_hide_constants():
    assert evaluate("e + 1", e=2) == 3


def test_functions():
    assert evaluate("sqrt(16) + abs(-2)") == 6
    assert evaluate("max(1, 5, 3) - min(4, 2)") == 3
    assert evaluate("mean(1, 2, 6)") == 3


def test_logarithm_has_an_optional_base():
    assert evaluate("log(e)") == 1
    assert evaluate("log(8, 2)") == 3


def test_unknown_names():
    with pytest.raises(CalcError, match="'y' has no value"):
        evaluate("x + y", x=1)


def test_unknown_functions():
    with pytest.raises(CalcError, match="no function 'sinus'"):
        evaluate("sinus(1)")


@pytest.mark.parametrize("text", ["1/0", "1%0", "0^-1", "mean()"])
def test_zero_divides_nothing(text):
    with pytest.raises(CalcError):
        evaluate(text)


def test_division_by_zero_is_named():
    with pytest.raises(CalcError, match="division by zero"):
        evaluate("1/(2-2)")


@pytest.mark.parametrize("text", ["sqrt(-1)", "log(0)", "(-8)^0.5", "10^1000", "sqrt(1, 2)"])
def test_what_has_no_real_value(text):
    with pytest.raises(CalcError):
        evaluate(text)


def test_values_are_floats():
    assert isinstance(evaluate("1"), float)
    assert isinstance(evaluate("x", x=1), float)
