"""What two versions of a dataset have in common: rows by identity, and fields of those that changed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Literal

from palestra.core.errors import PalestraError
from palestra.core.task import content_hash
from palestra.data.adapters.mapping import looked_up
from palestra.store.ledger import KeyTable
from palestra.wire.encoding import decode

USUAL_KEYS = ("palestra.key", "id", "uuid", "task_id")
"""What rows are told apart by if nothing is said and every row of both files has it; else their content."""
READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Change:
    """A row that only one of the files has, or that differs."""

    kind: Literal["added", "removed", "changed"]
    line: int
    """In the second file; of a removed row in the first."""
    key: str
    fields: tuple[tuple[str, Any, Any], ...] = ()
    """Of a changed row: the fields that differ, with the old value and the new one, null where there is none."""

    def to_json(self) -> dict[str, Any]:
        fields = [{"field": name, "old": old, "new": new} for name, old, new in self.fields]
        return {"kind": self.kind, "line": self.line, "key": self.key, "fields": fields}


@dataclass(slots=True)
class Side:
    """One of the files, read line by line."""

    path: Path
    key: str | None
    occurrences: KeyTable = field(default_factory=KeyTable)

    def rows(self) -> Iterator[tuple[int, int, bytes, str, bytes]]:
        """Line number, offset, identity, key in words, and bytes of each row."""
        offset = 0
        try:
            with self.path.open("rb", buffering=READ_BYTES) as file:
                for number, line in enumerate(file, 1):
                    if not line.isspace():
                        yield number, offset, *self.identity(line, number), line
                    offset += len(line)
        except OSError as error:
            raise PalestraError("missing-file", f"{self.path} cannot be read: {error.strerror}") from error

    def identity(self, line: bytes, number: int) -> tuple[bytes, str]:
        """Rows with the same key are told apart by which of them comes first."""
        row = object_of(line, self.path, number)
        try:
            words = content_hash(row) if self.key is None else str(looked_up(row, self.key))
        except ValueError as error:
            raise PalestraError("invalid-row", f"{self.path} line {number}: {error}") from error
        plain = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        count = (self.occurrences.get(plain) or 0) + 1
        self.occurrences.set(plain, count)
        same = plain if count == 1 else blake2b(plain, digest_size=16, key=str(count).encode()).digest()
        return same, words if count == 1 else f"{words} ({count})"


def diff(old: Path, new: Path, counts: Counter[str], *, key: str | None = None) -> Iterator[Change]:
    """The changes from `old` to `new`: added and changed rows in the order of `new`, then removed ones.

    `counts` has the totals at the end, also of rows that are the same. Memory: 64 bytes a row.
    Raises PalestraError if a line is no object or has no `key`.
    """
    places, matched = KeyTable(), KeyTable()
    for _, offset, identity, _, _ in Side(old, key).rows():
        places.set(identity, offset)
    with old.open("rb") as before:
        for number, _, identity, words, line in Side(new, key).rows():
            place = places.get(identity)
            if place is None:
                counts["added"] += 1
                yield Change("added", number, words)
                continue
            matched.set(identity, 0)
            fields = tuple(changed_fields(line_at(before, place), line, new, number))
            counts["changed" if fields else "same"] += 1
            if fields:
                yield Change("changed", number, words, fields)
    for number, _, identity, words, _ in Side(old, key).rows():
        if matched.get(identity) is None:
            counts["removed"] += 1
            yield Change("removed", number, words)


def usual_key(old: Path, new: Path) -> str | None:
    """The first of `USUAL_KEYS` that the first row of each file has."""
    for key in USUAL_KEYS:
        if all(has_key(path, key) for path in (old, new)):
            return key
    return None


def has_key(path: Path, key: str) -> bool:
    for _, _, _, _, line in Side(path, None).rows():
        try:
            return not isinstance(looked_up(object_of(line, path, 1), key), dict | list)
        except ValueError:
            return False
    return False


def line_at(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.readline()


def changed_fields(old: bytes, new: bytes, path: Path, number: int) -> Iterator[tuple[str, Any, Any]]:
    if old.strip() != new.strip():
        yield from differing(object_of(old, path, number), object_of(new, path, number), "")


def differing(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two values differ, by their place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            yield from differing(old.get(name), new.get(name), f"{place}.{name}" if place else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from differing(*pair, f"{place}.{number}")
    elif old != new or type(old) is not type(new):
        yield place, old, new


def object_of(line: bytes, path: Path, number: int) -> Mapping[str, Any]:
    try:
        row = decode(line)
    except ValueError as error:
        raise PalestraError("invalid-row", f"{path} line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise PalestraError("invalid-row", f"{path} line {number} must be an object, it is {type(row).__name__}")
    return row
