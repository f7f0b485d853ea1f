"""Which rollouts become examples: a first pass notes what decides, a second reads only what was chosen."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from palestra.core.errors import PalestraError
from palestra.data.export.record import Record, Unusable, read_record
from palestra.wire.chat import Reasoning

LONGEST_LINE_BYTES = 1 << 28

ExportFormat: TypeAlias = Literal["sft", "dpo", "kto", "rm", "prm", "grpo"]


class Choice(BaseModel):
    """What is taken for an example, and how many of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_reward: float = 1.0
    """sft, prm: the lowest reward that is learned from. kto: the lowest reward of a wanted answer."""
    max_negative_reward: float = 0.0
    """kto: the highest reward of an unwanted answer; what lies between the two is left out."""
    min_gap: float = Field(default=0.5, gt=0)
    """dpo, rm: by how much the chosen reward exceeds the rejected one, at least."""
    pairs_per_task: int = Field(default=1, ge=1)
    """dpo, rm: pairs of one task, at most; no rollout is in two of them."""
    rollouts_per_task: int | None = Field(default=None, ge=1)
    """sft, kto: examples of one task, at most: those with the highest reward; of kto, of either label."""
    truncated: bool = False
    """Whether answers that were cut off count. They are never whole, whatever their reward."""
    reasoning: Reasoning = "inline"
    """Where the model's reasoning goes: `<think>` in the text, the field `reasoning_content`, or nowhere."""


@dataclass(slots=True)
class Dropped:
    """Lines that became no example, by kind, with the first of each."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    examples: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, kind: str, example: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.examples.setdefault(kind, example)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line is."""

    file: int
    offset: int
    number: int


class Rollouts:
    """The lines of some files, in order and by their place."""

    def __init__(self, paths: Sequence[Path], choice: Choice, dropped: Dropped) -> None:
        self.paths = paths
        self.choice = choice
        self.dropped = dropped
        self.resources = ExitStack()
        self.files: list[BinaryIO] = []
        self.read = 0
        """Lines of the first pass."""

    def __enter__(self) -> "Rollouts":
        for path in self.paths:
            try:
                self.files.append(self.resources.enter_context(path.open("rb", buffering=1 << 20)))
            except OSError as error:
                self.resources.close()
                raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        self.resources.close()

    def lines(self) -> Iterator[tuple[Place, bytes]]:
        for number_of_file, file in enumerate(self.files):
            file.seek(0)
            offset = number = 0
            while line := file.readline(LONGEST_LINE_BYTES):
                number += 1
                if not line.isspace():
                    self.read += 1
                    yield Place(number_of_file, offset, number), line
                offset += len(line)

    def records(self) -> Iterator[tuple[Place, Record]]:
        """All that can be learned from; the rest is counted as dropped."""
        for place, line in self.lines():
            try:
                record = read_record(line, self.choice.reasoning)
                if record.is_truncated and not self.choice.truncated:
                    raise Unusable("truncated", "the model was cut off")
            except Unusable as reason:
                self.dropped.add(reason.kind, f"{self.name(place)}: {reason}")
                continue
            yield place, record

    def at(self, file: int, offset: int) -> Record:
        """The record of a line that `records` gave before."""
        self.files[file].seek(offset)
        return read_record(self.files[file].readline(LONGEST_LINE_BYTES), self.choice.reasoning)

    def name(self, place: Place) -> str:
        return f"{self.paths[place.file]} line {place.number}"


class Table:
    """What decides of each rollout: 30 bytes for each, and its task's key once."""

    def __init__(self) -> None:
        self.tasks: dict[bytes, int] = {}
        self.task = array("L")
        self.reward = array("d")
        self.file = array("H")
        self.offset = array("Q")

    @classmethod
    def of(cls, rollouts: Rollouts, is_wanted: Callable[[Record], bool]) -> "Table":
        table = cls()
        for place, record in rollouts.records():
            if not is_wanted(record):
                rollouts.dropped.add("reward", f"{rollouts.name(place)}: its reward is {record.reward}")
                continue
            table.task.append(table.tasks.setdefault(record.task_key, len(table.tasks)))
            table.reward.append(record.reward)
            table.file.append(place.file)
            table.offset.append(place.offset)
        return table

    def by_task(self) -> Iterator[list[int]]:
        """The rollouts of each task, best first, earlier ones first among equals; tasks in order of their first."""
        order = sorted(range(len(self.task)), key=lambda index: (self.task[index], -self.reward[index], index))
        for _, group in groupby(order, key=self.task.__getitem__):
            yield list(group)

    def record(self, rollouts: Rollouts, index: int) -> Record:
        return rollouts.at(self.file[index], self.offset[index])


def chosen_singles(rollouts: Rollouts) -> Iterator[Record]:
    """Rollouts that are good enough, in the order of the files; with a limit a task, its best ones, task by task."""
    choice, dropped = rollouts.choice, rollouts.dropped

    def is_good(record: Record) -> bool:
        return record.reward >= choice.min_reward

    if choice.rollouts_per_task is not None:
        yield from limited(rollouts, is_good)
        return
    for place, record in rollouts.records():
        if is_good(record):
            yield record
        else:
            dropped.add("reward", f"{rollouts.name(place)}: its reward {record.reward} is below {choice.min_reward}")


def labelled(rollouts: Rollouts) -> Iterator[Record]:
    """Rollouts that are wanted or unwanted."""
    choice = rollouts.choice
    if choice.max_negative_reward >= choice.min_reward:
        message = f"max_negative_reward {choice.max_negative_reward} is not below min_reward {choice.min_reward}"
        raise PalestraError("usage", message)

    def has_label(record: Record) -> bool:
        return record.reward >= choice.min_reward or record.reward <= choice.max_negative_reward

    yield from limited(rollouts, has_label)


def limited(rollouts: Rollouts, is_wanted: Callable[[Record], bool]) -> Iterator[Record]:
    """The best rollouts of each task with either label, as many as may be; without a limit, all in their order."""
    choice = rollouts.choice
    if choice.rollouts_per_task is None:
        for place, record in rollouts.records():
            if is_wanted(record):
                yield record
            else:
                rollouts.dropped.add("reward", f"{rollouts.name(place)}: its reward is {record.reward}")
        return
    table = Table.of(rollouts, is_wanted)
    for group in table.by_task():
        for is_positive in (True, False):
            same = [index for index in group if (table.reward[index] >= choice.min_reward) is is_positive]
            for index in same[: choice.rollouts_per_task]:
                yield table.record(rollouts, index)
            for index in same[choice.rollouts_per_task :]:
                rollouts.dropped.add("limit", f"byte {table.offset[index]}: its task has enough")


def pairs(rollouts: Rollouts) -> Iterator[tuple[Record, Record]]:
    """Of each task the best with the worst, the second best with the second worst, as long as the gap is wide enough.

    A rollout that is in no pair is counted as dropped (`no_pair`).
    """
    choice = rollouts.choice
    table = Table.of(rollouts, lambda record: True)
    for group in table.by_task():
        unpaired, taken = dict.fromkeys(group), 0
        for better, worse in zip(group, reversed(group), strict=True):
            gap = table.reward[better] - table.reward[worse]
            if gap < choice.min_gap or taken == choice.pairs_per_task:
                break
            chosen, rejected = table.record(rollouts, better), table.record(rollouts, worse)
            if chosen.completion == rejected.completion:
                example = f"byte {table.offset[better]}: one text with two rewards, {gap} apart"
                rollouts.dropped.add("same_text", example)
                continue
            del unpaired[better], unpaired[worse]
            taken += 1
            yield chosen, rejected
        for index in unpaired:
            rollouts.dropped.add("no_pair", f"byte {table.offset[index]}: reward {table.reward[index]}")
