"""Rows of a file, whatever its format: JSONL, JSON, CSV, TSV, parquet, or a folder saved by Hugging Face `datasets`."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from palestra.core.errors import PalestraError, describe
from palestra.core.extras import require
from palestra.data.load import rows_of_file
from palestra.rollout.plan import Row

PARQUET_ROWS = 1024
"""So many rows of a parquet file are in memory at a time."""
MOST_JSON_BYTES = 1 << 30
"""A JSON array is read as a whole, so it may not be larger."""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, one at a time; a row that cannot be read is one with a problem, and the others are given.

    The format follows from the suffix. Raises PalestraError if the file or its format is unknown, or cannot be read at
    all, as a parquet file without its end.
    """
    if path.is_dir():
        yield from saved_dataset(path)
        return
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(READERS))
        raise PalestraError("usage", f"{path} has a format that is not known: rows are read from {known}")
    if not path.is_file():
        raise PalestraError("missing-file", f"no file {path}")
    try:
        yield from reader(path)
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror or error}") from error


def json_array(path: Path) -> Iterator[Row]:
    if path.stat().st_size > MOST_JSON_BYTES:
        fix = "Write one object a line instead, as .jsonl."
        raise PalestraError("usage", f"{path} is an array of more than {MOST_JSON_BYTES} bytes", fix=fix)
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise PalestraError("invalid-row", f"{path} is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise PalestraError("invalid-row", f"{path} must be a list of objects, it is {type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        yield of_object(row, f"{path} entry {number}")


def of_object(row: Any, origin: str) -> Row:
    if isinstance(row, dict):
        return Row(row, origin)
    return Row({"invalid_row": str(row)[:500]}, origin, f"{origin} must be an object, got {type(row).__name__}")


def separated(path: Path, delimiter: str) -> Iterator[Row]:
    """Cells are text; a mapping says which are numbers. Each line must have as many cells as the header."""
    # The limit is the process's, and graders rely on it.
    usual = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = next(reader, [])
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise PalestraError("invalid-row", f"{path} has two columns {twice!r}")
            for cells in filter(None, reader):
                origin = f"{path} line {reader.line_num}"
                is_whole = len(cells) == len(names)
                wrong = None if is_whole else f"{origin} has {len(cells)} cells, the header {len(names)}"
                yield Row(dict(zip(names, cells, strict=False)), origin, wrong)
    except (csv.Error, UnicodeDecodeError) as error:
        raise PalestraError("invalid-row", f"{path} cannot be read any further: {describe(error)}") from error
    finally:
        csv.field_size_limit(usual)


def parquet(path: Path) -> Iterator[Row]:
    require("data", "a parquet file")
    import pyarrow as arrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield Row(row, f"{path} row {number}")
    except arrow.ArrowException as error:
        raise PalestraError("invalid-row", f"{path} cannot be read after row {number}: {describe(error)}") from error


def saved_dataset(folder: Path) -> Iterator[Row]:
    """A dataset that was saved with `save_to_disk`; one split, since a split is a file here."""
    require("hub", "a folder of Hugging Face datasets")
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
    except (FileNotFoundError, ValueError) as error:
        raise PalestraError("missing-file", f"{folder} is no saved dataset: {describe(error)}") from error
    if isinstance(saved, datasets.DatasetDict):
        known = ", ".join(str(folder / str(name)) for name in saved)
        raise PalestraError("usage", f"{folder} holds several splits", fix=f"Name one of them: {known}.")
    for number, row in enumerate(saved, 1):
        yield of_object(row, f"{folder} row {number}")


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = MappingProxyType(
    {
        ".jsonl": rows_of_file,
        ".ndjson": rows_of_file,
        ".json": json_array,
        ".csv": lambda path: separated(path, ","),
        ".tsv": lambda path: separated(path, "\t"),
        ".parquet": parquet,
    }
)
