"""One frozen row of a dataset: the fields a verifier needs, and everything else the row carried."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

BOOKKEEPING = frozenset(
    {"agent_ref", "palestra", "_ng_task_index", "_ng_rollout_index", "_ng_attempt_index", "_ng_rollout_id", "_rowidx"}
)
"""Fields that say where a row goes or where it came from; they are not part of what the task is."""

Value = TypeVar("Value")
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class Task(BaseModel):
    """Base of an environment's task: declare the fields that `prompt` and `verify` need.

    Unknown fields are kept, so that a rollout carries the whole row.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Task":
        """The row as a task, without its bookkeeping. Raises pydantic.ValidationError."""
        return cls.model_validate(content_of(row))

    def to_row(self) -> dict[str, Any]:
        """The row again: fields the row did not have and that hold their default are left out."""
        return self.model_dump(mode="json", exclude_unset=True)


def asked(value: Value | None, name: str) -> Value:
    """A field that the prompt is made of. Raises ValueError if the row lacks it and does not bring its own prompt.

    `name` is how the message calls the field, with its article.
    """
    if not value:
        raise ValueError(f"the row has neither {name} nor responses_create_params")
    return value


def content_of(row: Mapping[str, Any], without: frozenset[str] = BOOKKEEPING) -> dict[str, Any]:
    """The row without its bookkeeping."""
    # Few rows have any, and a copy costs a fraction of choosing.
    return dict(row) if without.isdisjoint(row) else {name: row[name] for name in row if name not in without}


def content_hash(row: Mapping[str, Any]) -> str:
    """The identity of a task: SHA-256 of its content as canonical JSON, as 32 hex digits.

    Key order and bookkeeping do not count, so the same row has the same hash in any file.
    """
    return hashlib.sha256(CANONICAL.encode(content_of(row)).encode()).hexdigest()[:32]
