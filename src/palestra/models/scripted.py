"""A model that says what a file says: for tests, demonstrations and debugging an environment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeGuard, runtime_checkable

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.core.transcript import assistant_message, function_calls, split_turns
from palestra.models.rules import Rule, RuledModel
from palestra.wire.encoding import decode

ANY_TASK = "*"


@runtime_checkable
class PerRollout(Protocol):
    """A backend whose replies depend on which rollout asks, not only on the conversation."""

    def for_rollout(self, row: Mapping[str, Any], *, task_hash: str, task_index: int, rollout_index: int) -> Model: ...

    async def close(self) -> None: ...


class ScriptedModel:
    """Replies from a JSONL file of `{"task": content hash, row id or "*", "replies": [text or items, ...]}`.

    One reply a model call; the last is repeated. Instead of `replies` a line may have
    `"rules": [{"when": pattern, "reply": text}, ...]`: the first that fits the last user message decides the reply.
    Raises PalestraError if the file cannot be used.
    """

    def __init__(self, scripts: Mapping[str, Sequence[Any]], name: str = "scripted") -> None:
        self.scripts = scripts
        self.name = name

    @classmethod
    def from_file(cls, path: Path) -> "ScriptedModel":
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise PalestraError("missing-file", f"the script {path} cannot be read: {error.strerror}") from error
        return cls(dict(read_script(path, number, line) for number, line in enumerate(lines, 1) if line.strip()))

    def for_rollout(self, row: Mapping[str, Any], *, task_hash: str, task_index: int, rollout_index: int) -> Model:
        row_id = str(row.get("id", row.get("uuid", "")))
        for key in (task_hash, row_id, ANY_TASK):
            if key in self.scripts:
                script = self.scripts[key]
                if is_ruled(script):
                    return RuledModel(self.name, script)
                return Recital(self.name, [as_items(reply) for reply in script])
        raise Failure("model", f"no script for task {task_hash} (id {row_id!r})", code="script-exhausted", fatal=True)

    def for_conversations(self) -> Model:
        """A model for callers that tell nothing but the conversation. Raises PalestraError without a script for "*"."""
        if ANY_TASK not in self.scripts:
            fix = 'Add a line {"task": "*", "replies": [...]}: a conversation does not say which task it is about.'
            raise PalestraError("usage", f'{self.name} has no script for "{ANY_TASK}"', fix=fix)
        script = self.scripts[ANY_TASK]
        if is_ruled(script):
            return RuledModel(self.name, script)
        return ByConversation(self.name, [as_items(reply) for reply in script])

    async def close(self) -> None:
        return


class Recital:
    """Replies said one after the other, to one rollout; the last is repeated."""

    def __init__(self, name: str, replies: Sequence[Sequence[Item]]) -> None:
        self.name = name
        self.replies = replies
        self.said = 0

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        self.said += 1
        return recited(self.name, self.replies, self.said - 1)

    async def close(self) -> None:
        return


class ByConversation:
    """The reply that is due after so many turns of the model, whoever asks: it keeps no state of its own."""

    def __init__(self, name: str, replies: Sequence[Sequence[Item]]) -> None:
        self.name = name
        self.replies = replies

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        return recited(self.name, self.replies, sum(1 for said, _ in split_turns(items) if said))

    async def close(self) -> None:
        return


def recited(name: str, replies: Sequence[Sequence[Item]], number: int) -> Reply:
    """Reply `number`, from 0; the last is repeated."""
    reply = replies[min(number, len(replies) - 1)]
    # Like a real endpoint, no two calls of a rollout get the same id.
    named = tuple(
        {"call_id": f"call_{number}_{position}", **item} if item.get("type") == "function_call" else item
        for position, item in enumerate(reply)
    )
    return Reply(named, "tool_calls" if function_calls(reply) else "stop", name)


def read_script(path: Path, number: int, line: bytes) -> tuple[str, list[Any]]:
    try:
        entry = decode(line)
    except ValueError as error:
        raise PalestraError("invalid-row", f"{path} line {number} is not JSON: {error}") from error
    if isinstance(entry, dict) and "task" in entry and isinstance(entry.get("rules"), list) and entry["rules"]:
        try:
            return str(entry["task"]), [Rule.of(rule) for rule in entry["rules"]]
        except ValueError as error:
            fix = 'A rule is {"when": pattern, "reply": text}; the last one usually has "" as its pattern.'
            raise PalestraError("invalid-row", f"{path} line {number}: {error}", fix=fix) from error
    if not is_script(entry):
        message = f'{path} line {number} must be {{"task": ..., "replies": [at least one]}}, got {line[:100]!r}'
        raise PalestraError("invalid-row", message, fix="A reply is a text, an item, or a list of texts and items.")
    return str(entry["task"]), entry["replies"]


def is_ruled(script: Sequence[Any]) -> TypeGuard[Sequence[Rule]]:
    return isinstance(script[0], Rule)


def is_script(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("task"), str | int):
        return False
    replies = entry.get("replies")
    return isinstance(replies, list) and bool(replies) and all(is_reply(reply) for reply in replies)


def is_reply(reply: Any) -> bool:
    return all(isinstance(entry, str | dict) for entry in (reply if isinstance(reply, list) else [reply]))


def as_items(reply: Any) -> list[Item]:
    """A scripted reply as output items: a text, one item, or a list of items and texts."""
    if isinstance(reply, str):
        return [assistant_message(reply)]
    entries = reply if isinstance(reply, list) else [reply]
    items: list[Item] = []
    for entry in entries:
        if isinstance(entry, str):
            items.append(assistant_message(entry))
        elif entry.get("type") == "function_call":
            items.append({"arguments": "{}", "status": "completed", **entry})
        else:
            items.append(entry)
    return items
