"""A mapping of bounded size and age."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any


class Cache:
    """Keeps at most `size` entries, each for at most `lifetime` seconds; the least recently used goes first.

    Reading an entry with `get` counts as use, looking with `in` does not. `clock` tells the time in seconds.
    """

    def __init__(self, size: int, lifetime: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        if size < 1:
            raise ValueError(f"a cache of size {size} keeps nothing")
        self.size = size
        self.lifetime = lifetime
        self.clock = clock
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Hashable, tuple[Any, float]] = OrderedDict()

    def __len__(self) -> int:
        self._forget_old()
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries and not self._is_old(key)

    def __iter__(self) -> Iterator[Hashable]:
        """The keys, the least recently used first."""
        self._forget_old()
        return iter(list(self._entries))

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The value of a key, or the default; counts a hit or a miss."""
        if key not in self:
            self._entries.pop(key, None)
            self.misses += 1
            return default
        self.hits += 1
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        """Store a value; an old one of the same key is replaced and its age forgotten."""
        self._entries[key] = (value, self.clock())
        self._entries.move_to_end(key)
        if len(self._entries) > self.size:
            self._forget_old()
        while len(self._entries) > self.size:
            self._entries.popitem(last=False)

    def drop(self, key: Hashable) -> bool:
        """Forget a key; tell whether it was there."""
        was_there = key in self
        self._entries.pop(key, None)
        return was_there

    def resize(self, size: int) -> None:
        """Change the size; what no longer fits is forgotten."""
        if size < 1:
            raise ValueError(f"a cache of size {size} keeps nothing")
        self.size = size
        while len(self._entries) > size:
            self._entries.popitem(last=False)

    def hit_rate(self) -> float:
        """The share of reads that found something; 0 before the first."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0

    def _is_old(self, key: Hashable) -> bool:
        return self.lifetime is not None and self.clock() - self._entries[key][1] >= self.lifetime

    def _forget_old(self) -> None:
        for key in [key for key in self._entries if self._is_old(key)]:
            del self._entries[key]
