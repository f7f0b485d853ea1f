"""Attention over the blocks of the cache: one token of many sequences, or many tokens of few."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from palestra.models.embedded.cache import BLOCK_POSITIONS, BlockTable, KeyValueCache
from palestra.models.embedded.gguf import Floats
from palestra.models.embedded.network import Ints
from palestra.models.embedded.threads import Threads

LOWEST = np.float32(-1e30)


class DecodeAttention:
    """One new token for each sequence.

    Every product has the shape of one block, and a sequence's blocks are added in their order, so that a sequence's
    result does not depend on the others in the batch.
    """

    def __init__(self, cache: KeyValueCache, threads: Threads, tables: Sequence[BlockTable], positions: Ints) -> None:
        self._cache = cache
        self._threads = threads
        counts = np.array([len(table.blocks) for table in tables])
        self._order = np.concatenate([table.blocks for table in tables]).astype(np.intp)
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
        rows = np.repeat(np.arange(len(tables)), counts)
        index = np.arange(len(rows)) - self._starts[rows]
        self._owners = np.zeros(cache.used, np.intp)
        self._owners[self._order] = rows
        self._rounds = [(rows[index == step], self._order[index == step]) for step in range(int(counts.max()))]
        first = np.zeros(cache.used, np.intp)
        first[self._order] = index * BLOCK_POSITIONS
        seen = first[:, None] + np.arange(BLOCK_POSITIONS) <= positions[self._owners][:, None]
        self._mask = np.where(seen, np.float32(0), np.float32(-np.inf))[:, None, None, :]
        self._block = np.array([table.blocks[-1] for table in tables])
        self._offset = positions % BLOCK_POSITIONS

    def __call__(self, layer: int, queries: Floats, keys: Floats, values: Floats) -> Floats:
        pool_keys, pool_values = self._cache.keys[layer], self._cache.values[layer]
        pool_keys[self._block, :, self._offset] = keys
        pool_values[self._block, :, self._offset] = values
        grouped = queries.reshape(len(queries), keys.shape[1], -1, queries.shape[-1])
        used = self._cache.used
        mixed = np.empty((used, *grouped.shape[1:]), np.float32)
        peaks = np.empty((used, *grouped.shape[1:3]), np.float32)
        totals = np.empty_like(peaks)

        def part(index: int) -> None:
            blocks = self._threads.share(used, index)
            scores = grouped[self._owners[blocks]] @ pool_keys[blocks].swapaxes(-1, -2)
            scores += self._mask[blocks]
            # A floor, because blocks of prompts still being read are masked throughout.
            np.maximum(scores.max(axis=-1), LOWEST, out=peaks[blocks])
            scores -= peaks[blocks][..., None]
            weights = np.exp(scores, out=scores)
            np.sum(weights, axis=-1, out=totals[blocks])
            np.matmul(weights, pool_values[blocks], out=mixed[blocks])

        self._threads.run(part)
        return self._merged(mixed, peaks, totals).reshape(len(queries), -1)

    def _merged(self, mixed: Floats, peaks: Floats, totals: Floats) -> Floats:
        """The blocks of each sequence, each computed relative to its own peak, as one."""
        highest = np.maximum.reduceat(peaks[self._order], self._starts)
        factors = np.exp(peaks - highest[self._owners])
        mixed *= factors[..., None]
        total: Floats = np.add.reduceat((totals * factors)[self._order], self._starts)
        return self._summed(mixed) / total[..., None]

    def _summed(self, parts: Floats) -> Floats:
        """The parts of each row's blocks, added in order."""
        (_, blocks), *rest = self._rounds
        summed = parts[blocks]
        for rows, blocks in rest:
            summed[rows] += parts[blocks]
        return summed


@dataclass(frozen=True, slots=True)
class Tile:
    """Tokens of one prompt that fill one block, or the start of one."""

    table: BlockTable
    first: int
    """Position of its first token, a multiple of BLOCK_POSITIONS."""
    count: int


class PrefillAttention:
    """Tokens of prompts, tile by tile; a tile's products depend on its own prompt only."""

    def __init__(self, cache: KeyValueCache, threads: Threads, tiles: Sequence[Tile]) -> None:
        self._cache = cache
        self._threads = threads
        ends = np.cumsum([tile.count for tile in tiles])
        self._spans = [(tile, slice(int(end) - tile.count, int(end))) for tile, end in zip(tiles, ends, strict=True)]
        triangle = np.triu(np.full((BLOCK_POSITIONS, BLOCK_POSITIONS), -np.inf, np.float32), 1)
        self._triangle = triangle

    def __call__(self, layer: int, queries: Floats, keys: Floats, values: Floats) -> Floats:
        pool_keys, pool_values = self._cache.keys[layer], self._cache.values[layer]
        mixed = np.empty((len(queries), queries.shape[1] * queries.shape[2]), np.float32)
        for tile, span in self._spans:
            block = tile.table.blocks[tile.first // BLOCK_POSITIONS]
            pool_keys[block, :, : tile.count] = keys[span].swapaxes(0, 1)
            pool_values[block, :, : tile.count] = values[span].swapaxes(0, 1)

        def part(index: int) -> None:
            for tile, span in self._spans[index :: self._threads.count]:
                blocks = tile.table.blocks[: tile.first // BLOCK_POSITIONS + 1]
                mixed[span] = self._tile(queries[span], pool_keys[blocks], pool_values[blocks])

        self._threads.run(part)
        return mixed

    def _tile(self, queries: Floats, keys: Floats, values: Floats) -> Floats:
        count, heads, width = queries.shape
        key_heads = keys.shape[1]
        group = heads // key_heads
        grouped = np.ascontiguousarray(queries.reshape(count, key_heads, group, width).transpose(1, 2, 0, 3))
        rows = grouped.reshape(key_heads, group * count, width)
        scores = rows @ keys.swapaxes(-1, -2)
        scores[-1].reshape(key_heads, group, count, -1)[...] += self._triangle[:count]
        scores -= scores.max(axis=(0, 3))[None, :, :, None]
        weights = np.exp(scores, out=scores)
        mixed = (weights @ values).sum(axis=0) / weights.sum(axis=-1).sum(axis=0)[..., None]
        return mixed.reshape(key_heads, group, count, width).transpose(2, 0, 1, 3).reshape(count, -1)
