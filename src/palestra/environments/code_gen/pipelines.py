"""Problems put together from steps on a list of whole numbers: any number of them, each with its own solution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import Any

from .drawing import Difficulty, numbers_of

NAME = "worked_out"
RANGE = (-60, 60)
INPUTS_TRIED = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done with the list: the sentence that asks for it, and the line of the solution."""

    sentence: str
    line: str


STEPS = (
    Step(
        "Keep only the numbers that leave the remainder {a} when divided by {b}.",
        "[n for n in numbers if n % {b} == {a}]",
    ),
    Step("Remove all numbers that are larger than {c}.", "[n for n in numbers if n <= {c}]"),
    Step("Replace every number by its square.", "[n * n for n in numbers]"),
    Step("Multiply every number by {b} and add {c}.", "[n * {b} + {c} for n in numbers]"),
    Step("Replace every number by its absolute value.", "[abs(n) for n in numbers]"),
    Step(
        "Replace every number by the sum of its decimal digits, without its sign.",
        "[sum(map(int, str(abs(n)))) for n in numbers]",
    ),
    Step("Reverse the order of the numbers.", "numbers[::-1]"),
    Step("Sort the numbers, the smallest first.", "sorted(numbers)"),
    Step("Of equal numbers keep only the first.", "list(dict.fromkeys(numbers))"),
    Step("Keep only every number at an even place, where the first place is 0.", "numbers[::2]"),
    Step("Replace every number by the sum of all numbers up to and including it.", "list(accumulate(numbers))"),
    Step(
        "Replace the list by the differences of neighbours, the right one minus the left one.",
        "[b - a for a, b in zip(numbers, numbers[1:])]",
    ),
    Step(
        "Move the first {b} numbers to the end of the list, in their order; all of them if there are fewer.",
        "numbers[{b}:] + numbers[:{b}]",
    ),
    Step("Replace every number by the larger of it and {c}.", "[max(n, {c}) for n in numbers]"),
    Step(
        "Replace every number by its remainder when divided by {b}, which is never negative.",
        "[n % {b} for n in numbers]",
    ),
    Step(
        "Remove every number that is smaller than the one right before it in the list as it is now.",
        "[n for i, n in enumerate(numbers) if i == 0 or n >= numbers[i - 1]]",
    ),
)
ENDS = (
    Step("Give the sum of the numbers that are left, 0 if there are none.", "sum(numbers)"),
    Step("Give the largest number that is left, 0 if there is none.", "max(numbers, default=0)"),
    Step("Give the smallest number that is left, 0 if there is none.", "min(numbers, default=0)"),
    Step("Give the number of different values that are left.", "len(set(numbers))"),
    Step("Give the numbers that are left, in their order.", "numbers"),
    Step("Give the numbers that are left, the largest first.", "sorted(numbers, reverse=True)"),
)
LENGTHS: MappingProxyType[Difficulty, int] = MappingProxyType({"easy": 2, "medium": 4, "hard": 7})
"""How many steps a problem has."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A problem of several steps, of which the last gives the answer."""

    steps: tuple[Step, ...]

    @property
    def statement(self) -> str:
        sentences = "\n".join(f"{place}. {step.sentence}" for place, step in enumerate(self.steps, 1))
        return f"Do the following with the list `numbers`, in this order.\n{sentences}"

    @property
    def source(self) -> str:
        """The function that solves it."""
        *steps, end = self.steps
        returned = "list[int]" if end.line.startswith(("numbers", "sorted")) else "int"
        lines = [f"def {NAME}(numbers: list[int]) -> {returned}:", *(f"    numbers = {step.line}" for step in steps)]
        return "\n".join([*lines, f"    return {end.line}", ""])

    @property
    def solve(self) -> Callable[[list[int]], Any]:
        names: dict[str, Any] = {"accumulate": accumulate}
        exec(self.source, names)  # noqa: S102 - our own steps
        return names[NAME]

    def without(self, place: int) -> "Pipeline":
        return Pipeline(self.steps[:place] + self.steps[place + 1 :])

    def is_sound(self, inputs: Sequence[list[int]]) -> bool:
        """Whether each step changes an answer, and no answer is given for most inputs."""
        answers = [self.solve(numbers) for numbers in inputs]
        others = [self.without(place).solve for place in range(len(self.steps) - 1)]
        commonest = max(map(answers.count, answers))
        return commonest <= len(answers) // 2 and all([*map(solve, inputs)] != answers for solve in others)


def draw_pipeline(random: Random, difficulty: Difficulty) -> Pipeline:
    """Steps at random, drawn again until each of them matters."""
    inputs = [numbers_of(random, random.randint(1, 20), *RANGE) for _ in range(INPUTS_TRIED)]
    while True:
        chosen = [*random.sample(STEPS, LENGTHS[difficulty]), random.choice(ENDS)]
        pipeline = Pipeline(tuple(filled(random, step) for step in chosen))
        if pipeline.is_sound(inputs):
            return pipeline


def filled(random: Random, step: Step) -> Step:
    divisor = random.randint(2, 9)
    values = {"a": random.randrange(divisor), "b": divisor, "c": random.randint(-20, 40)}
    return Step(step.sentence.format(**values), step.line.format(**values))
