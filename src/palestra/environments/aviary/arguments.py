"""What a model wrote as arguments of a call, against the schema of the tool."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from palestra.core.errors import describe
from palestra.core.model import Item
from palestra.core.tools import ARGUMENTS, MAX_ARGUMENT_CHARACTERS
from palestra.core.transcript import argument_text

KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "array": (list,),
        "list": (list,),
        "object": (dict,),
        "null": (type(None),),
    }
)


class NotJson(ValueError):
    """The arguments of a call are no JSON."""


def read_arguments(call: Item) -> Any:
    """The arguments as JSON. Raises NotJson, and ValueError for what is JSON and still cannot be used."""
    text = argument_text(call)
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise ValueError(f"Invalid tool call arguments: {len(text)} characters, at most {MAX_ARGUMENT_CHARACTERS}")
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(describe(error)) from error
    try:
        return ARGUMENTS.decode(text)
    except ValueError as error:
        raise ValueError(f"Invalid tool call arguments: {describe(error)}") from error


def fitted(parameters: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    """The arguments as the tool can take them: a number where a text is expected becomes one.

    Raises ValueError with a text for the model if one is missing, unknown or of another type.
    """
    if not isinstance(arguments, dict):
        raise ValueError(f"Invalid tool call arguments: expected a JSON object, got {type(arguments).__name__}")
    properties: Mapping[str, Any] = parameters.get("properties") or {}
    missing = [name for name in parameters.get("required") or () if name not in arguments]
    unknown = [name for name in arguments if name not in properties]
    if missing or unknown:
        problems = [f"{name}: is missing" for name in missing] + [f"{name[:80]}: is not known" for name in unknown]
        raise ValueError(f"Invalid tool call arguments: {'; '.join(problems[:5])}")
    return {name: one_fitted(name, properties[name], value) for name, value in arguments.items()}


def one_fitted(name: str, schema: Mapping[str, Any], value: Any) -> Any:
    kind = schema.get("type")
    expected = KINDS.get(kind) if isinstance(kind, str) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "string" and is_number:
        return str(value)
    if expected is None or (isinstance(value, expected) and (kind == "boolean" or not isinstance(value, bool))):
        return value
    raise ValueError(f"Invalid tool call arguments: {name} must be of type {kind}, got {str(value)[:80]!r}")
