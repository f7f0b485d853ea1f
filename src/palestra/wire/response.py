"""The Response object of a finished rollout, as every client of the OpenAI Responses API reads it."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from palestra.core.model import Item, Usage
from palestra.core.transcript import kind_of

ID_PREFIXES = MappingProxyType({"message": "msg", "function_call": "fc", "reasoning": "rs"})

ECHOED = (
    "instructions", "metadata", "temperature", "top_p", "max_output_tokens", "max_tool_calls", "previous_response_id",
    "prompt", "reasoning", "service_tier", "text", "top_logprobs", "truncation", "user", "background",
)  # fmt: skip
BLANK = MappingProxyType(
    {
        "id": "",
        "created_at": 0,
        "object": "response",
        "model": "",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": (),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": (),
        **dict.fromkeys(ECHOED),
        "usage": None,
    }
)
"""A response to a request that asked for nothing: its fields in their order. A copy costs less than making it anew."""


def response_object(
    *,
    key: str,
    model: str,
    created_at: int,
    output: Sequence[Item],
    stop_reason: str,
    usage: Usage,
    params: dict[str, Any],
) -> dict[str, Any]:
    """The last response with the output of the whole rollout. Ids that are missing derive from the rollout's key."""
    response: dict[str, Any] = BLANK.copy()
    for name, value in params.items():
        if name in ECHOED:
            response[name] = value
    response["id"] = f"resp_{key}"
    response["created_at"] = created_at
    response["model"] = model
    if stop_reason in ("max_output_tokens", "content_filter"):
        response["status"] = "incomplete"
        response["incomplete_details"] = {"reason": stop_reason}
    response["output"] = identified(output, key)
    response["parallel_tool_calls"] = params.get("parallel_tool_calls") is not False
    response["tool_choice"] = params.get("tool_choice") or "auto"
    response["tools"] = params.get("tools") or []
    response["usage"] = usage_object(usage)
    return response


def identified(items: Sequence[Item], key: str) -> list[Item]:
    """The items, each with an id."""
    return [
        item
        if item.get("id") or item.get("type") == "function_call_output"
        else {**item, "id": f"{ID_PREFIXES.get(kind_of(item), 'item')}_{key}_{position}"}
        for position, item in enumerate(items)
    ]


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
