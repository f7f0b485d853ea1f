"""Conversations about a calendar, made backwards: first a day that works, then wishes which that day fulfils."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Literal

from .phrases import ADD, CHAT, CHAT_REPLIES, EVENTS, WISHES
from .schedule import Bounds, bounds_of, clock

OPENS, CLOSES, GRID = 10 * 60, 16 * 60, 15
MIN_TIME, MAX_TIME = clock(OPENS), clock(CLOSES)
ATTEMPTS = 1000
"""Days drawn until one asks for the rearrangement that a difficulty promises; most promise none."""


@dataclass(frozen=True, slots=True)
class Level:
    """What a difficulty means."""

    events: tuple[int, int]
    longest: int
    """Minutes of one event."""
    wished: float
    """The share of events that have a wish."""
    rearranges: Literal["no", "one", "several"] = "no"
    """Whether the last wish breaks the calendar that stands, and how many events have to move."""


LEVELS = MappingProxyType(
    {
        1: Level((1, 1), 60, 1.0),
        2: Level((2, 3), 60, 0.7),
        3: Level((3, 5), 75, 0.8),
        4: Level((4, 5), 75, 0.8, "one"),
        5: Level((5, 7), 90, 0.9, "several"),
    }
)


@dataclass(frozen=True, slots=True)
class Planned:
    """An event with the wish that the hidden day fulfils."""

    key: int
    name: str
    duration: int
    wish: str | None

    def bounds(self, *, wished: bool) -> Bounds:
        return bounds_of(self.wish if wished else None, MIN_TIME, MAX_TIME, compatible=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the user: an event is added, a wish is made, or there is talk."""

    kind: Literal["add", "wish", "chat"]
    event: int = 0
    with_wish: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """The calendar after each turn: starts by event, as minutes since midnight."""

    events: tuple[Planned, ...]
    steps: tuple[Step, ...]
    starts: tuple[dict[int, int], ...]


def make_task(random: Random, difficulty: int) -> dict[str, Any]:
    """A row: the conversation, the state that its last reply must show, and one such calendar."""
    level = LEVELS[difficulty]
    day = draw_day(random, level)
    for _ in range(ATTEMPTS):
        if rearranges(day, level):
            break
        day = draw_day(random, level)
    return {
        "conversation": conversation(random, day),
        "exp_cal_state": {str(event.key): expectation(event) for event in day.events},
        "difficulty": difficulty,
        "solution": listed(day.events, day.starts[-1]),
    }


def draw_day(random: Random, level: Level) -> Day:
    events = draw_events(random, level)
    steps = draw_steps(random, events, chatty=level.rearranges == "no")
    starts: list[dict[int, int]] = []
    for position in range(len(steps)):
        known = {step.event for step in steps[: position + 1] if step.kind == "add"}
        wished = {step.event for step in steps[: position + 1] if step.kind == "wish" or step.with_wish}
        bounds = {key: events[key].bounds(wished=key in wished) for key in sorted(known)}
        standing = starts[-1] if starts else {}
        starts.append(rearranged({key: (events[key].duration, bound) for key, bound in bounds.items()}, standing))
    return Day(events, steps, tuple(starts))


def draw_events(random: Random, level: Level) -> tuple[Planned, ...]:
    """Events that lie one after the other in a hidden order, with gaps, and wishes about where they lie there."""
    slots = (CLOSES - OPENS) // GRID
    while True:
        lengths = [random.randint(1, level.longest // GRID) for _ in range(random.randint(*level.events))]
        if sum(lengths) <= slots:
            break
    free = slots - sum(lengths)
    cuts = sorted(random.randint(0, free) for _ in lengths)
    begins = [OPENS + GRID * (cut + sum(lengths[:position])) for position, cut in enumerate(cuts)]
    hidden = list(zip(begins, [length * GRID for length in lengths], strict=True))
    random.shuffle(hidden)
    names = random.sample(EVENTS, len(hidden))
    return tuple(
        Planned(key, names[key], duration, draw_wish(random, start, start + duration, level.wished))
        for key, (start, duration) in enumerate(hidden)
    )


def draw_wish(random: Random, start: int, end: int, probability: float) -> str | None:
    if random.random() >= probability:
        return None
    early = max(OPENS, start - GRID * random.randint(0, 4))
    late = min(CLOSES, end + GRID * random.randint(0, 4))
    kinds = {
        "before": f"before {spoken(late)}",
        "after": f"after {spoken(early)}",
        "between": f"between {spoken(early)} and {spoken(late)}",
        "at": f"at {spoken(start)}",
    }
    return kinds[random.choices(("before", "after", "between", "at"), (3, 3, 3, 1))[0]]


def draw_steps(random: Random, events: Sequence[Planned], *, chatty: bool) -> tuple[Step, ...]:
    steps: list[Step] = []
    owed: list[int] = []
    for event in events:
        inline = event.wish is not None and random.random() < 0.4
        steps.append(Step("add", event.key, with_wish=inline))
        if event.wish is not None and not inline:
            owed.append(event.key)
        if owed and random.random() < 0.5:
            steps.append(Step("wish", owed.pop(random.randrange(len(owed)))))
    random.shuffle(owed)
    steps += [Step("wish", key) for key in owed]
    if chatty and random.random() < 0.25:
        steps.append(Step("chat"))
    return tuple(steps)


def rearranges(day: Day, level: Level) -> bool:
    """Whether the last turn moves as many standing events as the level promises."""
    if level.rearranges == "no":
        return True
    if day.steps[-1].kind != "wish":
        return False
    before, after = day.starts[-2], day.starts[-1]
    moved = sum(before[key] != after[key] for key in before)
    return moved >= (1 if level.rearranges == "one" else 2)


def rearranged(events: dict[int, tuple[int, Bounds]], standing: dict[int, int]) -> dict[int, int]:
    """Starts for all events, moving as few of the standing ones as can be. The hidden day makes sure there are some."""
    for moves in range(len(events) + 1):
        found = place(events, sorted(events, key=lambda key: slack(events[key])), {}, standing, moves)
        if found is not None:
            return found
    raise AssertionError("a day without conflict was drawn, but is not found")


def slack(event: tuple[int, Bounds]) -> int:
    duration, bounds = event
    return 0 if bounds.fixed_start is not None else bounds.latest_end - bounds.earliest_start - duration


def place(
    events: dict[int, tuple[int, Bounds]],
    waiting: list[int],
    placed: dict[int, int],
    standing: dict[int, int],
    moves: int,
) -> dict[int, int] | None:
    """Starts for the events that wait, at most `moves` of them away from where they stand; None if there are none."""
    if not waiting:
        return placed
    key, rest = waiting[0], waiting[1:]
    duration, bounds = events[key]
    kept = [standing[key]] if key in standing else []
    for start in [*kept, *(range(OPENS, CLOSES, GRID) if moves or not kept else ())]:
        moved = bool(kept) and start != standing[key]
        clear = all(start + duration <= begin or begin + events[other][0] <= start for other, begin in placed.items())
        if clear and bounds.problem(start, start + duration) is None:
            found = place(events, rest, {**placed, key: start}, standing, moves - moved)
            if found is not None:
                return found
    return None


def conversation(random: Random, day: Day) -> list[dict[str, str]]:
    turns: list[dict[str, str]] = []
    for position, step in enumerate(day.steps):
        subject = random.randrange(len(CHAT))
        turns.append({"role": "user", "content": said(random, day.events[step.event], step, subject)})
        if position + 1 < len(day.steps):
            calendar = json.dumps(listed(day.events, day.starts[position]))
            before = f"{CHAT_REPLIES[subject]}\n\n" if step.kind == "chat" else ""
            turns.append({"role": "assistant", "content": before + calendar})
    return turns


def said(random: Random, event: Planned, step: Step, subject: int) -> str:
    if step.kind == "chat":
        return CHAT[subject]
    wish = ""
    if event.wish is not None and (step.kind == "wish" or step.with_wish):
        kind, _, times = event.wish.partition(" ")
        wish = random.choice(WISHES[kind]).format(*times.split(" and "))
    if step.kind == "wish":
        return f"The {event.name} (event id: {event.key}) {wish}, please."
    request = random.choice(ADD).format(name=event.name, minutes=event.duration, key=event.key)
    return f"{request} It {wish}." if wish else request


def listed(events: Sequence[Planned], starts: dict[int, int]) -> list[dict[str, Any]]:
    return [
        {
            "event_id": key,
            "event_name": events[key].name,
            "start_time": clock(start),
            "duration": events[key].duration,
        }
        for key, start in sorted(starts.items())
    ]


def expectation(event: Planned) -> dict[str, Any]:
    return {
        "event_id": event.key,
        "event_name": event.name,
        "duration": event.duration,
        "constraint": event.wish,
        "min_time": MIN_TIME,
        "max_time": MAX_TIME,
    }


def spoken(minute: int) -> str:
    """`1:45pm`, `10am`"""
    hour, rest = divmod(minute, 60)
    return f"{(hour - 1) % 12 + 1}{f':{rest:02}' if rest else ''}{'am' if hour < 12 else 'pm'}"
