"""Tables from a folder of CSV files, as NeMo Gym and WorkBench ship them."""

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from palestra import PalestraError

from .tables import COLUMNS, Row, Tables

FILES = MappingProxyType(
    {
        "emails": "emails.csv",
        "events": "calendar_events.csv",
        "visits": "analytics_data.csv",
        "tasks": "project_tasks.csv",
        "customers": "customer_relationship_manager_data.csv",
    }
)
ADDRESSES = "email_addresses.csv"
BOOLEANS = MappingProxyType({"True": True, "False": False})
FIX = "Give a folder with " + ", ".join(FILES.values()) + ", in itself or in its folder `processed`."


def read_tables(folder: Path) -> Tables:
    """The tables of a folder. Raises PalestraError naming file, line and column."""
    processed = folder / "processed" if (folder / "processed").is_dir() else folder
    found = {name: tuple(read_rows(processed / file, COLUMNS[name])) for name, file in FILES.items()}
    for name, rows in found.items():
        if name != "visits":
            check_ids(processed / FILES[name], COLUMNS[name][0], rows)
    return Tables(addresses=read_addresses(folder, found), **found)


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                has = ", ".join(reader.fieldnames or ()) or "none"
                raise bad_table(f"{path} has no column {missing[0]!r}; its columns are {has}")
            for line in reader:
                yield {column: read_cell(f"{path} line {reader.line_num}", column, line[column]) for column in columns}
    except OSError as error:
        raise bad_table(f"{path} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise bad_table(f"{path} is no CSV file: {error}") from error


def read_cell(place: str, column: str, text: str | None) -> Any:
    """A cell: None if it is empty. Raises PalestraError if its column needs something else."""
    check = CHECKS.get(column)
    try:
        if check is not None:
            return check(text or "")
    except (ValueError, KeyError):
        raise bad_table(f"{place}, column {column!r}: {text!r} cannot be used") from None
    return text or None


def time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def number(text: str) -> str:
    float(text)
    return text


def identifier(text: str) -> str:
    int(text)
    return text


def required(text: str) -> str:
    if not text:
        raise ValueError("empty")
    return text


CHECKS: MappingProxyType[str, Callable[[str], Any]] = MappingProxyType(
    {
        "email_id": identifier, "event_id": identifier, "task_id": identifier, "customer_id": identifier,
        "visitor_id": required, "event_start": time, "sent_datetime": time, "date_of_visit": time, "duration": number,
        "session_duration_seconds": number, "user_engaged": BOOLEANS.__getitem__, "assigned_to_email": required,
        "sender/recipient": required, "participant_email": required,
    }
)  # fmt: skip
"""Columns that the tools calculate with or rely on."""


def check_ids(path: Path, key: str, rows: tuple[Row, ...]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row[key] in seen:
            raise bad_table(f"{path}, column {key!r}: {row[key]!r} stands there twice")
        seen.add(row[key])


def read_addresses(folder: Path, found: dict[str, tuple[Row, ...]]) -> tuple[str, ...]:
    """The company's addresses: of a file beside the tables, or else of everybody who has tasks or customers."""
    for path in (folder / "raw" / ADDRESSES, folder / ADDRESSES, folder.parent / "raw" / ADDRESSES):
        if path.is_file():
            lines = path.read_text(encoding="utf-8").split("\n")
            return tuple(line.strip() for line in lines if "@" in line)
    return tuple(sorted({row["assigned_to_email"] for name in ("tasks", "customers") for row in found[name]}))


def bad_table(message: str) -> PalestraError:
    return PalestraError("invalid-option", f"tables: {message}", fix=FIX)
