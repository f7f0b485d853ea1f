"""Times of day, what events are bound to, and whether a calendar keeps to it."""

import re
from dataclasses import dataclass
from typing import Any, cast

TWELVE_HOUR = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(am|pm)", re.ASCII)
TWENTY_FOUR_HOUR = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
CONSTRAINTS = (
    ("before", re.compile(r"before (?P<end>.+)")),
    ("after", re.compile(r"after (?P<start>.+)")),
    ("between", re.compile(r"between (?P<start>.+?) and (?P<end>.+)")),
    ("at", re.compile(r"at (?P<start>.+)")),
)


def minutes(text: str, *, compatible: bool = False) -> int:
    """A time of day as minutes since midnight: `14:05`, `24:00`, `2pm`, `10:30am`, `12 am`. Raises ValueError.

    With `compatible` hours and minutes beyond those of a day are counted, too: `13pm` is 1500.
    """
    text = text.strip()
    twelve, twenty_four = TWELVE_HOUR.fullmatch(text), TWENTY_FOUR_HOUR.fullmatch(text)
    found = twelve or twenty_four
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time; write HH:MM")
    hour, minute = int(found[1]), int(found[2] or 0)
    if not compatible and (minute > 59 or (twelve is not None and not 1 <= hour <= 12)):
        raise ValueError(f"{text!r} is no time of a day")
    if twelve is not None:
        hour = (0 if hour == 12 else hour) + (12 if twelve[3] == "pm" else 0)
    total = hour * 60 + minute
    if not compatible and total > 24 * 60:
        raise ValueError(f"{text!r} is no time of a day")
    return total


def clock(minute: int) -> str:
    """`14:05`"""
    return f"{minute // 60:02}:{minute % 60:02}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where an event may lie: minutes since midnight."""

    earliest_start: int
    latest_end: int
    fixed_start: int | None = None
    window: tuple[int, int] = (0, 24 * 60)
    """The hours of the calendar itself, told apart only for the reason of a verdict."""

    def problem(self, start: int, end: float) -> str | None:
        """What is wrong with an event that lasts from start to end."""
        if start < self.window[0] or end > self.window[1]:
            return f"outside {clock(self.window[0])}-{clock(self.window[1])}"
        if self.fixed_start is not None and start != self.fixed_start:
            return f"not at {clock(self.fixed_start)}"
        if start < self.earliest_start:
            return f"before {clock(self.earliest_start)}"
        if end > self.latest_end:
            return f"ends after {clock(self.latest_end)}"
        return None


def bounds_of(constraint: str | None, min_time: str, max_time: str, *, compatible: bool) -> Bounds:
    """The bounds of an event. Raises ValueError for a constraint that cannot be read.

    With `compatible` a constraint of unknown form binds nothing.
    """
    window = (minutes(min_time, compatible=compatible), minutes(max_time, compatible=compatible))
    if constraint is None:
        return Bounds(*window, window=window)
    for kind, pattern in CONSTRAINTS:
        found = pattern.fullmatch(constraint.strip())
        if found is not None:
            times = {name: minutes(text, compatible=compatible) for name, text in found.groupdict().items()}
            start, end = times.get("start", window[0]), times.get("end", window[1])
            return Bounds(start, end, fixed_start=start if kind == "at" else None, window=window)
    if compatible:
        return Bounds(*window, window=window)
    raise ValueError(f"the constraint {constraint[:80]!r} is none of: before T, after T, between T and T, at T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a reply's calendar."""

    key: str
    start: int
    end: float
    content: dict[str, Any]


def read_entry(value: Any, *, compatible: bool) -> Entry:
    """An event of a calendar. Raises ValueError saying what is missing or of the wrong kind."""
    if not isinstance(value, dict):
        raise ValueError(f"an entry is no object: {str(value)[:60]!r}")
    entry = cast("dict[str, Any]", value)
    missing = [name for name in ("event_id", "start_time", "duration") if name not in entry]
    if missing:
        raise ValueError(f"an entry has no {missing[0]}")
    key, start_time, duration = str(entry["event_id"]), entry["start_time"], entry["duration"]
    if not isinstance(start_time, str):
        raise ValueError(f"start_time of event {key[:20]} is {str(start_time)[:40]!r}, not a text")
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        raise ValueError(f"duration of event {key[:20]} is {str(duration)[:40]!r}, not a number")
    start = minutes(start_time, compatible=compatible)
    return Entry(key, start, start + duration, entry)


def conflict(entries: list[Entry]) -> tuple[Entry, Entry] | None:
    """Two entries that share time, if there are any; entries that are equal in all fields count once."""
    latest: Entry | None = None
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.end)):
        if latest is not None and entry.content == latest.content:
            continue
        if latest is not None and entry.start < latest.end:
            return latest, entry
        if latest is None or entry.end > latest.end:
            latest = entry
    return None
