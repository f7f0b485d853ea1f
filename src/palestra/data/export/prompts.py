"""The tasks of rollouts or task files, each once, for trainers that play them anew."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from palestra.core.errors import Failure
from palestra.data.export.choice import Rollouts
from palestra.data.export.record import (
    Unusable,
    environment_of,
    judged_rollout,
    task_key,
    verifier_fields,
)
from palestra.wire.chat import Message, Reasoning, messages_from_items
from palestra.wire.chat_tools import tools_for_chat
from palestra.wire.decoded import as_object
from palestra.wire.encoding import decode
from palestra.wire.rows import AGENT_REF, PARAMS, agent_reference, opening_of_params


@dataclass(slots=True)
class Tally:
    """How the rollouts of one task went."""

    file: int
    offset: int
    rewards: int = 0
    total: float = 0.0
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """One task, and how its rollouts went if there were any."""

    key: bytes
    row: Mapping[str, Any]
    environment: str
    prompt: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    task: dict[str, Any]
    rollouts: int
    mean_reward: float | None
    pass_rate: float | None

    @property
    def agent_ref(self) -> dict[str, Any]:
        return self.row.get(AGENT_REF) or agent_reference(self.environment)


@dataclass(slots=True)
class Tasks:
    """The distinct tasks of some lines."""

    tallies: dict[bytes, Tally] = field(default_factory=dict[bytes, Tally])

    def note(self, row: Mapping[str, Any], file: int, offset: int, least: float) -> None:
        tally = self.tallies.setdefault(task_key(row), Tally(file, offset))
        if "reward" in row:
            tally.rewards += 1
            tally.total += row["reward"]
            tally.passed += row["reward"] >= least


def prompts(rollouts: Rollouts) -> Iterator[Prompt]:
    """Each task once, in the order of its first line. Failures count as no rollout, but their tasks are tasks."""
    tasks = Tasks()
    for place, line in rollouts.lines():
        try:
            tasks.note(task_row(line), place.file, place.offset, rollouts.choice.min_reward)
        except Unusable as reason:
            rollouts.dropped.add(reason.kind, f"{rollouts.name(place)}: {reason}")
    for key, tally in tasks.tallies.items():
        rollouts.files[tally.file].seek(tally.offset)
        yield read_prompt(key, rollouts.files[tally.file].readline(), tally, rollouts.choice.reasoning)


def task_row(line: bytes) -> dict[str, Any]:
    """The row of a task file, or a rollout with its reward. Raises Unusable if it has no prompt that can be told."""
    try:
        row = judged_rollout(line)
    except Unusable as reason:
        if reason.kind not in ("unjudged", "failure", "masked"):
            raise
        row = {name: value for name, value in as_object(decode(line), "the line").items() if name != "reward"}
    try:
        opening = opening_of_params(row.get(PARAMS))
        messages_from_items(opening.prompt)
        tools_for_chat(opening.tools)
    except Failure as failure:
        raise Unusable("unsupported", failure.message) from failure
    return row


def read_prompt(key: bytes, line: bytes, tally: Tally, reasoning: Reasoning) -> Prompt:
    row = task_row(line)
    opening = opening_of_params(row.get(PARAMS))
    return Prompt(
        key=key,
        row=row,
        environment=environment_of(row),
        prompt=tuple(messages_from_items(opening.prompt, reasoning=reasoning)),
        tools=tuple(tools_for_chat(opening.tools)),
        task=verifier_fields(row),
        rollouts=tally.rewards,
        mean_reward=tally.total / tally.rewards if tally.rewards else None,
        pass_rate=tally.passed / tally.rewards if tally.rewards else None,
    )
