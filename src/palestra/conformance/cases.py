"""cases.jsonl: inputs of an environment with the reward they deserve, and how to play them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.core.errors import PalestraError
from palestra.core.model import Sampling
from palestra.core.session import Host
from palestra.core.tools import validation_text
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict
from palestra.models.scripted import Recital, as_items, is_reply
from palestra.wire.encoding import decode

MAX_STEPS = 50
TIMES = frozenset({"created_at", "execution time", "unit_tests_time_taken", "verification_time"})
"""Fields that hold times and whose names, which are NeMo Gym's, do not say so."""


class Case(BaseModel):
    """One line of cases.jsonl: a task, what a model says to it, and what that deserves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["full", "partial", "zero", "malformed", "adversarial", "hostile"]
    task: int | dict[str, Any] = 0
    """A row, or the number of a line of tasks.jsonl, from 0."""
    replies: list[Any] | None = None
    """One text, item or list of items a model call, as in a script; the last is repeated."""
    reward: float | None = None
    options: dict[str, Any] = {}
    """Options that differ from the environment's own."""
    not_attacked: str | None = None
    """`full` only: why `check` makes no attacks of it, such as a row that brings its own way of reading."""
    roles: dict[str, list[Any]] = {}
    """Rules `{"when": pattern, "reply": text}` for models that differ from those in the folder `roles`."""
    probe: str | None = None
    """`hostile` only: the attack that may score full on every task, `*` for all of them."""
    expected_full: str | None = None
    """`hostile` only: why it may."""

    @model_validator(mode="after")
    def complete(self) -> "Case":
        if self.kind == "hostile":
            if not self.probe or not self.expected_full:
                raise ValueError("a hostile case needs `probe` and `expected_full`, the reason")
        elif not self.replies or self.reward is None:
            raise ValueError("a case needs `replies` (at least one) and `reward`")
        elif not all(is_reply(reply) for reply in self.replies):
            raise ValueError("each of `replies` must be a text, an item, or a list of texts and items")
        return self


def read_cases(folder: Path) -> list[Case]:
    """The cases of an environment's folder. Raises PalestraError naming file, line and field."""
    path = folder / "cases.jsonl"
    if not path.is_file():
        raise PalestraError("invalid-environment", f"{path} is missing")
    cases: list[Case] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                cases.append(Case.model_validate(decode(line)))
            except ValidationError as error:
                message = f"{path} line {number}: {validation_text(error)}"
                raise PalestraError("invalid-environment", message) from error
            except ValueError as error:
                raise PalestraError("invalid-environment", f"{path} line {number} is not JSON: {error}") from error
    return cases


async def play(host: Host, row: dict[str, Any], replies: Sequence[Any]) -> tuple[Transcript, Verdict]:
    """Play replies against a live episode of a row and judge it. Raises Failure as a rollout would."""
    session = await host.open(row, seed=0)
    try:
        model = Recital("case", [as_items(reply) for reply in replies])
        agent = ToolLoop(AgentLimits(max_steps=MAX_STEPS))
        trajectory = await agent.run(session, model, Sampling())
        return trajectory.transcript, await session.verify(trajectory.transcript)
    finally:
        await session.close()


def is_time(name: str) -> bool:
    """Whether a field holds seconds, or when something was created."""
    return name.endswith("_s") or name in TIMES


def without_times(value: Any) -> Any:
    """A verdict without what differs between two equal ones."""
    if isinstance(value, Mapping):
        return {key: without_times(entry) for key, entry in value.items() if not is_time(str(key))}
    return [without_times(entry) for entry in value] if isinstance(value, list) else value
