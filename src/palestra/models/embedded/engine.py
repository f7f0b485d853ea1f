"""Continuous batching: requests enter and leave between steps of one running batch."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from palestra.models.embedded.attention import DecodeAttention, PrefillAttention, Tile
from palestra.models.embedded.cache import BLOCK_POSITIONS, BlockTable, KeyValueCache, blocks_for
from palestra.models.embedded.gguf import Floats
from palestra.models.embedded.network import Network
from palestra.models.embedded.sampling import Draw, draw_tokens

PREFILL_TOKENS = 512
"""Prompt tokens read in one step, so that a long prompt neither stalls the others nor needs much memory."""
CACHE_BLOCKS = 1024
"""Blocks that running sequences may come to need together: about 3 GB, eight full contexts."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Generated ids, with the stop token if one was drawn, and their log-probabilities."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    stopped: bool


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A prompt to continue by at most `limit` tokens."""

    prompt: tuple[int, ...]
    limit: int
    draw: Draw
    stop_ids: frozenset[int]
    result: Future[Completion] = field(default_factory=Future[Completion])

    @property
    def blocks(self) -> int:
        return blocks_for(len(self.prompt) + self.limit)


@dataclass(slots=True, eq=False)
class Sequence:
    """A request that has a place in the batch."""

    request: Request
    table: BlockTable = field(default_factory=BlockTable)
    read: int = 0
    """Prompt tokens whose keys and values are in the cache."""
    ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])

    @property
    def length(self) -> int:
        return len(self.request.prompt) + len(self.ids)

    @property
    def is_prefilling(self) -> bool:
        return self.read < len(self.request.prompt)

    @property
    def has_stopped(self) -> bool:
        return bool(self.ids) and self.ids[-1] in self.request.stop_ids

    @property
    def is_complete(self) -> bool:
        return self.has_stopped or len(self.ids) >= self.request.limit

    def completion(self) -> Completion:
        return Completion(tuple(self.ids), tuple(self.logprobs), self.has_stopped)


def shared_blocks(prompt: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many whole blocks two prompts begin with alike, the one with the first prompt's last token left out."""
    most = min(len(prompt) - 1, len(other)) // BLOCK_POSITIONS
    for block in range(most):
        span = slice(block * BLOCK_POSITIONS, (block + 1) * BLOCK_POSITIONS)
        if prompt[span] != other[span]:
            return block
    return most


class Engine:
    """The batch. Not thread-safe: one thread admits and steps."""

    def __init__(self, network: Network, max_sequences: int) -> None:
        shape = network.shape
        self._network = network
        self._max_sequences = max_sequences
        self._cache = KeyValueCache(shape.layers, shape.key_heads, shape.width)
        self._waiting: deque[Request] = deque()
        self._running: list[Sequence] = []

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._running

    def close(self) -> None:
        self._network.close()

    def admit(self, request: Request) -> None:
        self._waiting.append(request)

    def step(self) -> None:
        """Read some prompt tokens, and draw one token for every sequence whose prompt is read."""
        self._leave()
        self._enter()
        speaking = [sequence for sequence in self._running if not sequence.is_prefilling]
        starting, first = self._prefill()
        drawing = [*starting, *speaking]
        if not drawing:
            return
        hidden = np.concatenate([first, self._decode(speaking)], axis=1) if speaking else first
        self._draw(drawing, hidden)
        for sequence in drawing:
            if sequence.is_complete and sequence.request.result.set_running_or_notify_cancel():
                sequence.request.result.set_result(sequence.completion())

    def _leave(self) -> None:
        """Drop what is complete or was cancelled."""
        for sequence in self._running:
            if sequence.request.result.done():
                self._cache.release(sequence.table)
        self._running = [sequence for sequence in self._running if not sequence.request.result.done()]

    def _enter(self) -> None:
        """Requests join in their order; one that needs much cache waits for room, and those behind it too."""
        reserved = sum(sequence.request.blocks for sequence in self._running)
        while self._waiting and len(self._running) < self._max_sequences:
            request = self._waiting[0]
            if not request.result.cancelled():
                if self._running and reserved + request.blocks > CACHE_BLOCKS:
                    break
                reserved += request.blocks
                self._running.append(Sequence(request))
            self._waiting.popleft()
        self._cache.reserve(reserved)

    def _prefill(self) -> tuple[list[Sequence], Floats]:
        """Read prompt tokens; the sequences whose prompts are read now, with their last activations."""
        tiles: list[Tile] = []
        tokens: list[int] = []
        ends: dict[Sequence, int] = {}
        ready = {sequence: sequence.read for sequence in self._running}
        for sequence in self._running:
            if sequence.is_prefilling and self._reuse(sequence, ready):
                continue
            prompt = sequence.request.prompt
            while sequence.is_prefilling and len(tokens) + BLOCK_POSITIONS <= PREFILL_TOKENS:
                part = prompt[sequence.read : sequence.read + BLOCK_POSITIONS]
                tiles.append(Tile(sequence.table, sequence.read, len(part)))
                tokens.extend(part)
                sequence.read += len(part)
                self._cache.extend(sequence.table, sequence.read)
                if not sequence.is_prefilling:
                    ends[sequence] = len(tokens) - 1
        if not tiles:
            return [], np.empty((self._network.shape.features, 0), np.float32)
        positions = np.concatenate([np.arange(tile.first, tile.first + tile.count) for tile in tiles])
        attention = PrefillAttention(self._cache, self._network.threads, tiles)
        hidden = self._network.hidden(np.array(tokens), positions, attention)
        return list(ends), hidden[:, list(ends.values())]

    def _reuse(self, sequence: Sequence, ready: Mapping[Sequence, int]) -> bool:
        """Copy what another prompt with the same beginning has read; True if more of it is being read in this step.

        Repeats of a task, and tasks that share instructions or examples, are then read once.
        """
        best, last = sequence, sequence.read // BLOCK_POSITIONS
        soon = last
        for other in self._running:
            if other is not sequence:
                shared = shared_blocks(sequence.request.prompt, other.request.prompt)
                soon = max(soon, min(shared, other.read // BLOCK_POSITIONS))
                if min(shared, ready[other] // BLOCK_POSITIONS) > last:
                    best, last = other, min(shared, ready[other] // BLOCK_POSITIONS)
        if best is not sequence:
            self._cache.copy(best.table, sequence.table, sequence.read // BLOCK_POSITIONS, last)
            sequence.read = last * BLOCK_POSITIONS
        return soon > last

    def _decode(self, sequences: list[Sequence]) -> Floats:
        for sequence in sequences:
            self._cache.extend(sequence.table, sequence.length)
        tokens = np.array([sequence.ids[-1] for sequence in sequences])
        positions = np.array([sequence.length - 1 for sequence in sequences])
        tables = [sequence.table for sequence in sequences]
        attention = DecodeAttention(self._cache, self._network.threads, tables, positions)
        return self._network.hidden(tokens, positions, attention)

    def _draw(self, sequences: list[Sequence], hidden: Floats) -> None:
        logits = self._network.logits(hidden)
        draws = [sequence.request.draw for sequence in sequences]
        drawn = draw_tokens(logits, draws, [sequence.length for sequence in sequences])
        for sequence, index, logprob in zip(sequences, drawn.ids.tolist(), drawn.logprobs.tolist(), strict=True):
            sequence.ids.append(index)
            sequence.logprobs.append(logprob)
