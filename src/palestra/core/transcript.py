"""One conversation as the verifier reads it."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast, overload

from palestra.core.model import Item

Value = TypeVar("Value")

ENV_STATE = "is_env_state"
"""The mark of a message that shows the whole state of an environment; a later one takes its place."""


class once(Generic[Value]):  # noqa: N801 - used as a decorator
    """functools.cached_property without the lock that it has until Python 3.12, which costs more than most values."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "once[Value]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> "once[Value] | Value":
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.compute(instance)
        return value


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call: what the model asked for and what it got back (`None` if it was never answered)."""

    name: str
    arguments: str
    output: str | None = None

    def parsed(self) -> dict[str, Any] | None:
        """The arguments as an object, or None if they are not one. No text at all is an empty object, as for tools."""
        try:
            value = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None


@dataclass(frozen=True)
class Transcript:
    """The items of one conversation, what the model was given and what came after.

    `output` holds everything after the prompt: the model's items, tool outputs, and messages that the environment
    spoke in between. Reasoning items never count as reply text.
    """

    prompt: tuple[Item, ...]
    output: tuple[Item, ...]
    step_rewards: tuple[float, ...] = ()
    """What `step` returned as reward, one entry a model call that had one."""

    @once
    def reply(self) -> str:
        """The text of the last assistant message; empty if there is none."""
        for item in reversed(self.output):
            if is_assistant_message(item):
                return item_text(item)
        return ""

    @once
    def text(self) -> str:
        """The text of all assistant messages, joined without separator (the Responses API's `output_text`)."""
        return "".join(item_text(item) for item in self.output if is_assistant_message(item))

    @once
    def calls(self) -> tuple[Call, ...]:
        """All tool calls in order, each with its output. Where calls share an id, outputs go to them in order."""
        outputs: dict[str, deque[str]] = {}
        for item in self.output:
            if item.get("type") == "function_call_output":
                outputs.setdefault(str(item.get("call_id")), deque()).append(output_text(item))
        found: list[Call] = []
        for item in function_calls(self.output):
            own = outputs.get(str(item.get("call_id")))
            output = own.popleft() if own else None
            found.append(Call(str(item.get("name") or ""), argument_text(item), output))
        return tuple(found)

    def calls_of(self, name: str) -> tuple[Call, ...]:
        """The calls of one tool, in order."""
        return tuple(call for call in self.calls if call.name == name)


def kind_of(item: Item) -> str:
    """The item's type; what has none is a message, as in the API's own easy input messages."""
    kind = item.get("type")
    return "message" if kind is None else str(kind)


def is_assistant_message(item: Item) -> bool:
    return item.get("role") == "assistant" and kind_of(item) == "message"


def item_text(item: Item) -> str:
    """The text of a message, whether its content is a string or a list of parts. Refusals are not text."""
    return content_text(item.get("content"))


def content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = cast("list[dict[str, Any]]", [part for part in cast("list[Any]", content) if isinstance(part, dict)])
    texts = [part.get("text") for part in parts]
    return "".join([text for text in texts if isinstance(text, str)])


def argument_text(item: Item) -> str:
    """The arguments of a function call as JSON text; some backends send an object instead."""
    arguments = item.get("arguments")
    return arguments if isinstance(arguments, str) else json.dumps(arguments if arguments is not None else {})


def output_text(item: Item) -> str:
    """The output of a function call as the model reads it."""
    output = item.get("output")
    return content_text(output) if output is None or isinstance(output, str | list) else json.dumps(output)


def assistant_message(text: str) -> Item:
    """A Responses output message; the rollout record gives it an id that derives from the rollout's key."""
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def user_message(text: str) -> Item:
    return {"type": "message", "role": "user", "content": text}


def function_calls(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.get("type") == "function_call"]


def is_from_model(item: Item) -> bool:
    """Whether a model wrote the item; tool outputs and messages of other roles come from the environment."""
    kind = kind_of(item)
    return item.get("role") == "assistant" if kind == "message" else not kind.endswith("_output")


def split_turns(output: Sequence[Item]) -> list[tuple[list[Item], list[Item]]]:
    """Output items as (what the model wrote in one call, what came back) pairs, in order."""
    turns: list[tuple[list[Item], list[Item]]] = []
    for item in output:
        from_model = is_from_model(item)
        if not turns or (from_model and turns[-1][1]):
            turns.append(([], []))
        turns[-1][0 if from_model else 1].append(item)
    return turns
