"""What the tools of all tables share: the episode's tables, and how text is searched."""

import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from .tables import COLUMNS, Table, Tables

NOW = "2023-11-30 23:59:00"
"""The time that it always is."""

LONGEST_PATTERN = 200
RISKY = re.compile(r"[*+?{]")
"""What makes matching more than linear."""
NESTED = re.compile(r"\)[*+?{]|\\[1-9]|\(\?P=")
"""A repeated group and a back reference: what makes it exponential."""


class Office:
    """The tables of one episode, and options of the tools on them."""

    prefix: ClassVar[str] = ""
    """What the names of a class's tools begin with."""

    def lay_out(self, tables: Tables, *, compatible: bool) -> None:
        """Put the tables as they are at the start in place."""
        self.tables = tables
        self.compatible = compatible
        for name, places in tables.places.items():
            setattr(self, name, Table(COLUMNS[name][0], getattr(tables, name), places))
        self.plots = Table("file", (), {})

    emails: Table
    events: Table
    tasks: Table
    customers: Table

    def changeable(self) -> dict[str, Table]:
        """The tables that tools can change."""
        names = ("emails", "events", "plots", "tasks", "customers")
        return {name: getattr(self, name) for name in names}

    def writes(self) -> int:
        """How many changes there were, also those that changed nothing."""
        return sum(table.writes for table in self.changeable().values())

    def finder(self, text: str) -> Callable[[Any], bool]:
        """Whether a cell contains a text, ignoring case.

        With `compatible` the text is a regular expression, if it is one that ends in bounded time; others are
        looked for as they are written. Raises re.error for a broken expression.
        """
        if self.compatible and is_harmless(text):
            pattern = re.compile(text, re.IGNORECASE)
            return lambda cell: isinstance(cell, str) and pattern.search(cell) is not None
        wanted = text.lower()
        return lambda cell: isinstance(cell, str) and wanted in cell.lower()


def is_harmless(pattern: str) -> bool:
    """Whether matching takes at most quadratic time: two repetitions, no repeated group, no back reference."""
    return len(pattern) <= LONGEST_PATTERN and len(RISKY.findall(pattern)) <= 2 and NESTED.search(pattern) is None


def one_of(names: Iterable[str]) -> str:
    """`'a', 'b', 'c'`"""
    return ", ".join(f"'{name}'" for name in names)
