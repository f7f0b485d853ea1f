"""The profile of a run: a line for each task with its row and how its rollouts went (wire format, section 5.6)."""

import heapq
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from palestra.monitor.columns import (
    NO_LINE,
    OFFSET_BITS,
    OFFSET_MASK,
    AgentColumns,
    Columns,
    RolloutKeys,
    checked,
    located,
    place,
)
from palestra.monitor.metrics import group_metrics
from palestra.rollout.record import row_of
from palestra.store.paths import RunPaths
from palestra.wire.encoding import decode, encode
from palestra.wire.rows import AGENT_REF, ATTEMPT_INDEX, PARAMS, ROLLOUT_INDEX, TASK_INDEX

NOT_OF_THE_ROW = frozenset({TASK_INDEX, ROLLOUT_INDEX, ATTEMPT_INDEX, "palestra"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What should have become of an agent's tasks."""

    expected: dict[int, int] = field(default_factory=dict[int, int])
    """How many rollouts a task should have, for the tasks that lack some."""
    inputs: "array[int]" = field(default_factory=lambda: array("Q"))
    """For each task, in order, where its row is among the materialized inputs; NO_LINE if it is not there."""


def read_plans(columns: Columns, paths: Sequence[Path], go_on: Callable[[], None]) -> dict[str, Plan]:
    """The plan of each agent, from the materialized inputs and the failures beside rollout files.

    A rollout is expected if it was dispatched or failed; its later attempts are no further rollouts.
    """
    planned = RolloutKeys()
    for number, path in enumerate(paths):
        first, behind = columns.first_tasks[number : number + 2]
        run = RunPaths(path)
        for source, file in ((run.inputs, len(paths) + number), (run.failures, None)):
            for _, offset, line in located(source, go_on) if source.is_file() else ():
                # A line that cannot be read here is a rollout nobody knows to be missing.
                with suppress(ValueError, AttributeError, KeyError, TypeError, OverflowError):
                    row = checked(line)
                    task = first + int(row[TASK_INDEX])
                    if first <= task < behind:
                        where = NO_LINE if file is None else place(file, offset)
                        planned.add_key(task, int(row[ROLLOUT_INDEX]), where)
    planned.arrange()
    return {name: plan_of(agent, planned) for name, agent in columns.agents.items()}


def plan_of(agent: AgentColumns, planned: RolloutKeys) -> Plan:
    """Both are in the order of tasks, so they are walked through side by side."""
    plan = Plan()
    waiting = planned.groups()
    task_planned, there = next(waiting, (None, slice(0)))
    for task, part in agent.groups():
        while task_planned is not None and task_planned < task:
            task_planned, there = next(waiting, (None, slice(0)))
        line = NO_LINE
        if task_planned == task:
            expected = len({*agent.repeats[part], *planned.repeats[there]})
            line = next((line for line in planned.lines[there] if line != NO_LINE), NO_LINE)
            if expected > part.stop - part.start:
                plan.expected[task] = expected
        plan.inputs.append(line)
    return plan


def write_profile(
    columns: Columns, plans: Mapping[str, Plan], paths: Sequence[Path], file: BinaryIO, go_on: Callable[[], None]
) -> None:
    """Write a line for each task that has a rollout, by task index. Rows are read again one by one: none is held."""
    with StoredLines([*paths, *(RunPaths(path).inputs for path in paths)]) as lines:
        profiles = (profile(agent, plans[name], lines) for name, agent in sorted(columns.agents.items()))
        for entry in heapq.merge(*profiles, key=lambda entry: entry[TASK_INDEX]):
            go_on()
            file.write(encode(entry) + b"\n")


def profile(agent: AgentColumns, plan: Plan, lines: "StoredLines") -> Iterator[dict[str, Any]]:
    groups = zip(agent.groups(), group_metrics(agent, plan.expected), plan.inputs, strict=True)
    for (_, part), entry, line in groups:
        row = lines.read(line) if line != NO_LINE else rollout_row(lines.read(agent.lines[part.start]))
        sample = {name: value for name, value in row.items() if name not in NOT_OF_THE_ROW}
        yield {TASK_INDEX: entry[TASK_INDEX], "sample": sample, **entry}


def rollout_row(rollout: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a rollout without a materialized input: what it carries itself."""
    row = row_of(rollout) if PARAMS in rollout else rollout
    named = {AGENT_REF: rollout[AGENT_REF]} if AGENT_REF in rollout else {}
    return {**{name: value for name, value in row.items() if name not in ("response", "reward")}, **named}


class StoredLines:
    """Lines of some files, read by their place."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.files: dict[int, BinaryIO] = {}
        self.opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.opened.close()

    def read(self, line: int) -> dict[str, Any]:
        number = line >> OFFSET_BITS
        if number not in self.files:
            self.files[number] = self.opened.enter_context(self.paths[number].open("rb"))
        self.files[number].seek(line & OFFSET_MASK)
        return decode(self.files[number].readline())
