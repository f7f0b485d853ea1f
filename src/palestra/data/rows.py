"""Rows of files of any producer as a table: their columns from the index, their bytes from the file.

rows = Rows.open([Path("rollouts.jsonl")])
chosen = rows.where("reward >= 0.5 and turns < 10")
with replacing(Path("good.jsonl")) as file:
    rows.copy(np.flatnonzero(chosen), file)
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import pyarrow

from palestra.core.errors import PalestraError, suggestion
from palestra.data.arrow import compute as pc
from palestra.data.derived import DERIVED
from palestra.data.index.build import ensure_index, ensure_texts, index_folder
from palestra.data.index.segment import Segment, empty_table, empty_texts
from palestra.data.index.texts import TEXT_FIELDS
from palestra.data.texts import text_of_part
from palestra.wire.encoding import decode

COPY_BYTES = 1 << 20
"""Rows that follow each other are copied together up to this size."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is no row."""

    path: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path} line {self.line}: {self.reason}"


class Part(NamedTuple):
    """The part of an index that belongs to one file."""

    path: Path
    folder: Path
    segments: list[Segment]


@dataclass
class Rows:
    """The rows of some files, in order. Opened with `Rows.open`; the files are only ever read."""

    paths: list[Path]
    table: pyarrow.Table
    """A row for each row: the columns of `index.fields.FIELDS`, `file`, and the rows' own fields."""
    problems: list[Problem]
    """Lines that could not be read; at most 1000 of each block of a file."""
    bad_lines: int
    """How many lines could not be read."""
    left_out: list[str]
    """Fields of rows that are no columns, as there are too many."""
    parts: list[Part] = field(default_factory=list["Part"])
    """What the table was put together from."""
    opened: dict[int, RawIOBase] = field(default_factory=dict[int, RawIOBase])

    @classmethod
    def open(cls, paths: Sequence[Path], *, index: Path | None = None, verify: bool = False) -> "Rows":
        """Open files, and bring their indexes up to date.

        `index` is a folder for the indexes, which are beside the files otherwise; `verify` compares the content of the
        files with what was indexed even if they seem untouched. Raises PalestraError.
        """
        tables: list[pyarrow.Table] = []
        parts: list[Part] = []
        problems: list[Problem] = []
        left_out: set[str] = set()
        bad_lines = 0
        for number, path in enumerate(paths):
            folder = index_folder(path) if index is None else index / f"{number}-{path.name}.index"
            first_line = 0
            parts.append(Part(path, folder, ensure_index(path, folder, verify=verify)))
            for segment in parts[-1].segments:
                tables.append(segment_table(folder, segment, number, first_line))
                problems += [Problem(path, first_line + line, reason) for line, reason in segment.problems]
                bad_lines += segment.bad_lines
                left_out.update(segment.left_out)
                first_line += segment.lines
        return cls(list(paths), joined(tables), problems, bad_lines, sorted(left_out), parts)

    def __len__(self) -> int:
        return self.table.num_rows

    def has(self, name: str) -> bool:
        return name in DERIVED or name in TEXT_FIELDS or name in self.table.column_names

    def column(self, name: str) -> pyarrow.ChunkedArray:
        """A column. Raises PalestraError that suggests the nearest name."""
        if name in DERIVED and name not in self.table.column_names:
            self.table = self.table.append_column(name, DERIVED[name].compute(self))
        if name in TEXT_FIELDS and name not in self.table.column_names:
            self.add_texts()
        if name not in self.table.column_names:
            names = [*self.table.column_names, *DERIVED, *TEXT_FIELDS]
            hint = suggestion(name, names)
            raise PalestraError("usage", f"there is no column {name!r}.{hint}", fix=f"Columns: {', '.join(names)}.")
        return self.table.column(name)

    def add_texts(self) -> None:
        """Add the columns of `index.texts.TEXT_FIELDS`, which are made if nobody asked for them before."""
        tables: list[pyarrow.Table] = [empty_texts()]
        for path, folder, segments in self.parts:
            ensure_texts(path, folder, segments)
            tables += [mapped_table(folder / segment.texts_name) for segment in segments]
        found = pyarrow.concat_tables(tables)
        for name in found.column_names:
            # A field of the rows that has the name wins.
            if name not in self.table.column_names:
                self.table = self.table.append_column(name, found.column(name))

    def numbers(self, name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """A column of numbers or truth values as 64-bit floats; null is NaN. Raises PalestraError if it is text."""
        found = self.column(name)
        if not is_numeric(found.type):
            raise PalestraError("usage", f"the column {name!r} holds {found.type}, not numbers")
        return np.asarray(pc.cast(found, pyarrow.float64()).to_numpy())

    @cached_property
    def tasks(self) -> "tuple[np.ndarray[Any, np.dtype[np.int64]], int]":
        """The number of each row's task, -1 if it has none, and how many tasks there are."""
        codes, names = self.codes("task")
        return codes, len(names)

    def texts(self, name: str) -> list[str | None]:
        """A column as texts."""
        return pc.cast(self.column(name), pyarrow.string()).to_pylist()

    def codes(self, name: str) -> "tuple[np.ndarray[Any, np.dtype[np.int64]], list[Any]]":
        """A column as numbers of its values, and the values in order of first occurrence; null is -1."""
        found = self.column(name)
        encoded = pc.dictionary_encode(found).combine_chunks()
        array = encoded.chunk(0) if isinstance(encoded, pyarrow.ChunkedArray) else encoded
        indices = pc.fill_null(array.indices, -1)
        return np.asarray(indices.to_numpy(zero_copy_only=False), np.int64), array.dictionary.to_pylist()

    def where(self, expression: str) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Which rows an expression holds for; see `expression.py`. Raises PalestraError."""
        from palestra.data.expression import holds

        return holds(expression, self)

    @cached_property
    def places(self) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """File, offset and length of each row."""
        return (
            self.column("file").to_numpy(),
            self.column("offset").to_numpy(),
            self.column("length").to_numpy(),
        )

    def read(self, file: int, start: int, end: int) -> bytes:
        """A range of a file. Read, not mapped: mapped pages count as memory of this process until all is done."""
        if file not in self.opened:
            self.opened[file] = self.paths[file].open("rb", buffering=0)
        return os.pread(self.opened[file].fileno(), end - start, start)

    def line(self, row: int) -> bytes:
        """The bytes of a row, as they are in its file, without the line end."""
        files, offsets, lengths = self.places
        start = int(offsets[row])
        return self.read(int(files[row]), start, start + int(lengths[row]))

    def value(self, row: int) -> Any:
        """A row as a value."""
        return decode(self.line(row))

    def answer(self, row: int) -> str:
        """The last assistant message of a row; empty if it has none."""
        return text_of_part(self.line(row), "answer")

    def lines(self, rows: Iterable[int]) -> Iterator[bytes]:
        return map(self.line, rows)

    def copy(self, rows: Iterable[int], file: BinaryIO) -> int:
        """Write rows byte for byte, each as a line; gives how many bytes."""
        written = 0
        for number, start, end in self.spans(rows):
            written += file.write(self.read(number, start, end))
            written += file.write(b"\n")
        return written

    def spans(self, rows: Iterable[int]) -> Iterator[tuple[int, int, int]]:
        """File, start and end of ranges that hold the rows, joined where one follows the other in a file."""
        files, offsets, lengths = self.places
        number, start, end = -1, 0, -1
        for row in rows:
            file, offset, length = int(files[row]), int(offsets[row]), int(lengths[row])
            if file == number and offset == end + 1 and end - start < COPY_BYTES:
                end = offset + length
                continue
            if number >= 0:
                yield number, start, end
            number, start, end = file, offset, offset + length
        if number >= 0:
            yield number, start, end

    def where_is(self, row: int) -> str:
        """File and line of a row, for people."""
        return f"{self.paths[int(self.places[0][row])]} line {self.column('line')[row].as_py()}"


def segment_table(folder: Path, segment: Segment, file: int, first_line: int) -> pyarrow.Table:
    """The table of a segment, mapped into memory, with places that hold in the whole file."""
    table = mapped_table(folder / segment.file_name)
    for name, first in (("offset", segment.start), ("line", first_line)):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.add(table.column(name), pyarrow.scalar(first, pyarrow.int64())))
    return table.append_column("file", pyarrow.repeat(pyarrow.scalar(file, pyarrow.int32()), table.num_rows))


def mapped_table(path: Path) -> pyarrow.Table:
    """A stored table, read from the file as it is used."""
    return cast("pyarrow.Table", pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all())


def joined(tables: list[pyarrow.Table]) -> pyarrow.Table:
    """One table; a field that is text somewhere is text everywhere, and null where a row lacks it."""
    if not tables:
        return empty_table()
    kinds: dict[str, set[pyarrow.DataType]] = {}
    for table in tables:
        for column in table.schema:
            kinds.setdefault(column.name, set()).add(column.type)
    mixed = {name for name, found in kinds.items() if len(found) > 1 and pyarrow.string() in found}
    return pyarrow.concat_tables([as_text(table, mixed) for table in tables], promote_options="permissive")


def as_text(table: pyarrow.Table, names: set[str]) -> pyarrow.Table:
    for name in names.intersection(table.column_names):
        text = pc.cast(table.column(name), pyarrow.string())
        table = table.set_column(table.column_names.index(name), name, text)
    return table


def is_numeric(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)
