"""Keys and values of all running sequences, in blocks of positions."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from palestra.models.embedded.gguf import Floats

BLOCK_POSITIONS = 64


@dataclass(slots=True, eq=False)
class BlockTable:
    """The blocks of one sequence, in the order of their positions."""

    blocks: list[int] = field(default_factory=list[int])


def blocks_for(positions: int) -> int:
    return -(-positions // BLOCK_POSITIONS)


class KeyValueCache:
    """A dense pool: blocks `0 .. used` belong to running sequences, so attention reads slices and copies nothing."""

    def __init__(self, layers: int, heads: int, width: int) -> None:
        self._shape = (heads, BLOCK_POSITIONS, width)
        self.keys: list[Floats] = [np.zeros((0, *self._shape), np.float32) for _ in range(layers)]
        self.values: list[Floats] = [np.zeros((0, *self._shape), np.float32) for _ in range(layers)]
        self._owners: list[BlockTable] = []

    @property
    def used(self) -> int:
        return len(self._owners)

    @property
    def capacity(self) -> int:
        return len(self.keys[0])

    def reserve(self, blocks: int) -> None:
        """Make room for so many blocks in all; memory is taken when they are written."""
        if blocks > self.capacity:
            self._resize(blocks)

    def extend(self, table: BlockTable, positions: int) -> None:
        """Give `table` the blocks it needs to hold `positions`."""
        while len(table.blocks) < blocks_for(positions):
            self.reserve(self.used + 1)
            table.blocks.append(self.used)
            self._owners.append(table)

    def copy(self, source: BlockTable, target: BlockTable, first: int, last: int) -> None:
        """Take over blocks `first .. last` (the end not counted) of another table; `target` ends at `first`."""
        self.extend(target, last * BLOCK_POSITIONS)
        for array in self._arrays():
            array[target.blocks[first:last]] = array[source.blocks[first:last]]

    def release(self, table: BlockTable) -> None:
        """Take all blocks of `table`; blocks from the end of the pool move into the holes."""
        for block in sorted(table.blocks, reverse=True):
            last = self.used - 1
            if block != last:
                self._move(last, block)
            self._owners.pop()
        table.blocks.clear()
        if not self._owners:
            self._resize(0)

    def _move(self, source: int, target: int) -> None:
        for array in self._arrays():
            array[target] = array[source]
        owner = self._owners[source]
        owner.blocks[owner.blocks.index(source)] = target
        self._owners[target] = owner

    def _resize(self, capacity: int) -> None:
        for arrays in (self.keys, self.values):
            for layer, old in enumerate(arrays):
                # Zeros, because attention multiplies positions that were never written by a weight of 0.
                arrays[layer] = np.zeros((capacity, *self._shape), np.float32)
                arrays[layer][: self.used] = old[: self.used]

    def _arrays(self) -> Iterator[Floats]:
        yield from self.keys
        yield from self.values
