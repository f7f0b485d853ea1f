"""Function tools as Chat Completions nests them, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from palestra.core.errors import Failure
from palestra.core.model import ToolSchema
from palestra.wire.decoded import as_object, given


def tools_for_chat(tools: Sequence[ToolSchema]) -> list[dict[str, Any]]:
    """Function tools in the nested shape; `strict` is left out, as few endpoints know it."""
    if other := next((tool for tool in tools if tool.get("type", "function") != "function"), None):
        raise rejected(f"a tool of type {other.get('type')!r}")
    keys = ("name", "description", "parameters")
    return [{"type": "function", "function": given({key: tool.get(key) for key in keys})} for tool in tools]


def tools_from_chat(tools: Sequence[Mapping[str, Any]]) -> list[ToolSchema]:
    """Function tools from the nested shape. ValueError if one is malformed."""
    functions = [as_object(tool.get("function"), "the function of a tool") for tool in tools]
    if other := next((tool for tool in tools if tool.get("type", "function") != "function"), None):
        raise ValueError(f"a tool is of type {other.get('type')!r}")
    keys = ("name", "description", "parameters", "strict")
    return [{"type": "function", **given({key: function.get(key) for key in keys})} for function in functions]


def rejected(what: str) -> Failure:
    return Failure("model", f"Chat Completions has no place for {what}", code="model-rejected-request")
