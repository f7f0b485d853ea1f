"""One block of a file as columns: what its lines hold, and which of them cannot be read."""

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow
import xxhash

from palestra.data.index.extract import NAMES, values_of
from palestra.data.index.fields import FIELDS, VERSION
from palestra.data.index.shapes import RowReader
from palestra.data.index.texts import TEXT_FIELDS, TEXT_VERSION, text_values

ARROW_TYPES = MappingProxyType(
    {
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "text": pyarrow.string(),
        "bool": pyarrow.bool_(),
        "texts": pyarrow.list_(pyarrow.string()),
    }
)
MAX_OWN_FIELDS = 500
"""Own fields of rows that become columns, the most frequent ones; the others are named as left out."""
MAX_PROBLEMS = 1000
"""Bad lines of a block that are named one by one; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Block:
    """A range of a file that begins and ends with whole lines."""

    start: int
    end: int


@dataclass(slots=True)
class Segment:
    """What is known of a block: its content is in a file that is named after its hash."""

    start: int
    end: int
    hash: str
    lines: int
    """Lines of the block, blank ones included."""
    rows: int
    problems: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Lines that could not be read, from 1 in the block, and why."""
    bad_lines: int = 0
    left_out: list[str] = field(default_factory=list[str])
    """Fields of rows that are no columns, as there are too many."""

    @property
    def file_name(self) -> str:
        return f"{self.hash}.v{VERSION}.arrow"

    @property
    def texts_name(self) -> str:
        """The file of the columns that need the rows' texts."""
        return f"{self.hash}.v{VERSION}.texts{TEXT_VERSION}.arrow"


def segment_of(entry: dict[str, Any]) -> Segment:
    problems = [(int(number), str(reason)) for number, reason in entry["problems"]]
    return Segment(**{**entry, "problems": problems})


def hash_of(data: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(data)


def write_segment(path: Path, block: Block, folder: Path) -> Segment:
    """Read a block and write its columns, unless they are there already."""
    with path.open("rb") as file:
        file.seek(block.start)
        data = file.read(block.end - block.start)
    segment = Segment(block.start, block.end, hash_of(data), 0, 0)
    rows, own = read_rows(data, segment)
    write_table(table_of(rows, own, segment), folder / segment.file_name)
    return segment


def write_texts(path: Path, segment: Segment, folder: Path) -> None:
    """Write the columns that need the texts of a segment's rows."""
    with path.open("rb") as file:
        file.seek(segment.start)
        data = file.read(segment.end - segment.start)
    with pyarrow.memory_map(str(folder / segment.file_name)) as source:
        places = pyarrow.ipc.open_file(source).read_all().select(["offset", "length"]).to_pydict()
    reader = RowReader()
    found = [
        text_values(data[offset : offset + length], reader)
        for offset, length in zip(places["offset"], places["length"], strict=True)
    ]
    values = zip(*found, strict=True) if found else [()] * len(TEXT_FIELDS)
    columns = zip(TEXT_FIELDS.items(), values, strict=True)
    table = pyarrow.table({name: array_of(entries, ARROW_TYPES[about.type]) for (name, about), entries in columns})
    write_table(table, folder / segment.texts_name)


def write_table(table: pyarrow.Table, path: Path) -> None:
    # Two processes may index the same file: each writes its own, and both are the same.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with pyarrow.OSFile(str(temporary), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_rows(data: bytes, segment: Segment) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """The values of the rows that can be read; the others become problems of the segment."""
    rows: list[tuple[Any, ...]] = []
    own: list[dict[str, Any]] = []
    reader = RowReader()
    for number, offset, line in lines_of(data):
        segment.lines = number
        if not line or line.isspace():
            continue
        try:
            values, fields = values_of(line, reader)
        except (ValueError, RecursionError) as error:
            is_torn = offset + len(line) == len(data)
            note_problem(segment, number, f"{error}{' (the file ends within it)' if is_torn else ''}")
            continue
        rows.append((offset, len(line), number, *values))
        own.append(fields)
    segment.rows = len(rows)
    return rows, own


def lines_of(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes of each line, without its line end."""
    start = number = 0
    while start < len(data):
        end = data.find(b"\n", start)
        if end < 0:
            end = len(data)
        number += 1
        yield number, start, data[start:end]
        start = end + 1


def note_problem(segment: Segment, number: int, reason: str) -> None:
    segment.bad_lines += 1
    if len(segment.problems) < MAX_PROBLEMS:
        segment.problems.append((number, reason))


def table_of(rows: Sequence[tuple[Any, ...]], own: Sequence[dict[str, Any]], segment: Segment) -> pyarrow.Table:
    columns: dict[str, pyarrow.Array] = {}
    values = zip(*rows, strict=True) if rows else [()] * (len(NAMES) + 3)
    for (name, about), entries in zip(FIELDS.items(), values, strict=True):
        columns[name] = array_of(entries, ARROW_TYPES[about.type])
    counts = Counter(name for fields in own for name in fields)
    names = [name for name, _ in counts.most_common()]
    segment.left_out = sorted(names[MAX_OWN_FIELDS:])
    for name in sorted(names[:MAX_OWN_FIELDS]):
        columns[name] = own_array([fields.get(name) for fields in own])
    return pyarrow.table(columns)


def array_of(values: Iterable[Any], kind: pyarrow.DataType) -> pyarrow.Array:
    try:
        return pyarrow.array(values, kind)
    except UnicodeEncodeError:
        # Half of a surrogate pair, which is no character.
        return pyarrow.array([clean(value) for value in values], kind)


def clean(value: Any) -> Any:
    if isinstance(value, list):
        return [clean(entry) for entry in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def own_array(values: Sequence[Any]) -> pyarrow.Array:
    """A column of a field of rows: truth values count as 1 and 0, as in metrics; mixed with texts, all are text."""
    kinds = {type(value) for value in values} - {type(None)}
    if str in kinds:
        texts = [value if value is None or isinstance(value, str) else str(value) for value in values]
        return array_of(texts, pyarrow.string())
    if float in kinds:
        return pyarrow.array([None if value is None else float(value) for value in values], pyarrow.float64())
    return pyarrow.array([None if value is None else int(value) for value in values], pyarrow.int64())


def empty_table() -> pyarrow.Table:
    """The table of a file without rows."""
    table = table_of([], [], Segment(0, 0, "", 0, 0))
    return table.append_column("file", pyarrow.array([], pyarrow.int32()))


def empty_texts() -> pyarrow.Table:
    return pyarrow.table({name: pyarrow.array([], ARROW_TYPES[about.type]) for name, about in TEXT_FIELDS.items()})
