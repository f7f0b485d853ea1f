"""A model that says again what it said in stored rollouts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Model, Reply, Sampling, StopReason, TokenTrace, ToolSchema
from palestra.core.transcript import function_calls, split_turns
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
            response = decode(file.readline()).get("response")
        output = response.get("output") if isinstance(response, dict) else None
        if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
            message = f"the line of {self.path.name} at byte {offset} has no response with output items"
            raise Failure("model", message, code="script-exhausted")
        replies = [said for said, _ in split_turns(output) if said]
        cut = (response.get("incomplete_details") or {}).get("reason")
        return Repetition(str(response.get("model") or self.name), replies or [[]], cut)

    async def close(self) -> None:
        return


class Repetition:
    """The replies of one stored rollout, call by call; its last is cut again if it was cut then."""

    def __init__(self, name: str, replies: Sequence[Sequence[Item]], cut: StopReason | None) -> None:
        self.name = name
        self.replies = replies
        self.cut: StopReason | None = cut if cut in ("max_output_tokens", "content_filter") else None
        self.said = 0

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        if self.said == len(self.replies):
            raise Failure("model", f"the stored rollout ends after {self.said} replies", code="script-exhausted")
        reply = self.replies[self.said]
        self.said += 1
        if self.cut is not None and self.said == len(self.replies):
            return Reply(tuple(reply), self.cut, self.name)
        return Reply(tuple(reply), "tool_calls" if function_calls(reply) else "stop", self.name)

    async def close(self) -> None:
        return
