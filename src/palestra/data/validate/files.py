"""Reading files line by line and saying everything that is wrong with them; findings are not kept."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.core.task import content_hash
from palestra.data.seen import Seen
from palestra.data.validate.rows import Demands, Kind, kind_of, row_problems
from palestra.data.validate.rules import Finding, Problem
from palestra.store.scan import LONGEST_LINE_BYTES, READ_BYTES
from palestra.wire.encoding import WHITESPACE, checksum_holds, decode

LARGE_ROW_BYTES = 16 << 20
BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
ODD_ESCAPES = (rb"\u0000", rb"\ud", rb"\uD")
"""How the escapes of U+0000 and of surrogates begin; a row with one is looked at closely."""
HALF_PAIR = re.compile("[\x00\ud800-\udfff]")
FILE_NAME = re.compile(r"[a-z0-9_-][a-z0-9_.-]*\.jsonl")


@dataclass(slots=True)
class Tally:
    """What a validation has seen so far."""

    rows: Counter[Kind] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    warnings: int = 0

    def count(self, finding: Finding) -> Finding:
        self.rules[finding.rule] += 1
        if finding.severity == "error":
            self.errors += 1
        else:
            self.warnings += 1
        return finding

    def to_json(self) -> dict[str, Any]:
        return {
            "errors": self.errors,
            "warnings": self.warnings,
            "rows": dict(sorted(self.rows.items())),
            "rules": dict(self.rules.most_common()),
        }


def validate(
    files: Sequence[Path], tally: Tally, demands: Demands | None = None, *, large_row_bytes: int = LARGE_ROW_BYTES
) -> Iterator[Finding]:
    """Everything that is wrong with files of tasks, rollouts or failures, in the order of the lines.

    What a line is follows from its fields. `tally` is brought up to date before each finding is given, and holds the
    totals at the end. Raises PalestraError if a file cannot be read.
    """
    seen = Seen(files)
    for number, path in enumerate(files):
        reader = FileReader(path, number, demands or Demands(), seen, tally, large_row_bytes)
        try:
            yield from map(tally.count, reader.findings())
        except OSError as error:
            raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error


@dataclass(slots=True)
class FileReader:
    """The lines of one file."""

    path: Path
    number: int
    """Of the file, among those that are validated together."""
    demands: Demands
    seen: Seen
    tally: Tally
    large_row_bytes: int
    carriage_returns: int = 0

    def findings(self) -> Iterator[Finding]:
        name = self.path.name
        if FILE_NAME.fullmatch(name) is None:
            yield Problem("name", "", name, "is an unusual name of a dataset").at(str(self.path), 0)
        ended = True
        with self.path.open("rb", buffering=READ_BYTES) as file:
            number = 0
            while line := file.readline(LONGEST_LINE_BYTES):
                number += 1
                ended = line.endswith(b"\n")
                for problem in self.line_problems(line, number):
                    yield problem.at(str(self.path), number)
        if self.carriage_returns:
            message = f"{self.carriage_returns} of {number} lines end in CR LF"
            yield Problem("line-end", "", None, message, has_value=False).at(str(self.path), 0)
        if not ended:
            yield Problem("line-end", "", None, "the last line has no end", has_value=False).at(str(self.path), number)

    def line_problems(self, line: bytes, number: int) -> Iterator[Problem]:
        self.carriage_returns += line.endswith(b"\r\n")
        if number == 1 and line.startswith(BYTE_ORDER_MARKS):
            yield Problem("encoding", "", repr(line[:3]), "the file starts with a byte order mark")
            line = line.removeprefix(BYTE_ORDER_MARKS[0])
        if not line.strip(WHITESPACE):
            yield Problem("blank-line", "", None, "the line is blank", has_value=False)
            return
        if len(line) > self.large_row_bytes:
            yield Problem("size", "", len(line), f"the row has more than {self.large_row_bytes} bytes")
        if checksum_holds(line) is False:
            # What it says is not what was written; each further finding would be about the damage.
            yield Problem("checksum", "palestra.crc32", line[-12:-4].decode(errors="replace"), "does not hold")
            return
        try:
            row = decode(line.strip(WHITESPACE))
        except ValueError as error:
            yield unreadable(line, error)
            return
        if not isinstance(row, dict):
            yield Problem("json", "", row, f"the line must be an object, it is {type(row).__name__}")
            return
        yield from self.problems_of(row, line, number)

    def problems_of(self, row: Mapping[str, Any], line: bytes, number: int) -> Iterator[Problem]:
        kind = kind_of(row)
        self.tally.rows[kind] += 1
        if any(escape in line for escape in ODD_ESCAPES):
            yield from odd_characters(row)
        yield from row_problems(row, kind, self.demands)
        if (place := self.seen.earlier(identity(row, kind, line), self.number, number)) is not None:
            rule = "duplicate" if kind == "task" else "duplicate-rollout"
            file, first = place
            yield Problem(rule, "", None, f"is {self.seen.files[file]} line {first} again", has_value=False)


def unreadable(line: bytes, error: ValueError) -> Problem:
    try:
        text = line.decode()
    except UnicodeDecodeError as wrong:
        there = repr(line[max(0, wrong.start - 10) : wrong.start + 10])
        return Problem("encoding", "", there, f"byte {wrong.start} of the line is not UTF-8")
    return Problem("json", "", text.strip(), f"the line is not JSON: {error}")


def odd_characters(value: Any, place: str = "") -> Iterator[Problem]:
    if isinstance(value, str):
        if found := HALF_PAIR.search(value):
            character = f"U+{ord(found[0]):04X}"
            yield Problem("characters", place, value, f"holds {character} at position {found.start()}")
    elif isinstance(value, dict | list):
        for name, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from odd_characters(entry, f"{place}.{name}" if place else str(name))


def identity(row: Mapping[str, Any], kind: Kind, line: bytes) -> bytes:
    """What no two rows may share: a task's content, the key and fingerprint of an own rollout, else the very bytes."""
    if kind == "task":
        return bytes.fromhex(content_hash(row))
    own = row.get("palestra")
    if kind == "rollout" and isinstance(own, dict) and isinstance(own.get("key"), str):
        text = f"{own['key']}\0{own.get('fingerprint')}".encode("utf-8", "surrogatepass")
    else:
        text = line.strip(WHITESPACE)
    return blake2b(text, digest_size=16).digest()
