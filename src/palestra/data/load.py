"""Task rows from files and environments, one at a time."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from palestra.core.discovery import Source
from palestra.core.errors import PalestraError, describe, suggestion
from palestra.rollout.plan import Row
from palestra.wire.encoding import decode
from palestra.wire.rows import agent_name, agent_reference

EXAMPLES = 5
"""The first tasks of an environment are its examples."""


def rows_of_file(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file. A line that cannot be read becomes a row with a problem; the others are not affected.

    Raises PalestraError if the file cannot be opened.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    with file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield row_of_line(line, f"{path} line {number}")


def count_rows(path: Path) -> int:
    """How many rows a JSONL file has, without reading them as JSON."""
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error


def row_of_line(line: bytes, origin: str) -> Row:
    try:
        value = decode(line)
    except ValueError as error:
        return Row({"invalid_line": line[:500].decode(errors="replace")}, origin, f"{origin} is not JSON: {error}")
    if not isinstance(value, dict):
        problem = f"{origin} must be a JSON object, got {type(value).__name__}"
        return Row({"invalid_line": line[:500].decode(errors="replace")}, origin, problem)
    return Row(value, origin)


def rows_of_environment(source: Source, split: str | None) -> Iterator[Row]:
    """The rows that an environment ships, each naming it as its agent.

    `split` names a file of its folder (`train` is train.jsonl); `example` is the first rows of tasks.jsonl.
    """
    path = source.folder / f"{split if split not in (None, 'example') else 'tasks'}.jsonl"
    if split is None and not path.is_file():
        fix = "Give rows with --input, or make some with --generate."
        raise PalestraError("usage", f"{source.name} brings no tasks of its own: no file {path}", fix=fix)
    if not path.is_file():
        splits = [found.stem for found in source.folder.glob("*.jsonl") if found.stem not in ("tasks", "cases")]
        hint = suggestion(str(split), [*splits, "example"])
        known = ", ".join(sorted([*splits, "example"]))
        raise PalestraError("usage", f"{source.name} has no split {split!r}.{hint} It has: {known}.")
    rows = rows_of_file(path)
    for row in islice(rows, EXAMPLES) if split == "example" else rows:
        yield named(row, source.name)


def generated_rows(source: Source, options: BaseModel, *, seed: int, n: int) -> Iterator[Row]:
    """`n` rows made by the environment's generator. Raises PalestraError if it has none, or makes more or fewer."""
    environment = source.load()
    if not environment.can_generate():
        fix = "Use rows that exist; `palestra show ENV` says which environments make some."
        raise PalestraError("usage", f"{source.name} cannot generate tasks", fix=fix)
    number = 0
    try:
        for content in environment.generate(seed, n, options):
            yield named(Row(content, f"{source.name} generated row {number}"), source.name)
            number += 1
    except Exception as error:
        message = f"the generator of {source.name} broke at row {number}: {describe(error)}"
        raise PalestraError("invalid-environment", message) from error
    if number != n:
        raise PalestraError("invalid-environment", f"the generator of {source.name} made {number} rows instead of {n}")


def named(row: Row, environment: str) -> Row:
    if agent_name(row.content) is not None:
        return row
    content: dict[str, Any] = {**row.content, "agent_ref": agent_reference(environment)}
    return Row(content, row.origin, row.problem)
