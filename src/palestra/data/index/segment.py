"""One block of a file as columns: what its lines hold, and which of them cannot be read."""

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import RawIOBase
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow
import xxhash

from palestra.data.index.extract import LARGEST_INTEGER, SMALLEST_INTEGER, LineReader
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
PIECE_BYTES = 1 << 18
"""What fits into a processor's cache, with what is made of it."""
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
    segment = Segment(block.start, block.end, "", 0, 0)
    with path.open("rb", buffering=0) as file:
        table = table_of(read_block(file, segment), segment)
    write_table(table, folder / segment.file_name)
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


class Columns:
    """The columns of a block, and its rows' own fields."""

    def __init__(self) -> None:
        self.values: list[list[Any]] = [[] for _ in FIELDS]
        self.own: list[dict[str, Any]] = []

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows of values in the order of `FIELDS`, while they are in the processor's cache."""
        for column, values in zip(self.values, zip(*rows, strict=True), strict=False):
            column.extend(values)


def read_block(file: RawIOBase, segment: Segment) -> Columns:
    """The rows that can be read; the others become problems of the segment."""
    columns = Columns()
    reader = LineReader()
    hasher = xxhash.xxh3_128()
    for start, piece in pieces_of(file, segment):
        hasher.update(piece)
        rows: list[tuple[Any, ...]] = []
        for offset, line in lines_of(piece):
            segment.lines += 1
            if not line or line.isspace():
                continue
            try:
                values, fields = reader.read(line)
            except (ValueError, RecursionError) as error:
                is_torn = segment.start + start + offset + len(line) == segment.end
                note_problem(segment, segment.lines, f"{error}{' (the file ends within it)' if is_torn else ''}")
                continue
            rows.append((start + offset, len(line), segment.lines, *values))
            columns.own.append(fields)
        columns.add(rows)
    segment.rows = len(columns.own)
    segment.hash = hasher.hexdigest()
    return columns


def pieces_of(file: RawIOBase, segment: Segment) -> Iterator[tuple[int, bytes]]:
    """A block in pieces of whole lines that fit into the processor's cache, each with where it begins in the block."""
    file.seek(segment.start)
    start, left, rest = 0, segment.end - segment.start, b""
    # A line that is longer than a piece is read in ever larger parts.
    while left > 0 and (read := file.read(min(left, max(PIECE_BYTES, len(rest))))):
        left -= len(read)
        end = read.rfind(b"\n") + 1
        if end:
            piece = rest + read[:end]
            yield start, piece
            start += len(piece)
            rest = read[end:]
        else:
            rest += read
    if rest:
        yield start, rest


def lines_of(piece: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line, without its line end."""
    start = 0
    while start < len(piece):
        end = piece.find(b"\n", start)
        if end < 0:
            end = len(piece)
        yield start, piece[start:end]
        start = end + 1


def note_problem(segment: Segment, number: int, reason: str) -> None:
    segment.bad_lines += 1
    if len(segment.problems) < MAX_PROBLEMS:
        segment.problems.append((number, reason))


def table_of(columns: Columns, segment: Segment) -> pyarrow.Table:
    fields = zip(FIELDS.items(), columns.values, strict=True)
    arrays = {name: array_of(values, ARROW_TYPES[about.type]) for (name, about), values in fields}
    own = columns.own
    counts = Counter(chain.from_iterable(own))
    names = [name for name, _ in counts.most_common()]
    segment.left_out = sorted(names[MAX_OWN_FIELDS:])
    for name in sorted(names[:MAX_OWN_FIELDS]):
        arrays[name] = own_array([fields.get(name) for fields in own])
    return pyarrow.table(arrays)


def array_of(values: Sequence[Any], kind: pyarrow.DataType) -> pyarrow.Array:
    try:
        return pyarrow.array(values, kind)
    except (UnicodeEncodeError, OverflowError):
        # Half of a surrogate pair, which is no character, or an integer that 64 bits do not hold.
        return pyarrow.array([clean(value) for value in values], kind)


def clean(value: Any) -> Any:
    if isinstance(value, list):
        return [clean(entry) for entry in value]
    if isinstance(value, int):
        return value if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def own_array(values: Sequence[Any]) -> pyarrow.Array:
    """A column of a field of rows: truth values count as 1 and 0, as in metrics; mixed with texts, all are text."""
    kinds = set(map(type, values)) - {type(None)}
    if str in kinds:
        texts = values if len(kinds) == 1 else [None if value is None else str(value) for value in values]
        return array_of(texts, pyarrow.string())
    kind, arrow = (float, pyarrow.float64()) if float in kinds else (int, pyarrow.int64())
    alike = values if kinds <= {kind} else [None if value is None else kind(value) for value in values]
    return pyarrow.array(alike, arrow)


def empty_table() -> pyarrow.Table:
    """The table of a file without rows."""
    table = table_of(Columns(), Segment(0, 0, "", 0, 0))
    return table.append_column("file", pyarrow.array([], pyarrow.int32()))


def empty_texts() -> pyarrow.Table:
    return pyarrow.table({name: pyarrow.array([], ARROW_TYPES[about.type]) for name, about in TEXT_FIELDS.items()})
