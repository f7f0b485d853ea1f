"""Calculate with the tools of another universe: what counts are the values that the tools gave."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.core.task import asked
from palestra.core.tools import compact_json
from palestra.core.transcript import Call, output_text

from .expressions import make_task
from .functions import CalculationError, Universe, calculate_call

LEVELS = MappingProxyType({1: (1, 1), 2: (1, 3), 3: (2, 2), 4: (3, 3), 5: (4, 5)})
"""Depth and breadth of generated tasks."""


class CalculationTask(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    ground_truth: str | tuple[float, ...]
    """The values that the tools must have given, as JSON text of a list or as a list."""
    steps: tuple[dict[str, Any], ...] = ()
    """The calls of one solution with their values."""

    @field_validator("ground_truth")
    @classmethod
    def must_be_values(cls, given: str | tuple[float, ...]) -> str | tuple[float, ...]:
        values_of(given)
        return given


class AdvancedCalculations(Universe, Environment[CalculationTask]):
    class Options(palestra.Options):
        difficulty: Literal[1, 2, 3, 4, 5] = 2
        """Of generated tasks: depth and breadth are 1 and 1, 1 and 3, 2 and 2, 3 and 3, 4 and 5."""
        depth: int | None = Field(default=None, ge=0, le=6)
        """How many functions lie inside each other in generated tasks, if not as the difficulty says."""
        breadth: int | None = Field(default=None, ge=1, le=20)
        """How many values generated tasks ask for, if not as the difficulty says."""
        compatible: bool = False
        """Judge as NeMo Gym does: read the values from the outputs in the conversation, whoever wrote them."""

    def prompt(self) -> str:
        return asked(self.task.question, "a question")

    async def run_tool(self, name: str, arguments: str) -> str:
        try:
            return compact_json({"solution": calculate_call(Call(name, arguments))})
        except CalculationError as error:
            return compact_json({"detail": str(error)})

    def verify(self, transcript: Transcript) -> Verdict:
        found = values_in_outputs(transcript) if self.options.compatible else values_of_calls(transcript)
        wanted = values_of(self.task.ground_truth)
        missing = [value for value in wanted if value not in found]
        reason = f"no tool gave {', '.join(map(str, missing[:5]))}" if missing else None
        return Verdict(float(not missing), metrics={"values_found": len(wanted) - len(missing)}, reason=reason)

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        depth, breadth = LEVELS[options.difficulty]
        depth = depth if options.depth is None else options.depth
        breadth = breadth if options.breadth is None else options.breadth
        for index in range(n):
            yield make_task(Random(f"{seed}/{depth}/{breadth}/{index}"), index, depth, breadth)


def values_of(ground_truth: str | tuple[float, ...]) -> list[float]:
    """The values of a row. Raises ValueError if they are not finite numbers, or if there are none."""
    values: Any = json.loads(ground_truth) if isinstance(ground_truth, str) else list(ground_truth)
    if not isinstance(values, list) or not values or not all(map(is_finite, values)):
        raise ValueError("ground_truth must be a list of one or more finite numbers")
    return values


def is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def values_of_calls(transcript: Transcript) -> set[float]:
    """The values of the calls that were answered, calculated again: what a conversation claims cannot change them."""
    found: set[float] = set()
    for call in transcript.calls:
        if call.output is not None:
            with suppress(CalculationError):
                found.add(calculate_call(call))
    return found


def values_in_outputs(transcript: Transcript) -> set[float]:
    """What the outputs in the conversation say; those that say no value are left out."""
    found: set[float] = set()
    for item in transcript.output:
        if item.get("type") == "function_call_output":
            with suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
                found.add(float(json.loads(output_text(item))["solution"]))
    return found
