"""A model that says again what it said in stored rollouts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Model
from palestra.core.transcript import split_turns
from palestra.models.scripted import Recital
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
                return Recital(*self.read(self.offsets[key]))
        message = f"{self.path.name} has no rollout {rollout_index} of task {task_index} ({task_hash})"
        raise Failure("model", message, code="script-exhausted")

    def read(self, offset: int) -> tuple[str, list[list[Any]]]:
        with self.path.open("rb") as file:
            file.seek(offset)
            response = decode(file.readline()).get("response") or {}
        replies = [said for said, _ in split_turns(response.get("output") or []) if said]
        return str(response.get("model") or self.name), replies or [[]]

    async def close(self) -> None:
        return
