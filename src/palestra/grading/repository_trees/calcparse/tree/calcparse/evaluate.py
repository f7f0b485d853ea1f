"""Trees as values."""

import math
import operator
from collections.abc import Mapping
from types import MappingProxyType

from calcparse.parser import Tree, parse
from calcparse.tokens import CalcError

OPERATIONS = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "%": math.fmod,
        "^": operator.pow,
        "negative": operator.neg,
        "sqrt": math.sqrt,
        "abs": abs,
        "min": min,
        "max": max,
        "log": math.log,
        "mean": lambda *values: sum(values) / len(values),
    }
)
CONSTANTS = MappingProxyType({"pi": math.pi, "e": math.e})


def value_of(tree: Tree, names: Mapping[str, float]) -> float:
    """The value of a tree. Names of the caller hide constants. Raises CalcError."""
    if isinstance(tree, str):
        if tree in names:
            return float(names[tree])
        if tree in CONSTANTS:
            return CONSTANTS[tree]
        raise CalcError(f"{tree!r} has no value", 0)
    if not isinstance(tree, tuple):
        return float(tree)
    operation, *arguments = tree
    if operation not in OPERATIONS:
        raise CalcError(f"there is no function {operation!r}", 0)
    values = [value_of(argument, names) for argument in arguments]
    try:
        found = OPERATIONS[operation](*values)
    except ZeroDivisionError:
        raise CalcError("division by zero", 0) from None
    except (ValueError, OverflowError, TypeError) as error:
        raise CalcError(f"{operation}: {error}", 0) from error
    if isinstance(found, complex):
        raise CalcError(f"{operation}: no real value", 0)
    return float(found)


def evaluate(text: str, **names: float) -> float:
    """The value of a text. Raises CalcError."""
    return value_of(parse(text), names)
