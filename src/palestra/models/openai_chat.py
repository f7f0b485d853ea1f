"""The Chat Completions API: what is sent and what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from palestra.core.errors import Failure
from palestra.core.model import Item, Reply, Sampling, StopReason, ToolSchema, Usage
from palestra.wire.chat import items_from_message, messages_from_items
from palestra.wire.chat_tools import tools_for_chat
from palestra.wire.decoded import as_list, as_object, count, given, member
from palestra.wire.encoding import decode

RESPONSES_ONLY = (
    *("background", "conversation", "include", "input", "instructions", "max_tool_calls", "previous_response_id"),
    *("prompt", "reasoning", "stream", "text", "truncation"),
)
"""Parameters that Chat Completions has not, or has under another name."""

CARRIED = ("extra_body", "chat_template_kwargs")
"""What NeMo Gym's rows carry as JSON text in `metadata`, where its Responses parameters have no room."""

CUT_OFF = ("abort", "error")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between endpoints of the same API."""

    is_openai: bool = False
    token_ids: bool = False


def chat_request(
    model: str, items: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling, dialect: Dialect
) -> dict[str, Any]:
    messages = messages_from_items(
        items,
        instructions=sampling.extra.get("instructions"),
        # Chat templates of open models know no developer.
        developer_as_system=not dialect.is_openai,
        token_ids=dialect.token_ids,
    )
    asked = _extras(sampling.extra, with_tools=bool(tools))
    if sampling.temperature is not None:
        asked["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        asked["top_p"] = sampling.top_p
    if sampling.seed is not None:
        asked["seed"] = sampling.seed
    if sampling.max_output_tokens is not None:
        asked["max_completion_tokens" if dialect.is_openai else "max_tokens"] = sampling.max_output_tokens
    if tools:
        asked["tools"] = tools_for_chat(tools)
    asked["model"] = model
    asked["messages"] = messages
    if dialect.token_ids:
        asked |= {"logprobs": True, "return_tokens_as_token_ids": True, "return_token_ids": True}
    return asked


def chat_reply(document: Any, model: str, before: Sequence[Item], with_logprobs: bool) -> Reply:
    """The reply in a chat completion; ValueError if there is none."""
    completion = as_object(document, "the body")
    if completion.get("error"):
        raise ValueError("it carries an error")
    choice = first_choice(completion)
    items = items_from_message(as_object(choice.get("message"), "the message"), before)
    if with_logprobs:
        items = [_with_logprobs(item, choice) for item in items]
    reason = _stop_reason(choice.get("finish_reason"), items)
    return Reply(tuple(items), reason, str(completion.get("model") or model), _usage(completion.get("usage")))


def first_choice(completion: dict[str, Any]) -> dict[str, Any]:
    choices = as_list(completion.get("choices"), "choices")
    if not choices:
        raise ValueError("choices is empty")
    return as_object(choices[0], "the first choice")


def wants_logprobs(sampling: Sampling) -> bool:
    return bool(sampling.extra.get("logprobs")) or sampling.extra.get("top_logprobs") is not None


def _extras(extra: Any, *, with_tools: bool) -> dict[str, Any]:
    """The further parameters under the names that Chat Completions has for them."""
    if not extra:
        return {}
    asked = given(dict(extra))
    named = {key: value for key, value in asked.items() if key not in RESPONSES_ONLY}
    named |= given(
        {
            "reasoning_effort": member(asked.get("reasoning"), "effort"),
            "response_format": _response_format(member(asked.get("text"), "format")),
            "verbosity": member(asked.get("text"), "verbosity"),
        }
    )
    if "top_logprobs" in named:
        named["logprobs"] = True
    if with_tools:
        named |= given({"tool_choice": _tool_choice(named.get("tool_choice"))})
    else:
        named = {key: value for key, value in named.items() if key not in ("tool_choice", "parallel_tool_calls")}
    return _unpacked(named)


def _tool_choice(choice: Any) -> Any:
    if member(choice, "type") == "function" and member(choice, "name") is not None:
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _response_format(text_format: Any) -> dict[str, Any] | None:
    kind = member(text_format, "type")
    if kind == "json_schema" and member(text_format, "schema") is not None:
        schema = {key: text_format.get(key) for key in ("name", "description", "schema", "strict")}
        return {"type": "json_schema", "json_schema": given(schema)}
    return text_format if kind not in (None, "text") else None


def _unpacked(named: dict[str, Any]) -> dict[str, Any]:
    """With `metadata.extra_body` and `metadata.chat_template_kwargs` in their places, under what is given by name."""
    metadata = named.get("metadata")
    if not isinstance(metadata, dict) or not any(key in metadata for key in CARRIED):
        return named
    rest = {key: value for key, value in as_object(metadata, "metadata").items() if key not in CARRIED}
    kwargs = _carried(metadata, "chat_template_kwargs")
    under = _carried(metadata, "extra_body") | ({"chat_template_kwargs": kwargs} if kwargs else {})
    return (
        under | {key: value for key, value in named.items() if key != "metadata"} | ({"metadata": rest} if rest else {})
    )


def _carried(metadata: Any, key: str) -> dict[str, Any]:
    try:
        value = member(metadata, key)
        return as_object(decode(value) if isinstance(value, str) else value or {}, key)
    except ValueError as error:
        raise Failure("model", f"metadata.{key}: {error}", code="model-rejected-request") from None


def _with_logprobs(item: Item, choice: dict[str, Any]) -> Item:
    logprobs = member(choice.get("logprobs"), "content")
    if item.get("type") != "message" or not logprobs:
        return item
    first, *others = item["content"]
    return {**item, "content": [{**first, "logprobs": logprobs}, *others]}


def _stop_reason(finish_reason: Any, items: Sequence[Item]) -> StopReason:
    if finish_reason in CUT_OFF:
        raise ValueError(f"finish_reason is {finish_reason!r}")
    if finish_reason == "length":
        return "max_output_tokens"
    if finish_reason == "content_filter":
        return "content_filter"
    # What the model calls comes last.
    return "tool_calls" if items[-1]["type"] == "function_call" else "stop"


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    told = cast("dict[str, Any]", usage)
    return Usage(
        count(told.get("prompt_tokens")),
        count(told.get("completion_tokens")),
        count(member(told.get("prompt_tokens_details"), "cached_tokens")),
        count(member(told.get("completion_tokens_details"), "reasoning_tokens")),
    )
