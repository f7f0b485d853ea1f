"""What an agent sends to a resources server: rows, tool arguments and responses, with everything they must have."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from palestra.core.errors import describe
from palestra.core.model import Item, Usage
from palestra.core.tools import MAX_ARGUMENT_CHARACTERS, finite
from palestra.core.transcript import Transcript, argument_text, is_assistant_message
from palestra.wire.encoding import encode
from palestra.wire.response import response_object
from palestra.wire.rows import PARAMS

UNKNOWN_MODEL = "policy"
"""The model of a response whose row names none: a session does not know who plays it."""


def arguments_body(call: Item) -> bytes:
    """The body of a tool's route: the arguments of the call. Raises ValueError with a text for the model."""
    text = argument_text(call)
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise ValueError(f"Invalid tool call arguments: {len(text)} characters, at most {MAX_ARGUMENT_CHARACTERS}")
    try:
        value = json.loads(text or "{}", parse_constant=finite, parse_float=finite)
        if isinstance(value, dict):
            return encode(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Invalid tool call arguments: {describe(error)}") from error
    raise ValueError(f"Invalid tool call arguments: expected a JSON object, got {type(value).__name__}")


def verify_body(row: Mapping[str, Any], transcript: Transcript, *, key: str, **named: str) -> bytes:
    """The body of /verify: the row and the response of the whole conversation, which also says what is `named`."""
    params = row[PARAMS]
    response = response_object(
        key=key,
        model=str(params.get("model") or UNKNOWN_MODEL),
        created_at=int(time.time()),
        output=complete(transcript.output),
        stop_reason="stop",
        usage=Usage(),
        params=params,
    )
    # Tokens are counted by the model; a verifier is told nothing rather than zeros.
    return encode({**row, "response": {**response, "usage": None, **named}})


def complete(items: Sequence[Item]) -> list[Item]:
    """Output items with the fields that the Responses API demands of them; ids are given with the response."""
    return [_complete(item) for item in items]


def _complete(item: Item) -> Item:
    if is_assistant_message(item):
        status = item.get("status") or "completed"
        return {**item, "type": "message", "status": status, "content": _parts(item.get("content"))}
    if item.get("type") == "function_call":
        return {"status": "completed", **item, "arguments": argument_text(item)}
    if item.get("type") == "reasoning":
        return {**item, "summary": item.get("summary") or []}
    return item


def _parts(content: Any) -> Any:
    """The content of an assistant message as a list of parts."""
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    return [_part(part) for part in cast("list[Any]", content)] if isinstance(content, list) else content


def _part(part: Any) -> Any:
    fields: dict[str, Any] = dict(cast("dict[str, Any]", part)) if isinstance(part, dict) else {}
    if fields.get("type") != "output_text":
        return cast("Any", part)
    return {**fields, "annotations": fields.get("annotations") or []}
