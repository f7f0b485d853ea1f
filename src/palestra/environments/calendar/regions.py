"""Find the calendar in a reply: bracketed regions of text that hold an object, in linear time."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

SPECIAL = re.compile(r"[\[\]{}]")
FAILS, REACHES_FREE, REACHES_NONE = range(3)
"""What comes of reading on from a place: no closing bracket, one after an object without brackets, or one without."""


def regions(text: str) -> Iterator[str]:
    """The bracketed regions that hold at least one `{...}` free of square brackets, from left to right.

    Other objects of a region may hold square brackets, as long as no `}` comes before their end. Regions do not
    overlap, and of nested brackets the inner ones count. Linear in the length of the text.
    """
    places = [match.start() for match in SPECIAL.finditer(text)]
    outcomes, ends = read_backwards(text, places)
    position = 0
    while position < len(places):
        if text[places[position]] == "[" and outcomes[position + 1] == REACHES_FREE:
            end = ends[position + 1]
            yield text[places[position] : places[end] + 1]
            position = end
        position += 1


def read_backwards(text: str, places: list[int]) -> tuple[list[int], list[int]]:
    """For each special character: what comes of reading on from it outside an object, and the bracket reached."""
    count = len(places)
    outcomes, ends = [FAILS] * (count + 1), [count] * (count + 1)
    next_close, next_bracket = count, count
    for position in range(count - 1, -1, -1):
        character = text[places[position]]
        if character == "]":
            outcomes[position], ends[position] = REACHES_NONE, position
        elif character == "{" and next_close < count and outcomes[next_close + 1] != FAILS:
            after, free = next_close + 1, next_bracket > next_close
            outcomes[position], ends[position] = REACHES_FREE if free else outcomes[after], ends[after]
        elif character != "[":
            # Also a brace that opens no object of the region.
            outcomes[position], ends[position] = outcomes[position + 1], ends[position + 1]
        if character == "}":
            next_close = position
        elif character in "[]":
            next_bracket = position
    return outcomes, ends


def read_list(region: str) -> list[Any]:
    """The region as JSON. Raises ValueError if it is none, or if an object names a key twice."""
    try:
        value: Any = json.loads(region, object_pairs_hook=without_repeated_keys)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return cast("list[Any]", value)


def without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Two values of one key would be two answers."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a key twice")
    return found
