"""Tasks of our own: a problem, an example, and tests whose outputs its reference solution gave."""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, get_args, get_type_hints

from .drawing import CLASSICS, Classic, Difficulty, Draw, numbers_of
from .forms import INPUTS, OUTPUTS, kind_name
from .pipelines import NAME, RANGE, draw_pipeline

TESTS = 12
MOST_DRAWS = 50
IMPORTS = (
    "from bisect import bisect_left\nfrom collections import Counter, deque\nfrom heapq import heappop, heappush\n"
    "from itertools import accumulate, groupby\n"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A problem that is ready to be set: what is asked, what solves it, and what its inputs are like."""

    name: str
    difficulty: Difficulty
    statement: str
    source: str
    solve: Callable[..., Any]
    draw: Draw

    @property
    def kinds(self) -> dict[str, Any]:
        """The types of the parameters, in their order, and of what is returned."""
        return get_type_hints(self.solve)


@dataclass(frozen=True, slots=True)
class Written:
    """A task row, and a program that solves it. The program is never part of the row."""

    row: dict[str, Any]
    solution: str


def write_row(seed: int, index: int, difficulty: Difficulty | None) -> dict[str, Any]:
    """The task of one seed and place."""
    return write(seed, index, difficulty).row


def write(seed: int, index: int, difficulty: Difficulty | None) -> Written:
    """A task and its solution: classics in turn, and between them problems made of steps."""
    random = Random(f"{seed}/{difficulty}/{index}")
    level = difficulty or random.choice(get_args(Difficulty))
    classics = [classic for classic in CLASSICS if difficulty in (None, classic.difficulty)]
    turn = Random(seed).randrange(len(classics)) + index // 2
    subject = of_steps(random, level) if index % 2 else of_classic(classics[turn % len(classics)])
    return as_call(random, subject) if random.random() < 0.5 else as_stdio(random, subject)


def of_classic(classic: Classic) -> Subject:
    statement = " ".join((inspect.getdoc(classic.solve) or "").split())
    source = inspect.getsource(classic.solve)
    return Subject(classic.solve.__name__, classic.difficulty, statement, source, classic.solve, classic.draw)


def of_steps(random: Random, difficulty: Difficulty) -> Subject:
    pipeline = draw_pipeline(random, difficulty)
    return Subject(NAME, difficulty, pipeline.statement, pipeline.source, pipeline.solve, numbers)


def numbers(random: Random, size: int) -> tuple[list[int]]:
    return (numbers_of(random, random.randint(1, 4 * size), *RANGE),)


def tests_of(random: Random, subject: Subject) -> list[tuple[tuple[Any, ...], Any]]:
    """An example and the tests, from small to large inputs. No single output is right for most of them, if it
    can be helped."""
    pairs: list[tuple[tuple[Any, ...], Any]] = []
    for _ in range(MOST_DRAWS):
        drawn = [subject.draw(random, 2 + number // 2) for number in range(TESTS + 1)]
        pairs = [(arguments, subject.solve(*arguments)) for arguments in drawn]
        outputs = [json.dumps(output) for _, output in pairs[1:]]
        if max(map(outputs.count, outputs)) <= (2 * TESTS) // 3:
            break
    return pairs


def as_call(random: Random, subject: Subject) -> Written:
    """The problem as a function that is called."""
    (example, *tests) = tests_of(random, subject)
    kinds = subject.kinds
    returned = kinds.pop("return")
    parameters = ", ".join(f"{name}: {kind_name(kind)}" for name, kind in kinds.items())
    arguments = ", ".join(map(json.dumps, example[0]))
    text = (
        f"{subject.statement}\n\nWrite a function `{subject.name}({parameters}) -> {kind_name(returned)}`.\n\n"
        f"Example: {subject.name}({arguments}) returns {json.dumps(example[1])}."
    )
    inputs = ["\n".join(map(json.dumps, arguments)) for arguments, _ in tests]
    outputs = [json.dumps(output) for _, output in tests]
    return written(subject, text, {"inputs": inputs, "outputs": outputs, "fn_name": subject.name}, "")


def as_stdio(random: Random, subject: Subject) -> Written:
    """The problem as a program that reads standard input and writes standard output."""
    (example, *tests) = tests_of(random, subject)
    kinds = subject.kinds
    returned = kinds.pop("return")
    lines = "\n".join(f"- {INPUTS[kind_name(kind)].asked.format(name=f'`{name}`')}" for name, kind in kinds.items())
    form = OUTPUTS[kind_name(returned)]

    def told(arguments: Sequence[Any]) -> str:
        pairs = zip(kinds.values(), arguments, strict=True)
        return "".join(INPUTS[kind_name(kind)].told(value) + "\n" for kind, value in pairs)

    text = (
        f"{subject.statement}\n\nRead from standard input:\n{lines}\n\nWrite to standard output: {form.asked}\n\n"
        f"Example input:\n{told(example[0])}\nExample output:\n{form.told(example[1])}"
    )
    reading = "".join(f"{name} = {INPUTS[kind_name(kind)].code}\n" for name, kind in kinds.items())
    program = f"\n\n{reading}answer = {subject.name}({', '.join(kinds)})\n{form.code}\n"
    inputs = [told(arguments) for arguments, _ in tests]
    return written(
        subject, text, {"inputs": inputs, "outputs": [form.told(output) + "\n" for _, output in tests]}, program
    )


def written(subject: Subject, text: str, unit_tests: dict[str, Any], program: str) -> Written:
    metadata = {"unit_tests": unit_tests, "difficulty": subject.difficulty}
    row = {"name": subject.name, "problem": text, "verifier_metadata": metadata}
    return Written(row, f"{IMPORTS}\n\n{subject.source}{program}")
