"""Expressions to calculate: drawn, written as people write them, and solved call by call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

from .functions import PARAMETERS, CalculationError, calculate

LARGEST_VALUE = 1e9
"""Of any step: numbers that a model can copy without loss of patience."""
ATTEMPTS = 1000
WRITTEN = MappingProxyType(
    {
        "add": "({a} + {b})",
        "subtract": "({a} - {b})",
        "multiply": "({a} * {b})",
        "divide": "({a} / {b})",
        "power": "({a} ** {b})",
        "log": "log({a}, {base})",
        "sin": "sin({radians})",
        "cos": "cos({radians})",
        "negate": "-({a})",
        "pi": "pi",
        "return_constant": "{a}",
    }
)
BINARY = ("add", "subtract", "multiply", "divide", "power", "log")
UNARY = ("sin", "cos", "negate")


@dataclass(frozen=True, slots=True)
class Expression:
    """A function of expressions and numbers."""

    function: str
    operands: tuple["Expression | float", ...]

    def __str__(self) -> str:
        return WRITTEN[self.function].format(
            **dict(zip(PARAMETERS[self.function], map(str, self.operands), strict=True))
        )

    def depth(self) -> int:
        """Functions inside each other; a number, and pi, has none."""
        inner = [operand.depth() for operand in self.operands if isinstance(operand, Expression)]
        return (self.function not in ("pi", "return_constant")) + max(inner, default=0)


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of a solution."""

    name: str
    arguments: dict[str, float]
    solution: float


def solve(expression: Expression) -> list[Call]:
    """The calls that calculate an expression, innermost first; the last gives its value. Raises CalculationError."""
    calls: list[Call] = []
    values: list[float] = []
    for operand in expression.operands:
        if isinstance(operand, Expression):
            calls += solve(operand)
            values.append(calls[-1].solution)
        else:
            values.append(operand)
    arguments = dict(zip(PARAMETERS[expression.function], values, strict=True))
    return [*calls, Call(expression.function, arguments, calculate(expression.function, arguments))]


def draw(random: Random, depth: int) -> tuple[Expression, list[Call]]:
    """An expression of exactly this depth and its solution; none of its values is huge, complex or infinite."""
    for _ in range(ATTEMPTS):
        expression = draw_unchecked(random, depth)
        try:
            calls = solve(expression)
        except CalculationError:
            continue
        if all(abs(call.solution) <= LARGEST_VALUE for call in calls):
            return expression, calls
    raise AssertionError(f"no expression of depth {depth} can be calculated in {ATTEMPTS} attempts")


def draw_unchecked(random: Random, depth: int) -> Expression:
    if depth == 0:
        return Expression("pi", ()) if random.random() < 0.2 else Expression("return_constant", (number(random),))
    if random.random() < 0.25:
        return Expression(random.choice(UNARY), (operand(random, depth - 1),))
    # One operand has the full depth, the other any; power and log leave the real numbers too often when nested deeply.
    function = random.choice(BINARY if depth <= 2 else BINARY[:4])
    operands = [operand(random, depth - 1), operand(random, random.randint(0, depth - 1))]
    random.shuffle(operands)
    return Expression(function, tuple(operands))


def operand(random: Random, depth: int) -> "Expression | float":
    """What stands inside a function: an expression, or for depth 0 a number or pi."""
    if depth == 0:
        return Expression("pi", ()) if random.random() < 0.1 else number(random)
    return draw_unchecked(random, depth)


def number(random: Random) -> float:
    return float(random.randint(1, 12))


def make_task(random: Random, index: int, depth: int, breadth: int) -> dict[str, Any]:
    """A row that asks for `breadth` expressions, one of which has exactly the depth and none a larger one."""
    depths = [depth, *(random.randint(min(1, depth), depth) for _ in range(breadth - 1))]
    random.shuffle(depths)
    drawn = [draw(random, wanted) for wanted in depths]
    return {
        "id": index,
        "question": question([str(expression) for expression, _ in drawn]),
        "ground_truth": str([calls[-1].solution for _, calls in drawn]),
        "depth": depth,
        "breadth": breadth,
        "steps": list(steps(calls for _, calls in drawn)),
    }


def steps(solutions: Iterator[list[Call]]) -> Iterator[dict[str, Any]]:
    for calls in solutions:
        for call in calls:
            yield {"name": call.name, "arguments": call.arguments, "solution": call.solution}


def question(written: Sequence[str]) -> str:
    if len(written) == 1:
        return f"What is the value of {written[0]}? Calculate it with the given tools only."
    listed = ", ".join(written[:-1])
    return f"What are the values of {listed} and {written[-1]}? Calculate them with the given tools only."
