"""The shapes in which datasets hold a conversation, each as items of the Responses API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from palestra.core.model import Item, ToolSchema
from palestra.core.transcript import is_assistant_message, item_text, user_message
from palestra.data.adapters.values import from_json, text
from palestra.wire.chat import items_from_messages
from palestra.wire.chat_tools import tools_from_chat

ROLES = MappingProxyType(
    {
        "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant",
        "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "system": "system", "tool": "tool",
        "observation": "tool", "function_response": "tool", "function_call": "call",
    }
)  # fmt: skip
"""What ShareGPT files call the speakers."""
SIMPLE_TYPES = MappingProxyType(
    {
        "str": "string", "string": "string", "int": "integer", "integer": "integer", "float": "number",
        "number": "number", "bool": "boolean", "boolean": "boolean", "list": "array", "array": "array",
        "dict": "object", "object": "object", "set": "array", "tuple": "array",
    }
)  # fmt: skip
"""Python's names of types, which xLAM files use, in JSON Schema."""


@dataclass(slots=True)
class Conversation:
    """What a row of some shape says."""

    items: list[Item]
    tools: list[ToolSchema] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    """What the shape knows beside the prompt, such as the calls that are expected."""


def chat(columns: Mapping[str, Any]) -> Conversation:
    messages = listed(columns["messages"], "messages")
    tools = from_json(columns.get("tools")) or []
    return Conversation(without_ids(items_from_messages(messages)), tools_from_chat([nested(tool) for tool in tools]))


def nested(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool as Chat Completions nests it, whether it was nested already or not."""
    if "function" in tool:
        return tool
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}


def sharegpt(columns: Mapping[str, Any]) -> Conversation:
    messages: list[dict[str, Any]] = []
    calls = 0
    for turn in listed(columns["conversations"], "conversations"):
        speaker, said = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
        role = ROLES.get(str(speaker).lower())
        if role is None or not isinstance(said, str):
            raise ValueError(f"a turn of {speaker!r} with {type(said).__name__} is none of ShareGPT's")
        if role == "call":
            calls += 1
            messages.append(call_message(from_json(said), f"call_{calls}"))
        else:
            extra = {"tool_call_id": f"call_{calls}"} if role == "tool" else {}
            messages.append({"role": role, "content": said, **extra})
    if system := columns.get("system"):
        messages.insert(0, {"role": "system", "content": str(system)})
    tools = from_json(columns.get("tools")) or []
    return Conversation(without_ids(items_from_messages(messages)), tools_from_chat([nested(tool) for tool in tools]))


def call_message(call: Any, call_id: str) -> dict[str, Any]:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise ValueError(f"a function_call must be an object with a name, got {str(call)[:80]!r}")
    arguments = call.get("arguments", {})
    function = {"name": call["name"], "arguments": arguments if isinstance(arguments, str) else text(arguments)}
    made = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [made]}


def alpaca(columns: Mapping[str, Any]) -> Conversation:
    asked, more = columns["instruction"], columns.get("input")
    if not isinstance(asked, str):
        raise ValueError(f"instruction must be a text, got {type(asked).__name__}")
    items = [user_message(f"{asked}\n\n{more}" if more else asked)]
    if system := columns.get("system"):
        items.insert(0, {"type": "message", "role": "system", "content": str(system)})
    output = columns.get("output")
    answer = [] if output is None else items_from_messages([{"role": "assistant", "content": str(output)}])
    return Conversation(without_ids([*items, *answer]))


def xlam(columns: Mapping[str, Any]) -> Conversation:
    tools = [xlam_tool(tool) for tool in listed(from_json(columns["tools"]), "tools")]
    answers = listed(from_json(columns["answers"]), "answers")
    return Conversation([user_message(str(columns["query"]))], tools, {"expected_answers": answers})


def xlam_tool(tool: Mapping[str, Any]) -> ToolSchema:
    """A function as xLAM files declare it: parameters by name, each with the name of a Python type."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, given in (tool.get("parameters") or {}).items():
        words = str(given.get("type", "str"))
        kind = words.partition(",")[0].partition("[")[0].strip().lower()
        described = {"type": SIMPLE_TYPES[kind]} if kind in SIMPLE_TYPES else {}
        properties[name] = {**described, "description": given.get("description", "")}
        if "default" in given:
            properties[name]["default"] = given["default"]
        elif "optional" not in words.lower():
            required.append(name)
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "name": tool["name"], "description": tool.get("description", ""), "parameters": schema}


def dpo(columns: Mapping[str, Any]) -> Conversation:
    """A prompt with a better and a worse reply. Without a prompt it is what both conversations begin with."""
    chosen, rejected, prompt = columns["chosen"], columns["rejected"], columns.get("prompt")
    if prompt is None:
        both = listed(chosen, "chosen"), listed(rejected, "rejected")
        same = next((at for at, pair in enumerate(zip(*both, strict=False)) if pair[0] != pair[1]), min(map(len, both)))
        prompt, chosen, rejected = both[0][:same], both[0][same:], both[1][same:]
    items = [user_message(prompt)] if isinstance(prompt, str) else items_from_messages(listed(prompt, "prompt"))
    return Conversation(without_ids(items), fields={"chosen": chosen, "rejected": rejected})


def listed(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        raise ValueError(f"{name} must be a list of objects that is not empty, got {str(value)[:80]!r}")
    return value


def without_ids(items: list[Item]) -> list[Item]:
    """Ids are made up anew each time; the same file must give the same rows."""
    return [{name: value for name, value in item.items() if name != "id"} for item in items]


def split_answer(items: list[Item]) -> tuple[list[Item], str | None]:
    """The conversation without the assistant's last words, and those words."""
    if items and is_assistant_message(items[-1]):
        return items[:-1], item_text(items[-1])
    return items, None


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape and the columns that it reads."""

    read: Callable[[Mapping[str, Any]], Conversation]
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    answer: str | None = None
    """The field of the assistant's last words, if the mapping names none."""


SHAPES = MappingProxyType(
    {
        "chat": Shape(chat, ("messages",), ("tools",), "reference_answer"),
        "sharegpt": Shape(sharegpt, ("conversations",), ("system", "tools"), "reference_answer"),
        "alpaca": Shape(alpaca, ("instruction",), ("input", "output", "system"), "reference_answer"),
        "xlam": Shape(xlam, ("query", "tools", "answers")),
        "dpo": Shape(dpo, ("chosen", "rejected"), ("prompt",)),
    }
)
