"""Judging stored rollouts again, without any model."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.core.errors import Failure, PalestraError, describe
from palestra.core.model import Item
from palestra.core.session import Session
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict
from palestra.data.load import rows_of_file
from palestra.grading.judge_recording import recorded_judge
from palestra.hosts.local import LocalHost
from palestra.rollout.record import row_of
from palestra.rollout.replay import replay_turns
from palestra.store.paths import RunPaths
from palestra.store.scan import located_lines
from palestra.wire.calls import flat
from palestra.wire.encoding import decode
from palestra.wire.rows import PARAMS, ROLLOUT_INDEX, TASK_INDEX

TOLERANCE = 1e-6
AT_WORK = 64
"""Rollouts judged at the same time."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One rollout to judge again."""

    number: int
    """Its line, from 0."""
    row: Mapping[str, Any]
    response: Mapping[str, Any]
    reward: float | None
    line: Mapping[str, Any]
    seed: int


@dataclass(slots=True)
class Agreement:
    """What came of judging again."""

    n: int = 0
    agree: int = 0
    disagree: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failed: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Rollouts that could not be judged, and why."""
    unsupported: int = 0
    """Rollouts of environments that cannot be judged from a stored conversation."""

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "agree": self.agree,
            "disagree": self.disagree,
            "failed": self.failed,
            "unsupported": self.unsupported,
        }


def stored_rollouts(path: Path, *, recorded: bool) -> Iterator[Stored]:
    """The rollouts of a file: plain lines, or with `recorded` lines of `{"row": ..., "recorded": ...}`.

    Plain lines of another producer may lack the row; it is then taken from `<stem>_materialized_inputs.jsonl`.
    Raises PalestraError naming the line that is no rollout.
    """
    inputs = InputIndex(RunPaths(path).inputs)
    for number, row in enumerate(rows_of_file(path)):
        if row.problem is not None:
            raise PalestraError("invalid-row", row.problem)
        yield stored_of(row.content, number, row.origin, inputs, recorded=recorded)


def stored_of(line: Mapping[str, Any], number: int, origin: str, inputs: "InputIndex", *, recorded: bool) -> Stored:
    """The rollout of one line. Raises PalestraError naming the line if it is none."""
    try:
        rollout = line["recorded"] if recorded else line
        own = rollout.get("palestra") or {}
        content = line["row"] if recorded else row_of(rollout) if "task" in own else inputs.row_of(rollout)
        reward = rollout.get("reward")
        return Stored(number, content, rollout["response"], reward, rollout, int(own.get("seed", 0)))
    except (KeyError, TypeError, AttributeError) as error:
        kind = '{"row": ..., "recorded": ...}' if recorded else "a rollout"
        # Each of the two forms is easily taken for the other.
        other = "response" if recorded else "recorded"
        fix = f"{'Leave out' if recorded else 'Add'} --recorded." if other in line else None
        raise PalestraError("invalid-row", f"{origin} is not {kind}: {describe(error)}", fix=fix) from error


class InputIndex:
    """The places of materialized inputs in their file, by task and rollout index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offsets: dict[tuple[int, int], int] | None = None

    def row_of(self, rollout: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row a rollout was made of; without a file beside it, what the rollout itself carries."""
        if self.offsets is None:
            self.offsets = self.read()
        offset = self.offsets.get((rollout.get(TASK_INDEX, -1), rollout.get(ROLLOUT_INDEX, -1)))
        if offset is None:
            return row_of(rollout)
        with self.path.open("rb") as file:
            file.seek(offset)
            return decode(file.readline())

    def read(self) -> dict[tuple[int, int], int]:
        offsets: dict[tuple[int, int], int] = {}
        for line in located_lines(self.path):
            # The last line may be half of one; a rollout without its input is judged by what it carries itself.
            with suppress(ValueError, AttributeError):
                row = decode(line.content)
                offsets[(row.get(TASK_INDEX, -1), row.get(ROLLOUT_INDEX, -1))] = line.offset
        return offsets


async def judge_again(host: LocalHost, stored: Stored, *, replay: bool) -> Verdict:
    """The verdict on a stored conversation. With `replay` the model's items are fed to a fresh episode first.

    Unless the host has models of its own for the environment's roles, judges say what the rollout stores of them.
    Raises Failure as a rollout would.
    """
    asked = host.environment_class.roles(host.options)
    # Another verifier may have brought models of its own, for other roles.
    stand_ins = {} if host.roles.keys() & set(asked) else dict.fromkeys(asked, recorded_judge(stored.line))
    session = await host.open(stored.row, seed=stored.seed, roles=stand_ins)
    try:
        output: list[Item] = list(flat(stored.response.get("output")) or [])
        rewards = (stored.line.get("palestra") or {}).get("step_rewards") or []
        if replay:
            rewards = await replay_turns(session, stored.line)
        return await session.verify(Transcript(prompt_of(stored, session), tuple(output), tuple(rewards)))
    finally:
        await session.close()


def prompt_of(stored: Stored, session: Session) -> tuple[Item, ...]:
    """What the model was asked: as the row says, or as it was stored, or as it would be asked today."""
    params = stored.line.get(PARAMS) or {}
    return session.prompt if PARAMS in stored.row else tuple(params.get("input") or session.prompt)


async def verify_all(
    host: LocalHost, rollouts: Iterable[Stored], *, reverify: str
) -> AsyncIterator[tuple[Stored, Verdict | Failure | None]]:
    """Each rollout with its new verdict, a Failure, or None where the environment does not support it; in order."""
    if reverify == "unsupported":
        for stored in rollouts:
            yield stored, None
        return

    async def judged(stored: Stored) -> tuple[Stored, Verdict | Failure]:
        try:
            return stored, await judge_again(host, stored, replay=reverify == "replay_calls")
        except Failure as failure:
            return stored, failure

    window: list[asyncio.Task[tuple[Stored, Verdict | Failure]]] = []
    for stored in rollouts:
        window.append(asyncio.create_task(judged(stored)))
        if len(window) >= AT_WORK:
            yield await window.pop(0)
    for task in window:
        yield await task


def compare(agreement: Agreement, stored: Stored, outcome: Verdict | Failure | None) -> None:
    """Count one outcome against the reward that was stored."""
    agreement.n += 1
    if outcome is None:
        agreement.unsupported += 1
    elif isinstance(outcome, Failure):
        agreement.failed.append({"row": stored.number, "class": outcome.code, "reason": outcome.message})
    elif stored.reward is not None and math.isclose(outcome.reward, stored.reward, abs_tol=TOLERANCE):
        agreement.agree += 1
    else:
        ours = {"row": stored.number, "recorded": stored.reward, "ours": outcome.reward, "reason": outcome.reason}
        agreement.disagree.append(ours)


def with_verdict(line: Mapping[str, Any], verdict: Verdict, *, sandbox: str | None = None) -> dict[str, Any]:
    """A stored rollout with another verdict in the place of its own; `sandbox` is where that one ran code."""
    own = dict(line.get("palestra") or {})
    dropped = set(own.get("components") or ())
    own.pop("crc32", None)
    own.update({"reason": verdict.reason, "components": sorted(verdict.components)})
    own["sandbox"] = sandbox or own.get("sandbox")
    kept = {name: value for name, value in line.items() if name not in dropped and name != "palestra"}
    return {
        **kept,
        "reward": verdict.reward,
        **verdict.components,
        **verdict.metrics,
        "palestra": {name: value for name, value in own.items() if value not in (None, [])},
    }
