"""A model that says again what it said in stored rollouts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Model, Reply, Sampling, StopReason, TokenTrace, ToolSchema
from palestra.core.transcript import function_calls
from palestra.wire.calls import Turn, turns_of
from palestra.wire.encoding import decode
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX


class ReplayModel:
    """Replies from the rollouts of a file, matched by task content and repeat, or by the file's own indices.

    Only the places of the lines are kept in memory. Raises PalestraError if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"replay:{path.name}"
        self.offsets: dict[tuple[str | int, int], int] = {}
        try:
            with path.open("rb") as file:
                offset = 0
                for number, line in enumerate(file, 1):
                    if line.strip():
                        self.note(line, number, offset)
                    offset += len(line)
        except OSError as error:
            raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error

    def note(self, line: bytes, number: int, offset: int) -> None:
        try:
            rollout = decode(line)
            own = rollout.get("palestra") or {}
            task = own.get("task_hash", rollout.get(TASK_INDEX, number - 1))
            self.offsets[(task, rollout.get(ROLLOUT_INDEX, 0))] = offset
        except (ValueError, AttributeError, TypeError) as error:
            raise PalestraError("invalid-row", f"{self.path} line {number} is not a rollout: {error}") from error

    def for_rollout(self, row: Mapping[str, Any], *, task_hash: str, task_index: int, rollout_index: int) -> Model:
        for key in ((task_hash, rollout_index), (task_index, rollout_index)):
            if key in self.offsets:
                return self.read(self.offsets[key])
        message = f"{self.path.name} has no rollout {rollout_index} of task {task_index} ({task_hash})"
        raise Failure("model", message, code="script-exhausted")

    def read(self, offset: int) -> "Repetition":
        with self.path.open("rb") as file:
            file.seek(offset)
            rollout = decode(file.readline())
        try:
            turns = turns_of(rollout)
        except ValueError as error:
            message = f"{self.path.name} at byte {offset}: {error}"
            raise Failure("model", message, code="script-exhausted") from None
        response = rollout["response"]
        cut = (response.get("incomplete_details") or {}).get("reason")
        return Repetition(str(response.get("model") or self.name), turns or [Turn((), None)], cut)

    async def close(self) -> None:
        return


class Repetition:
    """The replies of one stored rollout, call by call; its last is cut again if it was cut then."""

    def __init__(self, name: str, turns: Sequence[Turn], cut: StopReason | None) -> None:
        self.name = name
        self.turns = turns
        self.cut: StopReason | None = cut if cut in ("max_output_tokens", "content_filter") else None
        self.said = 0

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        if self.said == len(self.turns):
            raise Failure("model", f"the stored rollout ends after {self.said} replies", code="script-exhausted")
        turn = self.turns[self.said]
        self.said += 1
        guessed = "tool_calls" if function_calls(turn.items) else "stop"
        if self.cut is not None and self.said == len(self.turns):
            guessed = self.cut
        return Reply(turn.items, turn.stop_reason or guessed, self.name)

    async def close(self) -> None:
        return
