"""Checks of the tool calls a model made: required, forbidden, in order, exactly these, and the state they left.

Each check returns a Finding, whose `reason` says what is wrong. Values are compared as JSON: numbers by value, and
nothing equals a value of another type (`"14"` is not 14, `true` is not 1).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from palestra.core.transcript import Call
from palestra.grading.structured import NoJsonValue, Unreadable, read

SHOWN = 80
"""Characters of a value in a reason."""
MOST_MATCHED = 1000
"""Calls that are matched where there are too many anyway."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call as the model made it."""

    name: str
    arguments: Mapping[str, Any] | None
    """None if their text is no JSON object."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A call as it should be."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says."""

    holds: bool
    reason: str | None = None
    """Why it does not hold."""
    matched: int = 0
    """How many of the expected calls were made."""


Matches: TypeAlias = Callable[[Made, Expected], bool]
"""Whether a call is the expected one."""


def made(calls: Iterable[Call]) -> tuple[Made, ...]:
    """The calls of a transcript with their arguments read. No text at all is an empty object."""
    return tuple(Made(call.name, arguments_of(call.arguments)) for call in calls)


def arguments_of(text: str) -> dict[str, Any] | None:
    """The object in a JSON text, or None. A key given twice, NaN and the like make it none."""
    try:
        value = read(text or "{}", "json")
    except (Unreadable, NoJsonValue):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def is_call(call: Made, expected: Expected) -> bool:
    """The same name, the same arguments, and no others."""
    return call.name == expected.name and same_value(call.arguments, expected.arguments)


def has_arguments(call: Made, expected: Expected) -> bool:
    """The same name, and each expected argument; there may be more."""
    if call.name != expected.name or call.arguments is None:
        return False
    given = call.arguments
    return all(name in given and same_value(given[name], value) for name, value in expected.arguments.items())


def is_call_but_for(defaults: Mapping[str, Mapping[str, Any]]) -> Matches:
    """As `is_call`, where an argument more than expected is right if it says what the function would assume anyway.

    `defaults` are by function and parameter.
    """

    def matches(call: Made, expected: Expected) -> bool:
        if call.name != expected.name or call.arguments is None:
            return False
        assumed = defaults.get(call.name, {})
        said = {
            name: value
            for name, value in call.arguments.items()
            if name in expected.arguments or name not in assumed or not same_value(value, assumed[name])
        }
        return same_value(said, expected.arguments)

    return matches


def same_value(first: Any, second: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but true is not 1, and arrays are compared in order."""
    return next(differences(first, second), None) is None


def differences(first: Any, second: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The places where two JSON values differ, each with both values; `...` stands for one that is missing."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        left, right = cast("Mapping[str, Any]", first), cast("Mapping[str, Any]", second)
        for name in [*left, *(name for name in right if name not in left)]:
            yield from differences(left.get(name, ...), right.get(name, ...), f"{path}.{name}")
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        here, there = cast("Sequence[Any]", first), cast("Sequence[Any]", second)
        for place in range(max(len(here), len(there))):
            values = [entries[place] if place < len(entries) else ... for entries in (here, there)]
            yield from differences(values[0], values[1], f"{path}[{place}]")
    elif kind_of(first) != kind_of(second) or first != second:
        yield path, first, second


def kind_of(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def matching(calls: Sequence[Made], expected: Sequence[Expected], matches: Matches = is_call) -> dict[int, int]:
    """As many pairs as there can be, expected call to call made, each used once (augmenting paths, breadth first).

    Taking the first that fits for each is not enough where one call fits several expected ones.
    """
    fits = [[index for index, call in enumerate(calls) if matches(call, wanted)] for wanted in expected]
    taken: dict[int, int] = {}
    for start in range(len(expected)):
        reached: dict[int, int] = {}
        waiting = deque([start])
        while waiting:
            wanted = waiting.popleft()
            for index in fits[wanted]:
                if index in reached:
                    continue
                reached[index] = wanted
                if index in taken:
                    waiting.append(taken[index])
                    continue
                reassign(index, start, reached, taken)
                waiting.clear()
                break
    return {wanted: index for index, wanted in taken.items()}


def reassign(index: int, start: int, reached: Mapping[int, int], taken: dict[int, int]) -> None:
    """Give the free call to who reached it, that one's former call to who reached that, and so on back to the start."""
    while True:
        wanted = reached[index]
        former = [other for other, owner in taken.items() if owner == wanted]
        taken[index] = wanted
        if wanted == start:
            return
        index = former[0]


def first_fits(calls: Sequence[Made], expected: Sequence[Expected], matches: Matches) -> dict[int, int]:
    """Pairs as NeMo Gym makes them: each expected call takes the first call that fits and is free."""
    pairs: dict[int, int] = {}
    for number, wanted in enumerate(expected):
        used = set(pairs.values())
        found = next((index for index, call in enumerate(calls) if index not in used and matches(call, wanted)), None)
        if found is not None:
            pairs[number] = found
    return pairs


def required(calls: Sequence[Made], expected: Sequence[Expected], matches: Matches = is_call) -> Finding:
    """Every expected call was made, each by a call of its own; others may have been made too."""
    pairs = matching(calls, expected, matches)
    missing = next((number for number in range(len(expected)) if number not in pairs), None)
    if missing is None:
        return Finding(True, matched=len(pairs))
    return Finding(False, f"this call was not made: {shown(expected[missing])}", len(pairs))


def exactly(calls: Sequence[Made], expected: Sequence[Expected], matches: Matches = is_call) -> Finding:
    """The expected calls were made, in any order, and no others."""
    if len(calls) > len(expected):
        looked_at = calls[:MOST_MATCHED]
        pairs = matching(looked_at, expected, matches)
        extra = next(call for index, call in enumerate(calls) if index not in set(pairs.values()))
        return Finding(False, f"{len(calls)} calls instead of {len(expected)}, such as {shown(extra)}", len(pairs))
    return required(calls, expected, matches)


def in_order(calls: Sequence[Made], expected: Sequence[Expected], matches: Matches = is_call) -> Finding:
    """The expected calls were made in their order; others may stand between them."""
    remaining = iter(calls)
    for number, wanted in enumerate(expected):
        if not any(matches(call, wanted) for call in remaining):
            return Finding(False, f"call {number + 1} was not made in its place: {shown(wanted)}", number)
    return Finding(True, matched=len(expected))


def forbidden(calls: Sequence[Made], banned: Iterable[str | Expected], matches: Matches = has_arguments) -> Finding:
    """No banned call was made: of a tool by its name, or with the arguments given."""
    for ban in banned:
        for call in calls:
            if call.name == ban if isinstance(ban, str) else matches(call, ban):
                return Finding(False, f"a forbidden call was made: {shown(call)}")
    return Finding(True)


def final_state(state: Any, expected: Any) -> Finding:
    """Two states (tables, files, any JSON value) are equal; else the first place where they differ."""
    difference = next(differences(state, expected), None)
    if difference is None:
        return Finding(True)
    path, here, there = difference
    return Finding(
        False, f"the state differs at {path.lstrip('.') or 'its root'}: {brief(here)} instead of {brief(there)}"
    )


def shown(call: Made | Expected) -> str:
    arguments = call.arguments
    if arguments is None:
        return f"{call.name[:SHOWN]}(unreadable arguments)"
    return f"{call.name[:SHOWN]}({', '.join(f'{name[:SHOWN]}={brief(value)}' for name, value in arguments.items())})"[
        :300
    ]


def brief(value: Any) -> str:
    return "nothing" if value is ... else repr(value)[:SHOWN]
