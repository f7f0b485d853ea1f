"""The lines of rollout files: where each is, and what metrics need of it without reading all the rest."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from palestra.wire.encoding import checksum_holds, decode

OFFSET_BITS = 48
OFFSET_MASK = (1 << OFFSET_BITS) - 1
NO_LINE = (1 << 64) - 1

READ_BYTES = 1 << 18

START = b'{"responses_create_params":{'
USAGE = b'"usage":{'
OWN_OBJECT = b',"palestra":{'
OWN_START = re.compile(rb',"palestra":\{"version":1,"key":"[0-9a-f]{32}","environment":"[^"\\]*"')
ABRIDGED = frozenset({"responses_create_params", "response", "palestra"})
"""The fields of which `rollout_numbers` may give a part, or nothing."""


def located(path: Path, go_on: Callable[[], None]) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes of each line that is not blank."""
    offset = 0
    with path.open("rb", buffering=READ_BYTES) as file:
        for number, line in enumerate(file, 1):
            go_on()
            if not line.isspace():
                yield number, offset, line
            offset += len(line)


def place(file: int, offset: int) -> int:
    """A file's number and an offset in it as one integer of 64 bits."""
    return file << OFFSET_BITS | offset


def checked(line: bytes) -> Any:
    """The line's value. Raises ValueError if it is damaged."""
    has_checksum(line)
    return decode(line)


def has_checksum(line: bytes) -> bool:
    """Whether a line is known to be as it was written. Raises ValueError if it is damaged."""
    holds = checksum_holds(line)
    if holds is False:
        raise ValueError("it does not match its checksum")
    return holds is True


def rollout_numbers(line: bytes) -> Any:
    """A rollout with all its top-level fields but those in `ABRIDGED`, and with the usage of its response.

    Raises ValueError if the line is damaged.
    """
    found = abridged(line) if has_checksum(line) else None
    return decode(line) if found is None else found


def abridged(line: bytes) -> dict[str, Any] | None:
    """The end of a line that is laid out as Palestra writes it: from the usage, which ends the response, to the name
    of the environment. None to read all of it.

    A quotation mark inside a JSON string has a backslash before it, so what is searched here can only be the names of
    fields. A usage found elsewhere than in an object of the rollout itself leaves closing brackets that nothing
    opened, and one found behind the response leaves no reward.
    """
    own = line.find(OWN_OBJECT)
    found = OWN_START.match(line, own) if own >= 0 else None
    if found is None or line.find(OWN_OBJECT, found.end()) >= 0 or not line.startswith(START):
        return None
    usage = line.rfind(USAGE, 0, own)
    if usage < 0:
        return None
    try:
        rollout = decode(b'{"response":{%b}}' % line[usage : found.end()])
    except ValueError:
        return None
    return rollout if "reward" in rollout else None
