"""Tasks made from a seed: a request, and constraints that can all be kept at once."""

import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from .kinds import COMBINED, SOLITARY, Kind, Stated
from .topics import REQUESTS, TOPICS

SHARE_OF_SOLITARY = 0.4
"""Of tasks with one constraint: the share whose constraint takes the whole reply."""

MOST_DRAWS = 20

LAYOUTS: tuple[Callable[[str, list[str]], str], ...] = (
    lambda request, rules: "\n".join([request, "", "Keep to these rules:", *(f"- {rule}" for rule in rules)]),
    lambda request, rules: f"{request} {' '.join(rules)}",
    lambda request, rules: f"{' '.join(rules)}\n\n{request}",
    lambda request, rules: "\n\n".join([request, "Your reply will be checked by a program.", "\n".join(rules)]),
)


class Chosen(NamedTuple):
    kind: Kind
    stated: Stated


def generated_rows(seed: int, n: int, difficulty: int) -> Iterator[dict[str, Any]]:
    """`n` tasks, of which hardly any two ask the same: each is drawn again if its prompt was there before."""
    seen: set[int] = set()
    for index in range(n):
        row: dict[str, Any] = {}
        for attempt in range(MOST_DRAWS):
            row = generated_row(Random(f"{seed}/{difficulty}/{index}/{attempt}"), difficulty)
            # The hash of a text differs from process to process.
            digest = zlib.crc32(row["prompt"].encode())
            if digest not in seen:
                seen.add(digest)
                break
        yield row


def generated_row(random: Random, difficulty: int) -> dict[str, Any]:
    """One task with as many constraints as the difficulty says."""
    request = random.choice(REQUESTS).format(random.choice(TOPICS))
    chosen = [Chosen(kind, kind.state(random, request)) for kind in choose(random, difficulty)]
    rules = [stated.rule for _, stated in chosen]
    # A request that is to be copied must come first, or its end could not be told.
    layouts = LAYOUTS[:1] if any(kind.copies_request for kind, _ in chosen) else LAYOUTS
    return {
        "prompt": random.choice(layouts)(request, rules),
        "instruction_id_list": [kind.identifier for kind, _ in chosen],
        "kwargs": [stated.kwargs for _, stated in chosen],
        "difficulty": difficulty,
    }


def choose(random: Random, count: int) -> list[Kind]:
    """Kinds that leave each other room; the first is none that a reply without content keeps."""
    if count == 1 and random.random() < SHARE_OF_SOLITARY:
        return [random.choice(SOLITARY)]
    chosen = [random.choice([kind for kind in COMBINED if not kind.is_kept_by_nonsense])]
    while len(chosen) < count:
        taken = frozenset[str]().union(*(kind.takes for kind in chosen))
        chosen.append(random.choice([kind for kind in COMBINED if taken.isdisjoint(kind.takes)]))
    random.shuffle(chosen)
    return chosen
