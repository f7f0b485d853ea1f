"""JSON to and from bytes: orjson where it can, the standard library where it cannot."""

import json
import zlib
from typing import Any

import orjson

DIGITS = bytes(ord("0") if 48 <= byte <= 57 else ord(" ") for byte in range(256))
BIG_INTEGER = b"0" * 19
"""orjson reads integers beyond 64 bits as floats; they have at least this many digits."""

CHECKSUM_FIELD = b',"crc32":"'


def encode(value: Any) -> bytes:
    """Compact JSON in one line. Lone surrogates and integers beyond 64 bits survive.

    Raises TypeError or ValueError for what is no JSON value at all.
    """
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


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
    rest = {name: value for name, value in row.items() if name != "palestra"}
    body = encode({**rest, "palestra": {name: value for name, value in own.items() if name != "crc32"}})
    prefix = body[:-2]
    return prefix + CHECKSUM_FIELD + b'%08x"}}' % zlib.crc32(prefix)


def checksum_holds(line: bytes) -> bool | None:
    """Whether a line is as it was written; None if it carries no checksum."""
    prefix, field, rest = line.rstrip().rpartition(CHECKSUM_FIELD)
    if not field:
        return None
    return rest == b'%08x"}}' % zlib.crc32(prefix)
