"""The numbers of rollout files in little memory: a column a field, and where each rollout's line is."""

import hashlib
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, count, islice, pairwise
from operator import ne
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.monitor.lines import ABRIDGED, NO_LINE, checked, located, place, rollout_numbers
from palestra.wire.rows import ATTEMPT_INDEX, ROLLOUT_INDEX, TASK_INDEX, agent_name

INDICES = frozenset({TASK_INDEX, ROLLOUT_INDEX, ATTEMPT_INDEX})

LARGEST = 1e150
"""The squares of larger numbers overflow; such a value is left out, as one that is not finite is."""
NUMBER = (int, float)

NO_ANSWER = 0
"""The rollout has an answer field without an answer."""
NO_ANSWER_FIELD = 1
"""Nothing says which field holds the answers of this rollout's environment."""
FIRST_ANSWER = 2

NO_SUBSET = -1
MAX_SUBSETS = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """What is taken from rollouts besides their numbers."""

    answer_key_of: Callable[[Mapping[str, Any]], str | None] = lambda rollout: None
    """The field that holds a rollout's answer, or None if nobody knows.

    Of the fields in `lines.ABRIDGED` it is given no more than the usage of the response and the name of the environment
    if the line has a checksum.
    """
    subset_field: str | None = None
    """A field of the rollout or of its task whose values divide the tasks into subsets."""
    go_on: Callable[[], None] = lambda: None
    """Called before each line; may raise to end the reading."""


@dataclass
class RolloutKeys:
    """Task, repeat and place of rollouts, 8 bytes each; after `arrange` in the order of tasks and repeats."""

    tasks: "array[int]" = field(default_factory=lambda: array("q"))
    repeats: "array[int]" = field(default_factory=lambda: array("q"))
    lines: "array[int]" = field(default_factory=lambda: array("Q"))
    """Where the line is: number of the file, and offset. See `place`."""
    bounds: Sequence[int] = range(1)
    """Where each task's rollouts begin, and where the last one's end; known after `arrange`."""

    def add_key(self, task: int, repeat: int, line: int) -> None:
        # A line that is refused leaves the columns as they were.
        self.tasks.append(task)
        try:
            self.repeats.append(repeat)
        except OverflowError:
            self.tasks.pop()
            raise
        self.lines.append(line)

    def arrange(self) -> list[int]:
        """Order the rollouts; gives where each of them was before."""
        order = sorted(range(len(self.tasks)), key=self.repeats.__getitem__)
        order.sort(key=self.tasks.__getitem__)
        self.tasks, self.repeats = arranged(self.tasks, order), arranged(self.repeats, order)
        self.lines = arranged(self.lines, order)
        self.bounds = bounds_of(self.tasks)
        return order

    @property
    def is_each_alone(self) -> bool:
        """Whether no task has a second rollout."""
        return len(self.bounds) == len(self.tasks) + 1

    def groups(self) -> Iterator[tuple[int, slice]]:
        """Each task with the slice of its rollouts, in the order of task indices."""
        for start, stop in pairwise(self.bounds):
            yield self.tasks[start], slice(start, stop)


@dataclass
class AgentColumns(RolloutKeys):
    """The rollouts of one agent: besides their keys 8 bytes each for answer and subset, and 8 for each number."""

    answers: "array[int]" = field(default_factory=lambda: array("Q"))
    """64-bit hashes of answers, NO_ANSWER, or NO_ANSWER_FIELD."""
    subsets: "array[int]" = field(default_factory=lambda: array("q"))
    """Positions in `subset_names`, or NO_SUBSET."""
    columns: "dict[str, array[float]]" = field(default_factory=dict)
    fractional: set[str] = field(default_factory=set[str])
    """Columns that are not all integers."""
    subset_names: dict[str, int] = field(default_factory=dict[str, int])
    has_answers: bool = False
    """Whether some rollout has the field that should hold its answer."""

    def add(
        self,
        rollout: Mapping[str, Any],
        task: int,
        line: int = NO_LINE,
        answer_key: str | None = None,
        subset: str | None = None,
    ) -> None:
        """Take each top-level number (true is 1) and those of `response.usage`, without indices, NaN and the too large.

        `line` is where the rollout is, see `place`; `answer_key` is the field that should hold its answer.
        """
        usage = (rollout.get("response") or {}).get("usage") or {}
        fields = {**rollout, **usage}
        answer = NO_ANSWER_FIELD if answer_key is None else answer_hash(rollout.get(answer_key))
        before = len(self.tasks)
        self.add_key(task, int(rollout.get(ROLLOUT_INDEX, 0)), line)
        self.answers.append(answer)
        self.subsets.append(NO_SUBSET if subset is None else self.subset_number(subset))
        self.has_answers = self.has_answers or (answer_key is not None and answer_key in rollout)
        for name, value in fields.items():
            if isinstance(value, NUMBER) and name not in INDICES and abs(value) <= LARGEST:
                column = self.columns.get(name)
                if column is None:
                    column = self.columns[name] = array("d")
                # A rollout without the field leaves a gap, so that values stay beside their rollout.
                if len(column) < before:
                    column.extend([math.nan] * (before - len(column)))
                column.append(value)
                if isinstance(value, float):
                    self.fractional.add(name)

    def subset_number(self, name: str) -> int:
        number = self.subset_names.setdefault(name, len(self.subset_names))
        if number >= MAX_SUBSETS:
            message = f"the field that names subsets has more than {MAX_SUBSETS} values, {name[:80]!r} for one"
            raise PalestraError("usage", message, fix="Name a field with few values, such as a difficulty.")
        return number

    def arrange(self) -> list[int]:
        order = super().arrange()
        for name, column in self.columns.items():
            column.extend([math.nan] * (len(order) - len(column)))
            self.columns[name] = arranged(column, order)
        self.answers, self.subsets = arranged(self.answers, order), arranged(self.subsets, order)
        return order

    def info(self, position: int) -> dict[str, float]:
        """The numbers of one rollout: integers where all values of the field are."""
        found = ((name, column[position]) for name, column in self.columns.items())
        return {
            name: value if name in self.fractional else int(value) for name, value in found if not math.isnan(value)
        }


def bounds_of(tasks: "array[int]") -> Sequence[int]:
    """Where each task begins among ordered ones, and where the last ends: 8 bytes a task, if some have several."""
    inner = array("q", compress(count(1), map(ne, tasks, islice(tasks, 1, None))))
    if len(inner) + 1 >= len(tasks):
        return range(len(tasks) + 1)
    return array("q", (0, *inner, len(tasks)))


def arranged(column: "array[Any]", order: Sequence[int]) -> "array[Any]":
    return array(column.typecode, map(column.__getitem__, order))


def answer_hash(answer: Any) -> int:
    """64 bits that tell different answers of a task apart; 7 and 7.0 are the same answer.

    That any two of a thousand different answers share a hash has a chance of 3e-14. Raises ValueError if the answer is
    nested too deeply.
    """
    if answer is None:
        return NO_ANSWER
    value = int(answer) if isinstance(answer, float) and answer.is_integer() else answer
    try:
        text = json.dumps(value, sort_keys=True)
    except RecursionError as error:
        raise ValueError("its answer is nested too deeply") from error
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    return max(digest, FIRST_ANSWER)


def subset_of(rollout: Mapping[str, Any], name: str | None) -> str | None:
    """The value of the rollout's field, or of its task's, as text; None if there is none that is text or number."""
    if name is None:
        return None
    own = rollout.get("palestra")
    task = own.get("task") if isinstance(own, dict) else None
    value = rollout[name] if name in rollout else task.get(name) if isinstance(task, dict) else None
    return str(value) if isinstance(value, str | int | float) and value != "" else None


@dataclass
class Columns:
    """The columns of some files."""

    agents: dict[str, AgentColumns]
    first_tasks: list[int]
    """For each file, the index that its task 0 has here; and behind the last one the next index that is free."""


def read_columns(paths: Iterable[Path], problems: list[str], reading: Reading | None = None) -> Columns:
    """The columns of rollout files, by agent, in order. Damaged lines are named in `problems` and skipped.

    Task indices start at 0 in each file, so those of later files are moved behind those of earlier ones.
    """
    reading = reading or Reading()
    agents: dict[str, AgentColumns] = {}
    first_tasks = [0]
    for file, path in enumerate(paths):
        next_task = first_tasks[-1]
        for number, offset, line in located(path, reading.go_on):
            try:
                rollout = rollout_numbers(line) if reading.subset_field is None else checked(line)
                key = reading.answer_key_of(rollout)
                if key in ABRIDGED:
                    rollout = checked(line)
                task = first_tasks[-1] + int(rollout.get(TASK_INDEX, number - 1))
                columns = agents.setdefault(agent_name(rollout) or "unknown", AgentColumns())
                columns.add(rollout, task, place(file, offset), key, subset_of(rollout, reading.subset_field))
                next_task = max(next_task, task + 1)
            except (AttributeError, TypeError, OverflowError):
                problems.append(f"{path} line {number} was skipped: it is not laid out as a rollout")
            except ValueError as error:
                problems.append(f"{path} line {number} was skipped: {error}")
        first_tasks.append(next_task)
    found = {name: agent for name, agent in agents.items() if agent.tasks}
    for agent in found.values():
        agent.arrange()
    return Columns(found, first_tasks)
