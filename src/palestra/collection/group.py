"""Rewards that compare the rollouts of one task: a pass over a finished file, one task in memory at a time."""

import math
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from palestra.collection.answer_keys import environment_of
from palestra.collection.verify import TOLERANCE, InputIndex, Stored, prompt_of, stored_of, with_verdict
from palestra.core.errors import Failure, PalestraError
from palestra.core.task import content_hash
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict
from palestra.hosts.local import LocalHost
from palestra.rollout.record import row_of
from palestra.store.paths import RunPaths
from palestra.store.scan import located_lines
from palestra.wire.encoding import decode
from palestra.wire.rows import TASK_INDEX

RAW_REWARD = "raw_reward"
"""The field that keeps the first reward of a rollout whose reward was made anew from it."""


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """The rollouts of one task, and what comparing them gave."""

    rollouts: list[Stored]
    verdicts: list[Verdict] | Failure


@dataclass(slots=True)
class GroupReport:
    """What came of comparing the rollouts of each task."""

    tasks: int = 0
    rollouts: int = 0
    changed: int = 0
    """Rollouts whose reward differs from their raw one."""
    failed: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Tasks without verdicts, and why; their rollouts are not in the output."""

    def add(self, outcome: GroupOutcome) -> None:
        self.tasks += 1
        if isinstance(outcome.verdicts, Failure):
            failure = outcome.verdicts
            rows = [stored.number for stored in outcome.rollouts]
            self.failed.append({"row": rows[0], "rows": rows, "class": failure.code, "reason": failure.message})
            return
        self.rollouts += len(outcome.verdicts)
        for stored, verdict in zip(outcome.rollouts, outcome.verdicts, strict=True):
            self.changed += not math.isclose(verdict.reward, raw_reward(stored.line), abs_tol=TOLERANCE)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def task_key(line: Mapping[str, Any]) -> str:
    """What the rollouts of one task have in common: environment and task index, or the content of the row."""
    index = line.get(TASK_INDEX)
    task = str(index) if isinstance(index, int) else content_hash(row_of(line))
    return f"{environment_of(line)}/{task}"


def task_groups(path: Path) -> Iterator[list[Stored]]:
    """The rollouts of a file by task, in the order in which tasks first appear; they may stand in any order.

    Memory holds one task's rollouts, and eight bytes for each line. Raises PalestraError naming a line that is no
    rollout.
    """
    places: dict[str, array[int]] = {}
    for number, line in enumerate(located_lines(path)):
        places.setdefault(task_key(content_of_line(path, line.content, number)), array("Q")).extend(
            (number, line.offset)
        )
    inputs = InputIndex(RunPaths(path).inputs)
    with path.open("rb") as file:
        for found in places.values():
            group: list[Stored] = []
            for number, offset in zip(found[::2], found[1::2], strict=True):
                file.seek(offset)
                line = content_of_line(path, file.readline(), number)
                group.append(stored_of(line, number, f"{path} rollout {number}", inputs, recorded=False))
            yield group


def content_of_line(path: Path, data: bytes, number: int) -> dict[str, Any]:
    try:
        content = decode(data)
    except ValueError as error:
        raise PalestraError("invalid-row", f"{path} rollout {number} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise PalestraError("invalid-row", f"{path} rollout {number} must be an object")
    return content


async def verify_groups(host: LocalHost, path: Path) -> AsyncIterator[GroupOutcome]:
    """Each task's rollouts with the verdicts of the environment's `verify_group`, or why there are none."""
    for group in task_groups(path):
        try:
            yield GroupOutcome(group, await judge_group(host, group))
        except Failure as failure:
            yield GroupOutcome(group, failure)


async def judge_group(host: LocalHost, group: list[Stored]) -> list[Verdict]:
    session = await host.open(group[0].row, seed=group[0].seed)
    try:
        transcripts = [
            Transcript(prompt_of(stored, session), tuple(stored.response.get("output") or ())) for stored in group
        ]
        return await session.verify_group(transcripts, [raw_reward(stored.line) for stored in group])
    finally:
        await session.close()


def raw_reward(line: Mapping[str, Any]) -> float:
    """The reward a rollout had at first. Raises Failure if it has none."""
    reward = line.get(RAW_REWARD, line.get("reward"))
    if not isinstance(reward, int | float):
        raise Failure("verifier", f"a rollout has the reward {reward!r}, not a number", code="task-invalid")
    return float(reward)


def with_group_verdict(line: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The rollout with the new verdict in place, its first reward beside it."""
    changed = with_verdict(line, verdict)
    own = changed.pop("palestra")
    return {**changed, RAW_REWARD: raw_reward(line), "palestra": own}
