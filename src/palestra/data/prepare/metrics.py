"""The metrics of a dataset as NeMo Gym writes them: key names, rounding, and when two files are in conflict."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from palestra.store.ledger import KeyTable
from palestra.wire.rows import PARAMS

NOT_METRICS = frozenset({PARAMS, "response"})
WORDS = "Json-dumped number of words (proxy for token count)"
REMOVED = frozenset({"Median"})
"""Of older files: newer versions of NeMo Gym do not write it any more, so its absence is no conflict."""


@dataclass(slots=True)
class Numbers:
    """Count, mean and spread of numbers that are seen once (Welford, 1962; merged as by Chan et al., 1979)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """The sum of squared distances from the mean."""
    low: float = math.inf
    high: float = -math.inf

    def add(self, value: float, times: int = 1) -> None:
        self.merge(Numbers(times, value, 0.0, value, value))

    def merge(self, other: "Numbers") -> None:
        if not other.count:
            return
        total = self.count + other.count
        distance = other.mean - self.mean
        self.squares += other.squares + distance * distance * self.count * other.count / total
        self.mean += distance * other.count / total
        self.count = total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def to_json(self) -> dict[str, Any]:
        spread = math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0
        bounds = (self.low, self.high) if self.count else (0.0, 0.0)
        return {
            "Total # non-null values": self.count,
            "Average": rounded(self.mean),
            "Min": rounded(bounds[0]),
            "Max": rounded(bounds[1]),
            "Standard deviation": rounded(spread),
        }


@dataclass(slots=True)
class Texts:
    """How many texts there are, and how many differ; 32 bytes for each that differs."""

    count: int = 0
    seen: KeyTable = field(default_factory=KeyTable)

    def add(self, text: str, times: int) -> None:
        self.count += times
        self.seen.setdefault(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), 0)

    def to_json(self) -> dict[str, Any]:
        return {"unique_count": self.seen.count, "total_count": self.count}


@dataclass(slots=True)
class Metrics:
    """The metrics of the rows that were added."""

    rows: int = 0
    tools: Numbers = field(default_factory=Numbers)
    words: Numbers = field(default_factory=Numbers)
    turns: Numbers = field(default_factory=Numbers)
    temperature: Numbers = field(default_factory=Numbers)
    others: dict[str, Numbers | Texts] = field(default_factory=dict)
    mixed: Counter[str] = field(default_factory=Counter)
    """Fields in which some values are of another type than the first one, and how many; no metric has them."""

    def add(self, row: Mapping[str, Any], times: int = 1) -> None:
        """One row, as often as the dataset repeats it."""
        self.rows += times
        self.add_params(row[PARAMS], times)
        for name, value in row.items():
            if name not in NOT_METRICS:
                for entry in value if isinstance(value, list) else (value,):
                    self.add_other(name, entry, times)

    def add_params(self, params: Mapping[str, Any], times: int) -> None:
        if params.get("tools") is not None:
            self.tools.add(len(params["tools"]), times)
        self.words.add(len(json.dumps(params).split()), times)
        asked = params["input"]
        turns = 1 if isinstance(asked, str) else sum(item.get("role") == "user" for item in asked)
        if turns:
            self.turns.add(turns, times)
        if params.get("temperature") is not None:
            self.temperature.add(params["temperature"], times)

    def add_other(self, name: str, value: Any, times: int) -> None:
        if not isinstance(value, str | int | float):
            return
        is_text = isinstance(value, str)
        kept = self.others.setdefault(name, Texts() if is_text else Numbers())
        if isinstance(kept, Texts) and is_text:
            kept.add(value, times)
        elif isinstance(kept, Numbers) and not is_text and math.isfinite(value):
            kept.add(float(value), times)
        else:
            self.mixed[name] += 1

    def merge(self, other: "Metrics") -> list[str]:
        """Take in the metrics of another dataset; the names of fields that both have.

        As in NeMo Gym, the metrics of such a field are then those of `other` alone.
        """
        self.rows += other.rows
        for name in ("tools", "words", "turns", "temperature"):
            getattr(self, name).merge(getattr(other, name))
        shared = sorted(self.others.keys() & other.others.keys())
        self.others.update(other.others)
        return shared

    def to_json(self) -> dict[str, Any]:
        return {
            "Number of examples": self.rows,
            "Number of tools": self.tools.to_json(),
            WORDS: self.words.to_json(),
            "Number of turns": self.turns.to_json(),
            "Temperature": self.temperature.to_json(),
            **{name: kept.to_json() for name, kept in self.others.items()},
        }


def rounded(value: float) -> float:
    return round(value, 2 if abs(value) >= 1 else 3)


def conflicts(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Where a metrics file that is there says something else; what only the new one says is no conflict."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            here = f"{place}.{name}" if place else name
            if name in new:
                yield from conflicts(value, new[name], here)
            elif name not in REMOVED:
                yield f"{here} was {json.dumps(value)} and is gone"
    elif not equal(old, new):
        yield f"{place} was {json.dumps(old)}, is {json.dumps(new)}"


def equal(old: Any, new: Any) -> bool:
    if isinstance(old, list) and isinstance(new, list):
        return sorted(map(json.dumps, old)) == sorted(map(json.dumps, new))
    if isinstance(old, float | int) and isinstance(new, float | int) and float in (type(old), type(new)):
        return abs(old - new) <= (5e-3 if max(abs(old), abs(new)) >= 1 else 5e-4)
    return old == new
