"""The Responses API: what is sent and what comes back."""

from collections.abc import Sequence
from typing import Any, cast

from palestra.core.model import Item, Reply, Sampling, StopReason, ToolSchema, Usage
from palestra.core.transcript import ENV_STATE, assistant_message, function_calls
from palestra.wire.decoded import as_object, as_objects, count, given, member
from palestra.wire.tokens import TOKEN_FIELDS

NOT_SENT = ("stream", "background", "logprobs")
"""The first two would make the answer something else than a reply; the third is asked for through `include`."""

PRIVATE_FIELDS = (*TOKEN_FIELDS, "routed_experts", ENV_STATE)
LOGPROBS = "message.output_text.logprobs"


def responses_request(
    model: str, items: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling
) -> dict[str, Any]:
    extra = {key: value for key, value in given(dict(sampling.extra)).items() if key not in NOT_SENT}
    if sampling.extra.get("logprobs") or sampling.extra.get("top_logprobs") is not None:
        asked = extra.get("include")
        extra["include"] = [*(asked if isinstance(asked, list) else []), LOGPROBS]
    body = given(
        {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_output_tokens": sampling.max_output_tokens,
            "tools": list(tools) or None,
        }
    )
    return {**extra, **body, "model": model, "input": [_sendable(item) for item in items]}


def responses_reply(document: Any, model: str) -> Reply:
    """The reply in a response object; ValueError if there is none."""
    response = as_object(document, "the body")
    if response.get("error"):
        raise ValueError("it carries an error")
    if response.get("status") not in (None, "completed", "incomplete"):
        raise ValueError(f"its status is {response['status']!r}")
    items = as_objects(response.get("output"), "output")
    if any(not isinstance(item.get("type"), str) for item in items):
        raise ValueError("an output item has no type")
    # A model that ends at once has said nothing, which is an answer like any other.
    items = items or [assistant_message("")]
    return Reply(tuple(items), _stop_reason(response, items), str(response.get("model") or model), _usage(response))


def _sendable(item: Item) -> Item:
    """The item as the API accepts it: no nulls, nothing that only a trainer reads."""
    clean = {key: value for key, value in _without_nulls(item).items() if key not in PRIVATE_FIELDS}
    if clean.get("type") == "function_call" and not str(clean.get("id", "")).startswith("fc"):
        # Other backends use the call id here; OpenAI refuses it and does not need any.
        clean.pop("id", None)
    return clean


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        return {key: _without_nulls(entry) for key, entry in entries if entry is not None}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in cast("list[Any]", value)]
    return value


def _stop_reason(response: dict[str, Any], items: Sequence[Item]) -> StopReason:
    if response.get("status") == "incomplete" or response.get("incomplete_details"):
        reason = member(response.get("incomplete_details"), "reason")
        return "content_filter" if reason == "content_filter" else "max_output_tokens"
    return "tool_calls" if function_calls(items) else "stop"


def _usage(response: dict[str, Any]) -> Usage:
    usage = response.get("usage")
    return Usage(
        count(member(usage, "input_tokens")),
        count(member(usage, "output_tokens")),
        count(member(member(usage, "input_tokens_details"), "cached_tokens")),
        count(member(member(usage, "output_tokens_details"), "reasoning_tokens")),
    )
