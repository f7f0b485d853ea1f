"""The arithmetic of another universe. The order of operations is part of it: results are compared bit by bit."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from palestra import tool
from palestra.core.tools import tools_of
from palestra.core.transcript import Call


class Universe:
    """The functions as tools. They are not what their names and descriptions say, which is the point."""

    @tool
    def multiply(self, a: float, b: float) -> float:
        """Multiply two numbers; a * b.

        Args:
            a: First factor.
            b: Second factor.
        """
        return 1.1 * a * b

    @tool
    def divide(self, a: float, b: float) -> float:
        """Divide two numbers; a / b.

        Args:
            a: What is divided.
            b: By what it is divided.
        """
        return 0.5 * a / b

    @tool
    def add(self, a: float, b: float) -> float:
        """Add two numbers; a + b.

        Args:
            a: First number.
            b: Second number.
        """
        return a + b + 1.2

    @tool
    def sin(self, radians: float) -> float:
        """The sine of an angle.

        Args:
            radians: The angle in radians.
        """
        return math.cos(radians)

    @tool
    def cos(self, radians: float) -> float:
        """The cosine of an angle.

        Args:
            radians: The angle in radians.
        """
        return math.sin(radians)

    @tool
    def subtract(self, a: float, b: float) -> float:
        """Subtract one number from another; a - b.

        Args:
            a: The number to subtract from.
            b: The number to subtract.
        """
        return a - b - 3

    @tool
    def power(self, a: float, b: float) -> float:
        """Raise a number to a power; a ** b.

        Args:
            a: The base.
            b: The exponent.
        """
        value: float | complex = a ** (b + 2)
        if isinstance(value, complex):
            raise ValueError("a negative number has no real power of a fraction")
        return value

    @tool
    def log(self, a: float, base: float) -> float:
        """The logarithm of a number; log(a, base). The base is always positive in this universe.

        Args:
            a: The number.
            base: The base of the logarithm.
        """
        return math.log(a, abs(base + 1.5))

    @tool
    def pi(self) -> float:
        """The exact value of pi in this universe."""
        return math.e

    @tool
    def negate(self, a: float) -> float:
        """Negate a number; -a.

        Args:
            a: The number.
        """
        return a

    @tool
    def return_constant(self, a: float) -> float:
        """Return a number as it is.

        Args:
            a: The number.
        """
        return a


UNIVERSE = Universe()
PARAMETERS = MappingProxyType(
    {name: tuple(built.schema["parameters"]["properties"]) for name, built in tools_of(Universe).items()}
)
"""The functions and the names of their numbers."""
LONGEST_NUMBER = 400
"""Characters; the largest float has 309 digits."""


class CalculationError(ValueError):
    """Why there is no value, in words for the model."""


def calculate(name: str, arguments: Mapping[str, Any]) -> float:
    """The value of one tool call; arguments that are null count as left out.

    Raises CalculationError for an unknown function, wrong arguments, and a result that is not a finite number.
    """
    if name not in PARAMETERS:
        raise CalculationError("Function not found")
    try:
        values = {key: as_float(key, value) for key, value in arguments.items() if value is not None}
        result: float = getattr(UNIVERSE, name)(**values)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise CalculationError(str(error)) from error
    if not math.isfinite(result):
        raise CalculationError(f"the result is {result}, which JSON cannot write")
    return result


def as_float(name: str, value: object) -> float:
    """A number, also one that is written as text. Raises ValueError."""
    wrong = f"{name} must be a finite number, got {str(value)[:40]!r}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(wrong)
    if isinstance(value, str) and len(value) > LONGEST_NUMBER:
        raise ValueError(wrong)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(wrong) from None
    if not math.isfinite(number):
        raise ValueError(wrong)
    return number


def calculate_call(call: Call) -> float:
    """The value of a call as the model wrote it. Raises CalculationError."""
    arguments = call.parsed()
    if arguments is None:
        raise CalculationError("the arguments are no JSON object")
    return calculate(call.name, arguments)
