"""Tables that all episodes share, and what one episode changed in them.

An episode copies nothing: it notes the rows it changed, deleted and added, and states are compared by these notes.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
"""Column to value, in the order of the columns: text, None where a cell is empty; `user_engaged` is a bool."""

COLUMNS = MappingProxyType(
    {
        "emails": ("email_id", "inbox/outbox", "sender/recipient", "subject", "sent_datetime", "body"),
        "events": ("event_id", "event_name", "participant_email", "event_start", "duration"),
        "visits": (
            "date_of_visit", "visitor_id", "page_views", "session_duration_seconds", "traffic_source", "user_engaged",
        ),
        "tasks": ("task_id", "task_name", "assigned_to_email", "list_name", "due_date", "board"),
        "customers": (
            "customer_id", "assigned_to_email", "customer_name", "customer_email", "customer_phone",
            "last_contact_date", "product_interest", "status", "follow_up_by", "notes",
        ),
    }
)  # fmt: skip
"""What each table holds; the first column of all but `visits` identifies a row."""


@dataclass(frozen=True)
class Tables:
    """The tables that an episode starts with; nobody changes them."""

    addresses: tuple[str, ...]
    emails: tuple[Row, ...]
    events: tuple[Row, ...]
    visits: tuple[Row, ...]
    tasks: tuple[Row, ...]
    customers: tuple[Row, ...]

    @cached_property
    def fingerprint(self) -> str:
        """What tells these tables from others: 12 hex digits of the hash of their content."""
        content = [self.addresses, *(list(map(dict, getattr(self, name))) for name in COLUMNS)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def team(self) -> frozenset[str]:
        """Addresses of those who have tasks, in lower case."""
        return frozenset(row["assigned_to_email"].lower() for row in self.tasks)

    @cached_property
    def places(self) -> Mapping[str, Mapping[str, int]]:
        """Where each row lies, by table and id."""
        return {
            name: {row[COLUMNS[name][0]]: place for place, row in enumerate(getattr(self, name))}
            for name in COLUMNS
            if name != "visits"
        }


class Table:
    """One table as an episode sees it."""

    def __init__(self, key: str, rows: tuple[Row, ...], places: Mapping[str, int]) -> None:
        self.key = key
        self.original = rows
        self.places = places
        self.changed: dict[str, Row] = {}
        self.deleted: set[str] = set()
        self.added: dict[str, Row] = {}
        self.writes = 0
        """Successful changes, also those that changed nothing."""

    def __iter__(self) -> Iterator[Row]:
        """The rows in order; added ones come last."""
        if not (self.changed or self.deleted):
            yield from self.original
        else:
            for row in self.original:
                if row[self.key] not in self.deleted:
                    yield self.changed.get(row[self.key], row)
        yield from self.added.values()

    def get(self, identifier: str) -> Row | None:
        """The row of an id, or None."""
        if identifier in self.added:
            return self.added[identifier]
        if identifier in self.deleted or identifier not in self.places:
            return None
        return self.changed.get(identifier) or self.original[self.places[identifier]]

    def update(self, row: Row, column: str, value: Any) -> None:
        identifier = row[self.key]
        (self.added if identifier in self.added else self.changed)[identifier] = {**row, column: value}
        self.writes += 1

    def delete(self, row: Row) -> None:
        identifier = row[self.key]
        if identifier in self.added:
            del self.added[identifier]
        else:
            self.deleted.add(identifier)
            self.changed.pop(identifier, None)
        self.writes += 1

    def add(self, width: int, values: Row) -> str:
        """Append a row with the next free id, as text of at least `width` digits; the id."""
        largest = max((int(row[self.key]) for row in self if row[self.key].isdecimal()), default=-1)
        identifier = str(largest + 1).zfill(width)
        self.added[identifier] = {self.key: identifier, **values}
        self.writes += 1
        return identifier


@dataclass(frozen=True, slots=True)
class Changes:
    """What an episode did to a table, in a form that can be compared."""

    changed: dict[str, Row]
    deleted: frozenset[str]
    added: list[Row]

    def __bool__(self) -> bool:
        return bool(self.changed or self.deleted or self.added)


def changes_of(table: Table, comparable: Callable[[Row], Row], *, ordered: bool) -> Changes:
    """The changes of a table. Without `ordered` neither the order of added rows nor the ids they were given count."""
    changed: dict[str, Row] = {}
    for identifier, row in table.changed.items():
        now = comparable(row)
        if now != comparable(table.original[table.places[identifier]]):
            changed[identifier] = now
    added: list[Row] = [comparable(row) for row in table.added.values()]
    if not ordered:
        added = [{column: value for column, value in row.items() if column != table.key} for row in added]
        added.sort(key=lambda row: json.dumps(row, sort_keys=True))
    return Changes(changed, frozenset(table.deleted), added)


def difference(wanted: Changes, done: Changes) -> str | None:
    """Where the changes of a table are not those that were wanted, in words; None if they are the same."""
    if wanted == done:
        return None
    parts = [
        *(f"{row} was not deleted" for row in sorted(wanted.deleted - done.deleted)),
        *(f"{row} should not have been deleted" for row in sorted(done.deleted - wanted.deleted)),
        *(
            f"{row} is not as it should be"
            for row in sorted(wanted.changed.keys() | done.changed.keys())
            if wanted.changed.get(row) != done.changed.get(row)
        ),
    ]
    if wanted.added != done.added:
        parts.append(f"{len(done.added)} rows were added, {len(wanted.added)} should be, and they are not the same")
    return "; ".join(parts[:3])


def page_of(found: list[Row], name: str, page: int, page_size: int) -> dict[str, Any]:
    """One page of a search, pages counted from 1, as the tools give it."""
    first = (page - 1) * page_size
    return {
        name: [dict(row) for row in found[max(first, 0) : max(first + page_size, 0)]],
        "pagination": {
            f"total_{name}": len(found),
            "page": page,
            "page_size": page_size,
            "total_pages": -(-len(found) // page_size),
        },
    }
