"""Responses items as Chat Completions messages, and back."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Literal, TypeAlias, cast

from palestra.core.model import Item
from palestra.core.transcript import argument_text, assistant_message, content_text, is_assistant_message
from palestra.wire.chat_tools import rejected
from palestra.wire.decoded import as_object, as_objects, given, member
from palestra.wire.thinking import split_thinking
from palestra.wire.tokens import TOKEN_FIELDS

Message: TypeAlias = dict[str, Any]
"""One Chat Completions message."""

Reasoning: TypeAlias = Literal["inline", "field", "drop"]
"""Where reasoning goes: `<think>` before the text, which every endpoint and template keeps, the field
`reasoning_content`, which some templates render, or nowhere."""

TEXT_PARTS = ("input_text", "output_text", "text")


def messages_from_items(
    items: Sequence[Item],
    *,
    instructions: str | None = None,
    developer_as_system: bool = False,
    token_ids: bool = False,
    reasoning: Reasoning = "inline",
) -> list[Message]:
    """The conversation as Chat Completions takes it; Failure `model-rejected-request` if it has no place there.

    What the model said between two messages of others (reasoning, text, calls) becomes one assistant message.
    `token_ids` keeps the token ids that items carry.
    """
    first = content_text(instructions)
    system = [first] if first else []
    messages: list[Message] = []
    said: list[Item] = []
    is_leading = True
    for item in items:
        if is_leading and _is_instruction(item):
            if text := content_text(item.get("content")):
                system.append(text)
            continue
        is_leading = False
        if _is_models(item):
            said.append(item)
            continue
        if said:
            messages += _turn(said, token_ids, reasoning)
            said = []
        message = _message(item)
        if developer_as_system and message["role"] == "developer":
            message["role"] = "system"
        messages.append(message)
    if said:
        messages += _turn(said, token_ids, reasoning)
    return [{"role": "system", "content": "\n\n".join(system)}, *messages] if system else messages


def items_from_messages(messages: Sequence[Message]) -> list[Item]:
    """A conversation of Chat Completions messages as items. ValueError if a message is malformed."""
    items: list[Item] = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role == "assistant":
            items += items_from_message(message)
        elif role == "tool":
            call_id = str(message.get("tool_call_id") or "")
            items.append({"type": "function_call_output", "call_id": call_id, "output": content_text(content)})
        elif role in ("user", "system", "developer"):
            items.append({"type": "message", "role": role, "content": _input_content(content)})
        else:
            raise ValueError(f"a message has the role {role!r}")
    return items


def items_from_message(message: Message, before: Sequence[Item] = ()) -> list[Item]:
    """What an assistant message says, as items: reasoning, message, function calls. ValueError if it is malformed.

    `before` is the conversation so far: a call id that is missing or used in it is replaced by a new one.
    """
    thoughts, text = _thoughts_and_text(message)
    calls = _function_calls(message, before) if message.get("tool_calls") else []
    items: list[Item] = [_reasoning(thoughts)] if thoughts else []
    refusal = message.get("refusal")
    if text.strip() or refusal or not (thoughts or calls):
        items.append(_output_message(text, refusal))
    return items + calls


def _kind(item: Item) -> str:
    return str(item.get("type") or ("message" if "role" in item else "without type"))


def _is_models(item: Item) -> bool:
    return item.get("type") in ("reasoning", "function_call") or is_assistant_message(item)


def _is_instruction(item: Item) -> bool:
    if item.get("role") not in ("system", "developer") or _kind(item) != "message":
        return False
    content = item.get("content")
    return (
        content is None or isinstance(content, str) or all(part.get("type") in TEXT_PARTS for part in _parts(content))
    )


def _message(item: Item) -> Message:
    kind = _kind(item)
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": str(item.get("call_id")), "content": _content(item.get("output"))}
    if kind != "message" or item.get("role") not in ("user", "system", "developer"):
        raise rejected(f"a {item.get('role')!r} message" if kind == "message" else f"an item of type {kind!r}")
    content = item.get("content")
    if not isinstance(content, str):
        content = content_text(content) if _is_instruction(item) else _content(content)
    return {"role": item["role"], "content": content}


def _turn(items: list[Item], token_ids: bool, reasoning: Reasoning) -> list[Message]:
    """The one assistant message that these items make; none if they say nothing."""
    thoughts = "".join(text for item in items for text in _thoughts(item)) if reasoning == "field" else ""
    content = "".join(_said(item, reasoning) for item in items)
    calls = [_tool_call(item) for item in items if _kind(item) == "function_call"]
    if not content and not calls and not any(_kind(item) == "message" for item in items):
        return []
    message: Message = {"role": "assistant", "content": content or (None if calls else "")}
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = calls
    carrier = next((item for item in reversed(items) if all(item.get(key) for key in TOKEN_FIELDS)), None)
    if token_ids and carrier is not None:
        message |= {key: carrier[key] for key in TOKEN_FIELDS}
    return [message]


def _thoughts(item: Item) -> list[str]:
    return _reasoning_texts(item) if _kind(item) == "reasoning" else []


def _said(item: Item, reasoning: Reasoning) -> str:
    if _kind(item) == "reasoning":
        return "".join(f"<think>{text}</think>" for text in _reasoning_texts(item)) if reasoning == "inline" else ""
    return _assistant_text(item.get("content")) if _kind(item) == "message" else ""


def _reasoning_texts(item: Item) -> list[str]:
    """The reasoning itself where the endpoint shows it, else its summary."""
    for key in ("content", "summary"):
        texts = [part["text"] for part in _parts(item.get(key) or []) if isinstance(part.get("text"), str)]
        if any(texts):
            return [text for text in texts if text]
    return []


def _assistant_text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_assistant_part(part) for part in _parts(content))


def _assistant_part(part: dict[str, Any]) -> str:
    # The model should see that it refused, and every endpoint can show it text.
    if part.get("type") == "refusal":
        return str(part.get("refusal") or "")
    if part.get("type") in TEXT_PARTS:
        return str(part.get("text") or "")
    raise rejected(f"a part of type {part.get('type')!r} in an assistant message")


def _tool_call(item: Item) -> dict[str, Any]:
    function = {"name": str(item.get("name") or ""), "arguments": argument_text(item)}
    return {"id": str(item.get("call_id")), "type": "function", "function": function}


def _content(content: Any) -> str | list[dict[str, Any]]:
    """Instructions and single texts as a string, which every endpoint takes; anything else as parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_part(part) for part in _parts(content)]
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _parts(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise rejected(f"content of type {type(content).__name__}")
    parts = cast("list[Any]", content)
    if other := next((part for part in parts if not isinstance(part, dict)), None):
        raise rejected(f"a part that is a {type(other).__name__}")
    return parts


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in TEXT_PARTS:
        return {"type": "text", "text": str(part.get("text") or "")}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": given({"url": part["image_url"], "detail": part.get("detail")})}
    raise rejected(f"a part of type {kind!r}" + (" without image_url" if kind == "input_image" else ""))


def _input_content(content: Any) -> str | list[dict[str, Any]]:
    if content is None or isinstance(content, str):
        return content or ""
    return [_input_part(part) for part in as_objects(content, "content")]


def _input_part(part: dict[str, Any]) -> dict[str, Any]:
    kind, text, url = part.get("type"), part.get("text"), member(part.get("image_url"), "url")
    if kind in TEXT_PARTS and isinstance(text, str):
        return {"type": "input_text", "text": text}
    if kind == "image_url" and isinstance(url, str):
        return {"type": "input_image", **given({"image_url": url, "detail": member(part["image_url"], "detail")})}
    raise ValueError(f"a part of type {kind!r} is not one of text and image_url")


def _thoughts_and_text(message: Message) -> tuple[list[str], str]:
    shown = message.get("reasoning_content") or message.get("reasoning")
    thoughts = [shown] if isinstance(shown, str) and shown.strip() else []
    content = message.get("content")
    if isinstance(content, list):
        parts = as_objects(cast("Any", content), "content")
        thoughts += [text for part in parts if part.get("type") == "thinking" for text in _texts(part.get("thinking"))]
        content = "".join(text for part in parts if part.get("type") in TEXT_PARTS for text in _texts(part.get("text")))
    if content is not None and not isinstance(content, str):
        raise ValueError("content is neither text nor a list of parts")
    more, text = split_thinking(content or "")
    return thoughts + more, text


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for part in cast("list[Any]", value) for text in _texts(member(part, "text"))]
    return [value] if isinstance(value, str) and value else []


def _reasoning(thoughts: Iterable[str]) -> Item:
    summary = [{"type": "summary_text", "text": thought} for thought in thoughts]
    return {"type": "reasoning", "summary": summary}


def _output_message(text: str, refusal: Any) -> Item:
    message = assistant_message(text)
    if refusal:
        told: list[Any] = message["content"] if text else []
        message["content"] = [*told, {"type": "refusal", "refusal": str(refusal)}]
    return message


def _function_calls(message: Message, before: Sequence[Item]) -> list[Item]:
    calls = as_objects(message["tool_calls"], "tool_calls")
    ids = _call_ids([call.get("id") for call in calls], before)
    return [_function_call(call, call_id) for call, call_id in zip(calls, ids, strict=True)]


def _call_ids(proposed: Sequence[Any], before: Sequence[Item]) -> Iterator[str]:
    """Ids as proposed, but never one twice: some endpoints give none, or count from 0 again in each reply."""
    taken = {str(item.get("call_id")) for item in before}
    fresh = (name for number in count(len(before)) if (name := f"call_{number}") not in taken)
    for each in proposed:
        chosen = each if isinstance(each, str) and each and each not in taken else next(fresh)
        taken.add(chosen)
        yield chosen


def _function_call(call: dict[str, Any], call_id: str) -> Item:
    function = as_object(call.get("function"), "the function of a tool call")
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        raise ValueError("a tool call has no name")
    return {
        "type": "function_call",
        "id": call_id,
        "call_id": call_id,
        "name": name,
        # A function without parameters is called with "" or null by some endpoints.
        "arguments": arguments
        if isinstance(arguments, str) and arguments
        else json.dumps(arguments or {}, ensure_ascii=False),
        "status": "completed",
    }
