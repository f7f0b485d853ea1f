"""Items, their batches and reservations. Prices are in cents."""

from collections import deque
from dataclasses import dataclass, field

from stockroom.errors import NotEnough, UnknownItem


@dataclass
class Batch:
    """Pieces that came at one price."""

    count: int
    price: int


@dataclass
class Shelf:
    """All batches of one item, the oldest first, and what is reserved of them."""

    batches: deque[Batch] = field(default_factory=deque)
    reserved: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(batch.count for batch in self.batches)

    @property
    def available(self) -> int:
        return self.count - sum(self.reserved.values())


class Room:
    """A store of countable items."""

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}

    def receive(self, item: str, count: int, price: int) -> None:
        """Put pieces in store. Raises ValueError for a count below 1 or a price below 0."""
        if count < 1 or price < 0:
            raise ValueError(f"cannot receive {count} pieces at {price}")
        self._shelves.setdefault(item, Shelf()).batches.append(Batch(count, price))

    def count(self, item: str) -> int:
        """Pieces in store, reserved or not. Raises UnknownItem."""
        return self._shelf(item).count

    def available(self, item: str) -> int:
        """Pieces that nobody has reserved. Raises UnknownItem."""
        return self._shelf(item).available

    def value(self, item: str | None = None) -> int:
        """What the pieces of an item, or of all items, cost."""
        shelves = self._shelves.values() if item is None else [self._shelf(item)]
        return sum(batch.count * batch.price for shelf in shelves for batch in shelf.batches)

    def take(self, item: str, count: int) -> int:
        """Remove pieces that nobody has reserved, the oldest first, and tell what they cost. Raises NotEnough."""
        shelf = self._shelf(item)
        if count > shelf.available:
            raise NotEnough(item, count, shelf.available)
        return self._remove(shelf, count)

    def reserve(self, item: str, customer: str, count: int) -> None:
        """Promise pieces to a customer, beside those already promised. Raises NotEnough."""
        shelf = self._shelf(item)
        if count > shelf.available:
            raise NotEnough(item, count, shelf.available)
        shelf.reserved[customer] = shelf.reserved.get(customer, 0) + count

    def release(self, item: str, customer: str) -> int:
        """Forget what was promised to a customer, and tell how much it was."""
        return self._shelf(item).reserved.pop(customer, 0)

    def deliver(self, item: str, customer: str) -> int:
        """Remove what was promised to a customer and tell what it cost."""
        shelf = self._shelf(item)
        return self._remove(shelf, shelf.reserved.pop(customer, 0))

    def items(self) -> list[str]:
        """All items that were ever in store, sorted."""
        return sorted(self._shelves)

    def _shelf(self, item: str) -> Shelf:
        try:
            return self._shelves[item]
        except KeyError:
            raise UnknownItem(item) from None

    def _remove(self, shelf: Shelf, count: int) -> int:
        cost = 0
        while count > 0:
            batch = shelf.batches[0]
            taken = min(count, batch.count)
            cost += taken * batch.price
            count -= taken
            batch.count -= taken
            if batch.count == 0:
                shelf.batches.popleft()
        return cost
