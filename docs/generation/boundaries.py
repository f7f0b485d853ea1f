"""The tables of concepts/sandbox.md: what boundaries stopped of a corpus of attacks, from recorded runs."""

import json
from pathlib import Path
from typing import Any

from generation.tables import table

RESULTS = Path(__file__).parents[2] / "bench" / "results"
CATEGORIES = ("resource", "outlive", "network", "secret", "escape", "cross", "hack")
NAMES = {"namespaces": "`namespaces`", "landlock": "`landlock`", "weak": "`weak`", "none": "no boundary"}


def newest(name: str) -> list[dict[str, Any]]:
    """The rows of the newest results of a name. Raises IndexError if there are none."""
    return json.loads(sorted(RESULTS.glob(f"{name}-*.json"))[-1].read_text(encoding="utf-8"))


def stopped_table() -> list[str]:
    """One row a boundary, ours and others; each cell says how many of how many."""
    rows = [row_of(row, NAMES.get(row["case"], row["case"])) for row in newest("sandbox-attacks")]
    rows += [row_of(row, row["title"]) for row in newest("sandbox-peers")]
    return table(("runs code in", "measured", *CATEGORIES, "all"), rows)


def row_of(row: dict[str, Any], name: str) -> tuple[str, ...]:
    counts = [row["categories"].get(category) for category in CATEGORIES]
    cells = [f"{count['stopped']}/{count['n']}" if count else "-" for count in counts]
    return name, row["date"], *cells, f"{row['stopped']}/{row['n']}"


def not_stopped_table() -> list[str]:
    """One row for each attack that the weak boundary does not stop."""
    weak = next(row for row in newest("sandbox-attacks") if row["case"] == "weak")
    rows = [(f"`{name}`", "; ".join(reasons)) for name, reasons in sorted(weak["not_stopped"].items())]
    return table(("attack", "what was seen"), rows)


def caveats() -> list[str]:
    return [f"- {row['title']}: {row['caveat']}" for row in newest("sandbox-peers")]
