"""The Response object of a finished rollout, as every client of the OpenAI Responses API reads it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from palestra.core.model import Item, Usage
from palestra.core.transcript import kind_of

ID_PREFIXES = MappingProxyType({"message": "msg", "function_call": "fc", "reasoning": "rs"})

ECHOED = (
    "instructions", "metadata", "temperature", "top_p", "max_output_tokens", "max_tool_calls", "previous_response_id",
    "prompt", "reasoning", "service_tier", "text", "top_logprobs", "truncation", "user", "background",
)  # fmt: skip
NOTHING_ASKED: Mapping[str, Any] = MappingProxyType(dict.fromkeys(ECHOED))


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
    incomplete = stop_reason if stop_reason in ("max_output_tokens", "content_filter") else None
    return {
        "id": f"resp_{key}",
        "created_at": created_at,
        "object": "response",
        "model": model,
        "status": "incomplete" if incomplete else "completed",
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "output": identified(output, key),
        "parallel_tool_calls": params.get("parallel_tool_calls") is not False,
        "tool_choice": params.get("tool_choice") or "auto",
        "tools": params.get("tools") or [],
        **echoed(params),
        "usage": usage_object(usage),
    }


def echoed(params: dict[str, Any]) -> dict[str, Any]:
    """What a response repeats of its request; null for what was not asked."""
    found = dict(NOTHING_ASKED)
    found.update((name, params[name]) for name in params if name in found)
    return found


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
