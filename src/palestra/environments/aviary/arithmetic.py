"""How large the numbers of an expression may get, found before anything is computed.

aviary's calculator raises to any power; `9**9**9**9` would take the memory and the time of the whole process.
"""

import ast
from typing import NamedTuple

MAX_CHARACTERS = 2_000
MAX_BITS = 14_000
"""Of a whole number: what Python still prints in decimal digits."""
MAX_EXPONENT_BITS = 20
FLOAT_BITS = 1_024
MAX_ROUNDING_BITS = 10


class Bound(NamedTuple):
    """The most that a value can be."""

    bits: int
    """Its absolute value is below 2**bits."""
    is_float: bool = False
    """It is surely a float, whose size has a bound of its own."""


def require_bounded(expression: str) -> None:
    """Raises ValueError if an intermediate value may be larger than MAX_BITS, SyntaxError if it is no expression."""
    if len(expression) > MAX_CHARACTERS:
        raise ValueError(f"the expression has {len(expression)} characters, at most {MAX_CHARACTERS} are read")
    bound_of(ast.parse(expression, mode="eval").body)


def bound_of(node: ast.AST) -> Bound:
    """The bound of a node. What the calculator does not know is left to it to refuse."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, int):
            return checked(Bound(abs(value).bit_length()))
        return Bound(FLOAT_BITS, is_float=True)
    if isinstance(node, ast.UnaryOp):
        return bound_of(node.operand)
    if isinstance(node, ast.BinOp):
        return checked(combined(node.op, bound_of(node.left), bound_of(node.right)))
    if isinstance(node, ast.Call):
        bounds = [bound_of(argument) for argument in node.args]
        if len(bounds) > 1 and isinstance(node.func, ast.Name) and node.func.id == "round":
            require(bounds[1].bits <= MAX_ROUNDING_BITS, "rounds to more digits than a number has")
        bits = max((bound.bits for bound in bounds), default=0)
        # Of two values either may be the result, and rounding makes a whole number of a float.
        return Bound(bits, is_float=False)
    return Bound(0)


def combined(operator: ast.operator, left: Bound, right: Bound) -> Bound:
    if isinstance(operator, ast.Pow):
        return power(left, right)
    if left.is_float or right.is_float:
        return Bound(FLOAT_BITS, is_float=True)
    if isinstance(operator, ast.Div):
        return Bound(FLOAT_BITS, is_float=True)
    if isinstance(operator, ast.Mult):
        return Bound(left.bits + right.bits)
    return Bound(max(left.bits, right.bits) + 1)


def power(base: Bound, exponent: Bound) -> Bound:
    if base.is_float or exponent.is_float:
        return Bound(FLOAT_BITS, is_float=True)
    if base.bits <= 1:
        return Bound(1)
    require(exponent.bits <= MAX_EXPONENT_BITS, "an exponent is too large")
    return Bound(base.bits * 2**exponent.bits)


def checked(bound: Bound) -> Bound:
    require(bound.is_float or bound.bits <= MAX_BITS, f"a value may have more than {MAX_BITS} bits")
    return bound


def require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(f"{problem}; the calculator does not compute it")
