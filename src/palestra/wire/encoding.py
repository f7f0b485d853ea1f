"""JSON to and from bytes: orjson where it can, the standard library where it cannot."""

import json
import math
import operator
import zlib
from typing import Any

import orjson

DIGITS = bytes(ord("0") if 48 <= byte <= 57 else ord(" ") for byte in range(256))
BIG_INTEGER = b"0" * 19
"""orjson reads integers beyond 64 bits as floats; they have at least this many digits."""
MAX_DEPTH = 300

WHITESPACE = b" \t\r\n"
"""What JSON allows around a value; Python's own notion of it is wider, and would hide a damaged byte."""

CHECKSUM_FIELD = b',"crc32":"'
CHECKSUM_LENGTH = len(CHECKSUM_FIELD) + 11
"""Bytes of the field with its eight digits and the end of both objects."""


def encode(value: Any) -> bytes:
    """Compact JSON in one line. Lone surrogates and integers beyond 64 bits survive; NaN and infinity become null.

    Raises TypeError or ValueError for what is no JSON value at all.
    """
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return by_standard_library(value)


def by_standard_library(value: Any) -> bytes:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError:
        # NaN is worth no rollout; a value that refers to itself is refused here again.
        return json.dumps(without_nan(value, 0), separators=(",", ":")).encode()


def without_nan(value: Any, depth: int) -> Any:
    """The value with null for NaN and infinity, which is what orjson writes for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {name: without_nan(entry, depth + 1) for name, entry in value.items()}
    return [without_nan(entry, depth + 1) for entry in value] if isinstance(value, list | tuple) else value


def decode(data: bytes | str) -> Any:
    """The value of one JSON text. Raises ValueError."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if BIG_INTEGER in raw.translate(DIGITS):
        return from_standard_library(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return from_standard_library(raw)


def from_standard_library(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def encode_with_checksum(row: dict[str, Any]) -> bytes:
    """A rollout as one line whose `palestra` object ends with the CRC-32 of all bytes before that field."""
    own = row["palestra"]
    if next(reversed(row)) != "palestra" or "crc32" in own:
        rest = {name: value for name, value in row.items() if name != "palestra"}
        row = {**rest, "palestra": {name: value for name, value in own.items() if name != "crc32"}}
    prefix = encode(row)[:-2]
    return prefix + checksum(prefix)


def checksum(prefix: bytes | memoryview) -> bytes:
    return CHECKSUM_FIELD + b'%08x"}}' % zlib.crc32(prefix)


def checksum_holds(line: bytes) -> bool | None:
    """Whether a line is as it was written; None if it carries no checksum."""
    # Almost all lines are as they were written, without a line end.
    start = len(line) - CHECKSUM_LENGTH
    is_usual = line.startswith(CHECKSUM_FIELD, start) and line.startswith(b"{")
    if is_usual and line[start:] == checksum(memoryview(line)[:start]):
        return True
    return checksum_holds_somehow(line)


def checksum_holds_somehow(line: bytes) -> bool | None:
    """`checksum_holds` of a line that may have blanks around it, no checksum, or a damaged one."""
    # Blanks around a line are what repairing a file leaves. Few lines have them, and none is copied without need.
    text = line if line.startswith(b"{") and line.endswith(b"}\n") else line.strip(WHITESPACE)
    end = len(text) - text.endswith(b"\n")
    start = max(0, end - CHECKSUM_LENGTH)
    found = text[start:end]
    expected = checksum(memoryview(text)[:start])
    if found == expected:
        return True
    # Most of the name is a damaged checksum, not none.
    name = sum(map(operator.eq, found, CHECKSUM_FIELD))
    return False if name * 2 >= len(CHECKSUM_FIELD) and len(found) == CHECKSUM_LENGTH else None
