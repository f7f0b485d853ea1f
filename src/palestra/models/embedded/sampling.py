"""Drawing the next token of every sequence from one matrix of logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palestra.models.embedded.gguf import Floats
from palestra.models.embedded.network import Ints

GROUP = 256
"""Tokens whose weights are summed first: float32 sums stay exact enough, and a draw looks at one group only."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draw:
    """How one sequence draws its tokens. `uniforms[i]` decides the token at position i, whoever else is running."""

    temperature: float
    top_p: float
    uniforms: Doubles

    @classmethod
    def seeded(cls, *, seed: int, temperature: float, top_p: float, positions: int) -> "Draw":
        generator = np.random.Generator(np.random.Philox(key=seed))
        return cls(temperature, top_p, generator.random(positions))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token for each column, and its log-probability at temperature 1 over the whole vocabulary."""

    ids: Ints
    logprobs: Floats


def draw_tokens(logits: Floats, draws: Sequence[Draw], positions: Sequence[int]) -> Drawn:
    """Draw from the first columns of `logits`, (vocabulary, columns)."""
    peaks = logits.max(axis=0)
    plain = exponentials(logits, peaks, 1.0)
    heated = {1.0: plain}
    for temperature in {draw.temperature for draw in draws} - {0.0, 1.0}:
        heated[temperature] = exponentials(logits, peaks, temperature)
    ids = np.zeros(len(draws), np.intp)
    for column, (draw, position) in enumerate(zip(draws, positions, strict=True)):
        if draw.temperature == 0:
            ids[column] = np.argmax(logits[:, column])
        else:
            ids[column] = heated[draw.temperature].choose(column, draw.top_p, draw.uniforms[position])
    columns = np.arange(len(ids))
    totals = plain.sums[:, columns].sum(axis=0, dtype=np.float64)
    logprobs = logits[ids, columns] - peaks[columns] - np.log(totals)
    return Drawn(ids, logprobs.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Exponentials:
    """exp((logits - peak) / temperature) of every column, and its sums over groups of tokens."""

    weights: Floats
    sums: Floats

    def choose(self, column: int, top_p: float, uniform: float) -> int:
        if top_p < 1:
            return nucleus(np.ascontiguousarray(self.weights[:, column]), top_p, uniform)
        group, rest = inverse(self.sums[:, column], uniform)
        start = group * GROUP
        return start + inverse(self.weights[start : start + GROUP, column], rest)[0]


def exponentials(logits: Floats, peaks: Floats, temperature: float) -> Exponentials:
    weights = logits - peaks
    if temperature != 1:
        weights /= np.float32(temperature)
    np.exp(weights, out=weights)
    return Exponentials(weights, weights.reshape(-1, GROUP, weights.shape[1]).sum(axis=1))


def nucleus(weights: Floats, top_p: float, uniform: float) -> int:
    """A token of the smallest set of most probable tokens whose probabilities reach `top_p`."""
    total = weights.sum(dtype=np.float64)
    # Tokens below this bound sum to less than 1 - top_p, so the set is complete without them.
    candidates = np.flatnonzero(weights >= (1 - top_p) * total / len(weights))
    ranked = candidates[np.argsort(-weights[candidates], kind="stable")]
    reached: Doubles = np.cumsum(weights[ranked], dtype=np.float64)
    kept = ranked[: int(np.count_nonzero(reached < top_p * total)) + 1]
    index, _ = inverse(weights[kept], uniform)
    return int(kept[index])


def inverse(weights: Floats, uniform: float) -> tuple[int, float]:
    """The entry that `uniform` in [0, 1) falls on, and where in the entry it falls, again in [0, 1)."""
    reached: Doubles = np.cumsum(weights, dtype=np.float64)
    target = min(uniform * reached[-1], np.nextafter(reached[-1], 0))
    index = int(np.count_nonzero(reached <= target))
    below = reached[index - 1] if index else 0.0
    return index, min(float((target - below) / (reached[index] - below)), 1 - 2**-53)
