"""The profile of a run: a line for each task with its row and how its rollouts went (wire format, section 5.6)."""

import heapq
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from palestra.monitor.columns import AgentColumns, Columns, RolloutKeys
from palestra.monitor.group_lines import group_lines
from palestra.monitor.lines import NO_LINE, OFFSET_BITS, OFFSET_MASK, has_checksum, located, place
from palestra.rollout.record import row_of
from palestra.store.paths import RunPaths
from palestra.wire.encoding import BIG_INTEGER, DIGITS, decode, encode
from palestra.wire.rows import AGENT_REF, ATTEMPT_INDEX, PARAMS, ROLLOUT_INDEX, TASK_INDEX

NOT_OF_THE_ROW = frozenset({TASK_INDEX, ROLLOUT_INDEX, ATTEMPT_INDEX, "palestra"})
INDICES = b',"_ng_task_index":'
INPUT_END = re.compile(
    rb',"_ng_task_index":(\d{1,10}),"_ng_rollout_index":(\d{1,10}),"palestra":\{"key":"[0-9a-f]{32}",'
    rb'"environment":"[^"\\]*","task_hash":"[0-9a-f]+","crc32":"[0-9a-f]{8}"\}\}\n?\Z'
)
"""How the line of a materialized input ends, if a run of Palestra wrote it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What should have become of an agent's tasks."""

    expected: dict[int, int] = field(default_factory=dict[int, int])
    """How many rollouts a task should have, for the tasks that lack some."""
    inputs: "array[int]" = field(default_factory=lambda: array("Q"))
    """For each task, in order, where its row is among the materialized inputs; NO_LINE if it is not there."""


def read_plans(
    columns: Columns, paths: Sequence[Path], go_on: Callable[[], None], inputs: Sequence[Path] | None = None
) -> dict[str, Plan]:
    """The plan of each agent, from the materialized inputs and the failures beside rollout files.

    `inputs` are the files of materialized inputs, one for each of `paths`, where they are not beside them.
    """
    planned = read_planned(columns, paths, go_on, inputs)
    return {name: plan_of(agent, planned) for name, agent in columns.agents.items()}


def read_planned(
    columns: Columns, paths: Sequence[Path], go_on: Callable[[], None], inputs: Sequence[Path] | None = None
) -> RolloutKeys:
    """The rollouts that there should be.

    One is expected if it was dispatched or failed; its later attempts are no further rollouts.
    """
    planned = RolloutKeys()
    for number, path in enumerate(paths):
        first, behind = columns.first_tasks[number : number + 2]
        run = RunPaths(path)
        own = run.inputs if inputs is None else inputs[number]
        for source, file in ((own, len(paths) + number), (run.failures, None)):
            for _, offset, line in located(source, go_on) if source.is_file() else ():
                # A line that cannot be read here is a rollout nobody knows to be missing.
                with suppress(ValueError, AttributeError, KeyError, TypeError, OverflowError):
                    row_task, repeat = indices_of(line)
                    task = first + row_task
                    # Tasks of the last file that nobody played yet are behind all that were.
                    if first <= task and (task < behind or number == len(paths) - 1):
                        planned.add_key(task, repeat, NO_LINE if file is None else place(file, offset))
    planned.arrange()
    return planned


def missing_rollouts(columns: Columns, planned: RolloutKeys) -> Iterator[tuple[int, int]]:
    """Task and repeat of each rollout that there should be and is not, in order."""
    judged = heapq.merge(
        *(zip(agent.tasks, agent.repeats, strict=True) for agent in columns.agents.values())  # each is in order
    )
    there = next(judged, None)
    before: tuple[int, int] | None = None
    for key in zip(planned.tasks, planned.repeats, strict=True):
        while there is not None and there < key:
            there = next(judged, None)
        if key not in (there, before):
            yield key
        before = key


def indices_of(line: bytes) -> tuple[int, int]:
    """Task and repeat of an input or a failure. Raises ValueError and others if they cannot be read."""
    if has_checksum(line):
        found = INPUT_END.match(line, max(line.rfind(INDICES), 0))
        if found:
            return int(found[1]), int(found[2])
    row = decode(line)
    return int(row[TASK_INDEX]), int(row[ROLLOUT_INDEX])


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
            line = next((line for line in planned.lines[there] if line != NO_LINE), NO_LINE)
            judged, repeats = agent.repeats[part], planned.repeats[there]
            if judged != repeats and (expected := len({*judged, *repeats})) > len(judged):
                plan.expected[task] = expected
        plan.inputs.append(line)
    return plan


def write_profile(
    columns: Columns,
    plans: Mapping[str, Plan],
    paths: Sequence[Path],
    file: BinaryIO,
    go_on: Callable[[], None],
    inputs: Sequence[Path] | None = None,
) -> None:
    """Write a line for each task that has a rollout, by task index. Rows are read again one by one: none is held.

    `inputs` as in `read_plans`.
    """
    own = inputs or [RunPaths(path).inputs for path in paths]
    with StoredLines([*paths, *own]) as lines:
        profiles = (profile(agent, plans[name], lines) for name, agent in sorted(columns.agents.items()))
        for _, line in heapq.merge(*profiles, key=itemgetter(0)):
            go_on()
            file.write(line)


def profile(agent: AgentColumns, plan: Plan, lines: "StoredLines") -> Iterator[tuple[int, bytes]]:
    """Each task that has a rollout, and its line."""
    firsts = (agent.lines[part.start] for _, part in agent.groups())
    for group, first, line in zip(group_lines(agent, plan.expected), firsts, plan.inputs, strict=True):
        row = lines.read(first if line == NO_LINE else line)
        sample = sample_text(row) if line != NO_LINE and group.is_plain else None
        if sample is not None:
            start, rest = group.content.split(b",", 1)
            yield group.task, b'%b,"sample":%b,%b\n' % (start, sample, rest)
        else:
            value = decode(row) if line != NO_LINE else rollout_row(decode(row))
            sample = {name: entry for name, entry in value.items() if name not in NOT_OF_THE_ROW}
            yield group.task, encode({TASK_INDEX: group.task, "sample": sample, **decode(group.content)}) + b"\n"


def sample_text(line: bytes) -> bytes | None:
    """The row of a materialized input as it is written, without what the run added to it; None to write it anew.

    It must read like what orjson writes, since the rest of its line is written so.
    """
    start = line.rfind(INDICES)
    if start < 0 or not INPUT_END.match(line, start):
        return None
    row = line[:start]
    is_ours = b'"_ng_' not in row and b'"palestra":' not in row and row.startswith(b"{")
    is_usual = b"\\u" not in row and b"e-0" not in row and BIG_INTEGER not in row.translate(DIGITS)
    return row + b"}" if is_ours and is_usual else None


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

    def read(self, line: int) -> bytes:
        number = line >> OFFSET_BITS
        if number not in self.files:
            self.files[number] = self.opened.enter_context(self.paths[number].open("rb"))
        self.files[number].seek(line & OFFSET_MASK)
        return self.files[number].readline()
