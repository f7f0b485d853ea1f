"""When two states of the tables are the same."""

from typing import Any

from .calling import Desk
from .tables import Row, changes_of, difference

AS_WRITTEN = frozenset({"status", "list_name", "board"})
"""Columns whose case counts in NeMo Gym."""


def comparable(row: Row) -> Row:
    """A row without what does not count: case, and whether an empty cell is None or an empty text."""
    return {column: "" if value is None else str(value).lower() for column, value in row.items()}


def comparable_in_nemo_gym(row: Row) -> Row:
    """A row as NeMo Gym compares it: what is not text is lost where text is put into lower case."""
    return {column: value if column in AS_WRITTEN else lower(value) for column, value in row.items()}


def lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


def mismatch(wanted: Desk, done: Desk, *, compatible: bool) -> str | None:
    """How the tables differ from what was wanted, in words; None if they do not.

    Without `compatible`, rows that were added may be so in any order and with any ids.
    """
    form = comparable_in_nemo_gym if compatible else comparable
    problems: list[str] = []
    for name, table in wanted.changeable().items():
        other = done.changeable()[name]
        problem = difference(changes_of(table, form, ordered=compatible), changes_of(other, form, ordered=compatible))
        if problem is not None:
            problems.append(f"{name}: {problem}")
    return "; ".join(problems) or None
