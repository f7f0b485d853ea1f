"""The verdict on a reply's calendar: a named reason, and what exactly was wrong."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from .regions import read_list, regions
from .schedule import Bounds, Entry, bounds_of, conflict, read_entry


@dataclass(frozen=True, slots=True)
class Expected:
    """What the calendar must hold of one event."""

    duration: float
    constraint: str | None
    min_time: str
    max_time: str
    event_name: str | None = None

    def bounds(self, *, compatible: bool) -> Bounds:
        return bounds_of(self.constraint, self.min_time, self.max_time, compatible=compatible)


@dataclass(frozen=True, slots=True)
class Grade:
    """`pass`, or the name of what was wrong."""

    name: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.name == "pass"

    @property
    def reason(self) -> str | None:
        return None if self.passed else f"{self.name}: {self.detail}" if self.detail else self.name


PASS = Grade("pass")


def grade_calendar(text: str, expected: dict[str, Expected], compatible: bool) -> Grade:
    """Judge the text of a reply. Linear in its length, but for sorting the events.

    With `compatible` it is judged as NeMo Gym does, also where that pays a wrong answer.
    """
    if not text.strip():
        return Grade("no_text")
    if "<think>" in text:
        return Grade("think_found")
    if compatible and not expected:
        return PASS
    found = list(regions(text))
    return grade_lists(found, expected, compatible=compatible) if expected else expect_nothing(text, found)


def grade_lists(found: list[str], expected: dict[str, Expected], *, compatible: bool) -> Grade:
    """Judge the first of the lists in a reply; others must say the same."""
    if not found:
        return Grade("no_json_list")
    try:
        calendar = read_list(found[0])
    except ValueError as error:
        return Grade("no_json_list", str(error)[:200])
    if not compatible and any(differs(region, calendar) for region in found[1:]):
        return Grade("several_calendars", f"{len(found)} lists that are not the same")
    try:
        return grade_entries(calendar, expected, compatible=compatible)
    except ValueError as error:
        return Grade("error_in_grading", str(error))


def expect_nothing(text: str, found: list[str]) -> Grade:
    if found:
        return Grade("different_number_of_events", "no event was asked for")
    # The conversation asks for the calendar in every reply, and an empty one is written as an empty list.
    return PASS if "[]" in "".join(text.split()) else Grade("no_json_list")


def differs(region: str, calendar: list[Any]) -> bool:
    try:
        return read_list(region) != calendar
    except ValueError:
        return False


def grade_entries(calendar: list[Any], expected: dict[str, Expected], *, compatible: bool) -> Grade:
    """Judge the events of a calendar. Raises ValueError if one of them cannot be read."""
    ids = {str(entry["event_id"]) for entry in calendar if isinstance(entry, dict) and "event_id" in entry}
    if len(ids) != len(expected):
        return Grade("different_number_of_events", f"{len(ids)} instead of {len(expected)}")
    entries = [read_entry(value, compatible=compatible) for value in calendar]
    both = conflict(entries)
    if both is not None:
        return Grade("conflicting_events", f"{both[0].key[:20]} and {both[1].key[:20]} overlap")
    # A later entry of the same id takes the place of an earlier one.
    by_id = {entry.key: entry for entry in entries}
    if not compatible and len(entries) > len(by_id):
        return Grade("duplicate_event", "an event is listed more than once")
    for key, event in expected.items():
        if key not in by_id:
            return Grade("missing_event", key)
        grade = grade_entry(by_id[key], event, compatible=compatible)
        if not grade.passed:
            return grade
    return PASS


def grade_entry(entry: Entry, expected: Expected, *, compatible: bool) -> Grade:
    if entry.content["duration"] != expected.duration:
        return Grade("wrong_duration", f"event {entry.key}: {entry.content['duration']}, not {expected.duration:g}")
    problem = expected.bounds(compatible=compatible).problem(entry.start, entry.end)
    if problem is not None:
        return Grade("constraint_violated", f"event {entry.key}: {problem}")
    name = entry.content.get("event_name")
    if not compatible and expected.event_name is not None and plain(name) != plain(expected.event_name):
        return Grade("wrong_event_name", f"event {entry.key}: {str(name)[:80]!r}")
    return PASS


def plain(name: object) -> str:
    """A name without the differences that nobody means: case, width of characters and spaces."""
    return " ".join(unicodedata.normalize("NFKC", str(name)).casefold().split())
