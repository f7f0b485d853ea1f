"""What has to be ordered."""

from collections.abc import Mapping
from dataclasses import dataclass

from stockroom.room import Room


@dataclass(frozen=True)
class Rule:
    """Order when fewer than `minimum` are available, up to `target`, in whole packs."""

    minimum: int
    target: int
    pack: int = 1


@dataclass(frozen=True)
class Order:
    item: str
    count: int


def orders(room: Room, rules: Mapping[str, Rule], on_the_way: Mapping[str, int] | None = None) -> list[Order]:
    """What to order now, by name of the item. Pieces on the way count as available."""
    found: list[Order] = []
    for item, rule in sorted(rules.items()):
        present = room.available(item) if item in room.items() else 0
        expected = present + (on_the_way or {}).get(item, 0)
        if expected < rule.minimum:
            found.append(Order(item, whole_packs(rule.target - expected, rule.pack)))
    return found


def whole_packs(count: int, pack: int) -> int:
    """The smallest multiple of `pack` that is not below `count`."""
    return -(-count // pack) * pack
