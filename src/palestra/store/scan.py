"""Reading a run's files line by line: which lines are whole, and which rollout each is about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from palestra.wire.encoding import WHITESPACE, checksum_holds, decode
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX

READ_BYTES = 1 << 18
LONGEST_LINE_BYTES = 1 << 30
"""What has no line end for so long is no line."""

OWN_OBJECT = b',"palestra":{'
INDICES = b',"_ng_task_index":'
INDICES_REACH = 256
"""How far before the `palestra` object the indices of a line begin at most, if it is as Palestra writes it."""
IDENTITY = re.compile(
    rb',"_ng_task_index":(\d{1,10}),"_ng_rollout_index":(\d{1,10})'
    rb'(,"_ng_attempt_index":\d+,"_ng_failure_class":"[^"\\]*")?'
    rb',"palestra":\{("version":1,)?"key":"[0-9a-f]{32}","environment":"([^"\\]*)","task_hash":"([0-9a-f]+)",'
)
FAILURE_OBJECT = b',"failure":{'
INPUT_END = b'"crc32":"'
"""What follows the identity in the line of an input; rollouts and failures say more."""
FINGERPRINT_FIELD = b',"fingerprint":"'
FINGERPRINT = re.compile(rb',"fingerprint":"([^"\\]*)","started_at":')


class Unusable(Exception):
    """Why a line does not count; it is set aside, and its rollout is owed again."""


@dataclass(slots=True)
class Line:
    """One line that is not blank, and where it is."""

    content: bytes
    """With its line end. Empty if the line is longer than `LONGEST_LINE_BYTES`."""
    number: int
    """From 1."""
    offset: int
    length: int
    """Bytes, the line end included."""
    is_ended: bool
    """False for a last line without a line end: a write was cut short, or its writer leaves that out."""


@dataclass(slots=True)
class Record:
    """Which rollout a whole line is about."""

    has_checksum: bool
    is_own: bool
    """Whether a palestra run wrote it: it says environment, task and both indices."""
    is_rollout: bool
    """Whether it has a reward, and is not the line of a failure or an input."""
    task_index: int | None = None
    rollout_index: int | None = None
    environment: str = ""
    task_hash: str = ""
    fingerprint: str = ""


def located_lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank; none if there is no file."""
    if not path.exists():
        return
    offset = number = 0
    with path.open("rb", buffering=READ_BYTES) as file:
        while content := file.readline(LONGEST_LINE_BYTES):
            number += 1
            length, end = len(content), content
            if length == LONGEST_LINE_BYTES:
                content = b""
                while not end.endswith(b"\n") and (piece := file.readline(READ_BYTES)):
                    length, end = length + len(piece), piece
            if not content or content[0] not in WHITESPACE or content.strip(WHITESPACE):
                yield Line(content, number, offset, length, end.endswith(b"\n"))
            offset += length


def record_of(line: Line) -> Record:
    """What a line is about. Raises Unusable if it is damaged."""
    holds = checksum_holds(line.content)
    if holds:
        # What it says is what was written: the few fields that matter are found without reading all the others.
        return quick_record(line.content) or full_record(line, has_checksum=True)
    if holds is False:
        raise Unusable("does not match its checksum")
    return full_record(line, has_checksum=False)


def quick_record(content: bytes) -> Record | None:
    """The record of a line whose checksum holds, if it is laid out as Palestra writes it; None to read all of it.

    A quotation mark inside a JSON string has a backslash before it, so what is searched here can only be the names of
    fields; and a field whose name occurs once in the line is no field of a row or a rollout within the line.
    """
    place = content.find(OWN_OBJECT)
    if place < 0 or content.rfind(OWN_OBJECT) != place:
        return None
    start = content.rfind(INDICES, max(0, place - INDICES_REACH), place)
    found = IDENTITY.match(content, start) if start >= 0 else None
    if found is None:
        return None
    task, repeat, failed, version, environment, task_hash = found.groups()
    fingerprint = fingerprint_of(content, found.end() - 1) if version else b""
    is_rollout = version is not None and failed is None
    if fingerprint is None or (is_rollout and content.find(FAILURE_OBJECT, found.end()) >= 0):
        return None
    if version is None and not content.startswith(INPUT_END, found.end()):
        return None
    names = environment.decode(), task_hash.decode(), fingerprint.decode()
    return Record(True, True, is_rollout, int(task), int(repeat), *names)


def fingerprint_of(content: bytes, start: int) -> bytes | None:
    place = content.find(FINGERPRINT_FIELD, start)
    found = FINGERPRINT.match(content, place) if place >= 0 else None
    return found[1] if found and content.find(FINGERPRINT_FIELD, found.end()) < 0 else None


def full_record(line: Line, *, has_checksum: bool) -> Record:
    if not line.content:
        raise Unusable(f"is longer than {LONGEST_LINE_BYTES} bytes")
    try:
        row = decode(line.content)
    except ValueError as error:
        raise Unusable(f"is not JSON ({error})") from error
    if not isinstance(row, dict):
        raise Unusable("is no object")
    row = cast("dict[str, Any]", row)
    own, task, repeat = row.get("palestra"), row.get(TASK_INDEX), row.get(ROLLOUT_INDEX)
    record = Record(has_checksum, is_own=False, is_rollout=isinstance(row.get("reward"), int | float))
    if isinstance(task, int) and task >= 0 and isinstance(repeat, int) and repeat >= 0:
        record.task_index, record.rollout_index = task, repeat
        if isinstance(own, dict) and "environment" in own and "task_hash" in own:
            own = cast("dict[str, Any]", own)
            record.is_own = True
            record.environment, record.task_hash = str(own["environment"]), str(own["task_hash"])
            record.fingerprint = str(own.get("fingerprint", ""))
    return record
