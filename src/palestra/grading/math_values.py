"""The value of a mathematical expression: exactly if it is rational, else to many digits at fixed points."""

# pyright: basic
# The mathematical libraries carry no types.

import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from operator import add, mul
from types import MappingProxyType
from typing import Any

import mpmath
import sympy
from mpmath.libmp import ComplexResult
from sympy.core.function import AppliedUndef

MOST_BITS = 60_000
"""Size of the largest number that may come up while an expression is evaluated."""
DIGITS = 90
ROUNDING = mpmath.mpf(10) ** -60
"""Two exact expressions whose values differ by less than this share are equal."""
DECIMAL = mpmath.mpf("1e-6")
DECIMAL_SHARE = mpmath.mpf("2e-6")
"""A decimal may differ by 1e-6 and by this share: 0.333333 is a third, 0.000000002 is not 0.000000001."""
SIZES = (1.0, -0.5, 17.0, -17.0, 1e6, -1e6)
"""About where letters are tried: small and large, so that min(), max() and the like show themselves."""
POINTS_NEEDED = 2


class NoValue(Exception):
    """The expression holds something that has no number, or that nobody should compute."""


FUNCTIONS: Mapping[Any, Callable[..., Any]] = MappingProxyType({
    **{
        getattr(sympy, name): getattr(mpmath, name)
        for name in (
            "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc", "sinh", "cosh",
            "tanh", "asinh", "acosh", "atanh", "exp", "log", "floor", "factorial", "binomial", "sign", "re", "im",
            "arg",
        )
    },
    sympy.Abs: mpmath.fabs,
    sympy.conjugate: mpmath.conj,
    sympy.ceiling: mpmath.ceil,
    sympy.Max: max,
    sympy.Min: min,
    sympy.UnevaluatedExpr: lambda inner: inner,
})  # fmt: skip
CONSTANTS: Mapping[Any, Callable[[], Any]] = MappingProxyType(
    {
        sympy.pi: lambda: +mpmath.pi,
        sympy.E: lambda: +mpmath.e,
        sympy.I: lambda: mpmath.mpc(0, 1),
        sympy.GoldenRatio: lambda: +mpmath.phi,
    }
)


def bits(node: Any) -> int:
    """An upper bound on the bits of every number in the evaluation. Raises NoValue above MOST_BITS."""
    size = unbounded_bits(node)
    if size > MOST_BITS:
        raise NoValue("it makes a number that is too large")
    return size


def unbounded_bits(node: Any) -> int:  # noqa: PLR0911  one kind of expression each
    if isinstance(node, sympy.Rational):
        return max(abs(int(node.p)).bit_length(), int(node.q).bit_length(), 1)
    if isinstance(node, sympy.Float):
        _, _, exponent, length = node._mpf_
        return max(abs(exponent) + length, 64)
    if isinstance(node, AppliedUndef) or not node.args:
        return 3
    if isinstance(node, sympy.Pow):
        return bits(node.base) * reach(node.exp)
    if isinstance(node, sympy.exp | sympy.sinh | sympy.cosh | sympy.tanh):
        return 2 * reach(node.args[0])
    if isinstance(node, sympy.factorial | sympy.binomial):
        return reach(node.args[0]) * bits(node.args[0])
    if isinstance(node, sympy.Mul):
        return sum(map(bits, node.args))
    if isinstance(node, sympy.Add) or node.func in FUNCTIONS:
        return max(map(bits, node.args)) + len(node.args)
    raise NoValue(f"{type(node).__name__} is not evaluated")


def reach(node: Any) -> int:
    """An upper bound on the absolute value of an exponent or of what a factorial is taken of."""
    if isinstance(node, sympy.Rational):
        return int(abs(node.p) // node.q) + 1
    return 2 ** min(bits(node), 17)


def exact(node: Any) -> Fraction | None:
    """The value of an expression that is made of rational numbers only, else None."""
    if isinstance(node, sympy.Rational):
        return Fraction(int(node.p), int(node.q))
    if not isinstance(node, sympy.Add | sympy.Mul | sympy.Pow | sympy.UnevaluatedExpr):
        return None
    parts = [exact(argument) for argument in node.args]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if not isinstance(node, sympy.Pow):
        return reduce(mul if isinstance(node, sympy.Mul) else add, known)
    base, exponent = known
    if exponent.denominator != 1 or (base == 0 and exponent < 0):
        return None
    return Fraction(base ** int(exponent))


def value(node: Any, point: Mapping[str, Any]) -> Any:  # noqa: PLR0911  one kind of expression each
    """The number of an expression where its letters have the values of `point`."""
    if isinstance(node, sympy.Rational):
        return mpmath.mpf(int(node.p)) / int(node.q)
    if isinstance(node, sympy.Float):
        return mpmath.mpf(str(node))
    if isinstance(node, sympy.Symbol | AppliedUndef):
        return point[str(node)]
    if node in CONSTANTS:
        return CONSTANTS[node]()
    arguments = [value(argument, point) for argument in node.args]
    if isinstance(node, sympy.Add):
        return mpmath.fsum(arguments)
    if isinstance(node, sympy.Mul):
        return mpmath.fprod(arguments)
    if isinstance(node, sympy.Pow):
        return power(arguments[0], arguments[1], node.exp)
    if node.func in FUNCTIONS:
        return FUNCTIONS[node.func](*arguments)
    raise NoValue(f"{type(node).__name__} is not evaluated")


def power(base: Any, exponent: Any, written: Any) -> Any:
    """The power as schools define it: odd roots of negative numbers are negative."""
    odd_root = isinstance(written, sympy.Rational) and written.q % 2 == 1 and written.q > 1
    if odd_root and mpmath.im(base) == 0 and base < 0:
        size = mpmath.power(-base, exponent)
        return -size if written.p % 2 else size
    return mpmath.power(base, exponent)


def names_in(node: Any) -> set[str]:
    """The letters of an expression; `f(x)` counts as one."""
    if isinstance(node, sympy.Symbol | AppliedUndef):
        return {str(node)}
    return set[str]().union(*map(names_in, node.args))


def points(names: set[str]) -> list[dict[str, Any]]:
    """The same values for the same letters, positive and negative. `i` is the imaginary unit."""
    result: list[dict[str, Any]] = []
    for size in SIZES:
        point = {name: mpmath.mpf(size * random.Random(f"{name} {size}").uniform(0.7, 1.9)) for name in names}
        if "i" in names:
            point["i"] = mpmath.mpc(0, 1)
        result.append(point)
    return result


def finite_value(node: Any, point: Mapping[str, Any]) -> Any:
    """The value, or None where the expression is not defined."""
    try:
        number = mpmath.mpmathify(value(node, point))
    except (ZeroDivisionError, ValueError, OverflowError, TypeError, ComplexResult):
        return None
    return number if mpmath.isfinite(number) else None


def settled_value(node: Any, point: Mapping[str, Any]) -> Any:
    """As finite_value, but 0 where terms cancel: what then remains is rounding, and changes with the digits."""
    number = finite_value(node, point)
    if number is None or number == 0 or abs(number) >= ROUNDING:
        return number
    with mpmath.workdps(2 * DIGITS):
        again = finite_value(node, point)
        return number if again is not None and abs(again - number) <= ROUNDING**0.5 * abs(number) else mpmath.mpf(0)


def near(first: Any, second: Any, is_decimal: bool) -> bool:
    difference = abs(first - second)
    size = max(abs(first), abs(second))
    if is_decimal:
        return bool(difference <= DECIMAL and difference <= DECIMAL_SHARE * size)
    return bool(difference <= ROUNDING * size)


def same_value(first: Any, second: Any) -> bool:
    """Whether two expressions have the same value, wherever both are defined. Raises NoValue."""
    bits(first)
    bits(second)
    fractions = exact(first), exact(second)
    if None not in fractions:
        return fractions[0] == fractions[1]
    is_decimal = first.has(sympy.Float) or second.has(sympy.Float)
    names = names_in(first) | names_in(second)
    compared = 0
    with mpmath.workdps(DIGITS):
        for point in points(names) if names - {"i"} else points(names)[:1]:
            pair = settled_value(first, point), settled_value(second, point)
            if pair == (None, None):
                continue
            if None in pair or not near(*pair, is_decimal):
                return False
            compared += 1
    return compared >= (POINTS_NEEDED if names - {"i"} else 1)


def proportion(first: Any, second: Any) -> Any:
    """The constant c with first = c * second everywhere, or None. Raises NoValue."""
    bits(first)
    bits(second)
    ratios: list[Any] = []
    with mpmath.workdps(DIGITS):
        for point in points(names_in(first) | names_in(second)):
            pair = settled_value(first, point), settled_value(second, point)
            if None in pair or abs(pair[1]) < ROUNDING or abs(pair[0]) < ROUNDING:
                continue
            ratios.append(pair[0] / pair[1])
        is_decimal = first.has(sympy.Float) or second.has(sympy.Float)
        constant = all(near(ratio, ratios[0], is_decimal) for ratio in ratios[1:])
    return ratios[0] if len(ratios) >= POINTS_NEEDED and constant else None
