"""Quality against diversity: a greedy choice of rows that are good and unlike those chosen before."""

import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import xxhash
from pydantic import Field

from palestra.core.errors import PalestraError
from palestra.data.curate.stage import Dropped, Numbers, Outcome, Settings, Surroundings
from palestra.data.rows import Rows
from palestra.data.texts import texts_of

FEATURES = 256
"""Buckets that the words of a text are hashed into."""
MAX_ROWS = 20_000
"""More candidates than these are thinned out first: the best ones by quality stay."""
CURVE = (0.0, 0.25, 0.5, 0.75, 1.0)
CURVE_ROWS = 500
"""The trade-off curve is computed on the best so many candidates, as each point is a choice of its own."""
Vectors: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"
WORD = re.compile(r"\w+")


def features(texts: list[str]) -> Vectors:
    """Each text as a unit vector of hashed word counts, damped as 1 + log(count)."""
    buckets: dict[str, int] = {}
    return unit_vectors([buckets_of(text, buckets) for text in texts])


def buckets_of(text: str, known: dict[str, int]) -> list[int]:
    """The bucket of each word of a text; `known` are those of words that were met before."""
    words = WORD.findall(text.lower())
    for word in set(words).difference(known):
        known[word] = bucket(word)
    return [known[word] for word in words]


def bucket(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode("utf-8", "replace")) % FEATURES


def unit_vectors(buckets: "Sequence[Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]]") -> Vectors:
    """Texts, given by the buckets of their words, as unit vectors."""
    found = np.zeros((len(buckets), FEATURES), np.float32)
    for row, entry in enumerate(buckets):
        if len(entry):
            found[row] = np.bincount(entry, minlength=FEATURES)
    np.log1p(found, out=found)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(norms > 0, norms, 1), np.float32)


def marginal_relevance(
    quality: "np.ndarray[Any, np.dtype[np.float64]]",
    vectors: "np.ndarray[Any, np.dtype[np.float32]]",
    count: int,
    weight: float,
) -> Numbers:
    """The positions of `count` rows, in the order in which they are chosen.

    Maximal marginal relevance: each choice has the largest weight * quality - (1 - weight) * (largest cosine to a row
    chosen before). Carbonell and Goldstein 1998, "The Use of MMR". Of equal ones the first is chosen.
    """
    nearest = np.zeros(len(quality))
    score = weight * quality
    is_free = np.ones(len(quality), np.bool_)
    chosen: list[int] = []
    for _ in range(min(count, len(quality))):
        value = np.where(is_free, score - (1 - weight) * nearest, -np.inf)
        best = int(np.argmax(value))
        chosen.append(best)
        is_free[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return np.array(chosen, np.int64)


def scaled(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Values from 0 to 1; NaN is 0."""
    known = values[~np.isnan(values)]
    if not len(known) or known.max() == known.min():
        return np.where(np.isnan(values), 0.0, 1.0)
    return np.nan_to_num((values - known.min()) / (known.max() - known.min()))


class Diverse(Settings):
    """Keep `count` rows that are good and unlike each other (maximal marginal relevance). The order is kept."""

    kind: Literal["diverse"] = "diverse"
    count: int = Field(ge=1, examples=[1000])
    """How many rows stay."""
    weight: float = Field(default=0.7, ge=0, le=1, examples=[0.5])
    """1 looks at quality alone, 0 at diversity alone."""
    quality: str = Field(default="reward", examples=["reward"])
    """The column that says how good a row is; its values are scaled to 0 to 1."""
    text: Literal["written", "prompt", "answer"] = Field(default="written", examples=["prompt"])
    """The text that rows are compared by."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        if len(kept) <= self.count:
            return Outcome(kept)
        if self.count > MAX_ROWS:
            message = f"diverse chooses up to {MAX_ROWS} rows, got count = {self.count}"
            raise PalestraError("usage", message, fix="Use near-duplicates and `balance` for larger sets.")
        quality = scaled(rows.numbers(self.quality)[kept])
        candidates = np.sort(np.argsort(-quality, kind="stable")[:MAX_ROWS])
        quality = quality[candidates]
        vectors = features([getattr(texts_of(rows.line(int(row))), self.text) for row in kept[candidates]])
        chosen = marginal_relevance(quality, vectors, self.count, self.weight)
        left = kept[candidates[np.sort(chosen)]]
        gone = len(kept) - len(left)
        facts: dict[str, Any] = {
            "candidates": len(candidates),
            "chosen": measured(quality, vectors, chosen),
            "curve": self.curve(quality, vectors),
        }
        return Outcome(left, [Dropped(f"not among {self.count} good and diverse rows", gone, gone)], facts)

    def curve(
        self, quality: "np.ndarray[Any, np.dtype[np.float64]]", vectors: "np.ndarray[Any, np.dtype[np.float32]]"
    ) -> list[dict[str, float]]:
        """What other weights would have chosen, on a smaller problem with the same share."""
        some = np.sort(np.argsort(-quality, kind="stable")[:CURVE_ROWS])
        count = max(1, round(len(some) * self.count / len(quality)))
        return [
            {
                "weight": weight,
                **measured(
                    quality[some], vectors[some], marginal_relevance(quality[some], vectors[some], count, weight)
                ),
            }
            for weight in CURVE
        ]


def measured(
    quality: "np.ndarray[Any, np.dtype[np.float64]]",
    vectors: "np.ndarray[Any, np.dtype[np.float32]]",
    chosen: Numbers,
) -> dict[str, float]:
    """Mean quality, and mean cosine distance between two different rows of a choice."""
    count = len(chosen)
    total = np.linalg.norm(vectors[chosen].sum(axis=0, dtype=np.float64)) ** 2
    own = float((vectors[chosen].astype(np.float64) ** 2).sum())
    distance = 1 - (total - own) / (count * (count - 1)) if count > 1 else 0.0
    return {"mean_quality": float(quality[chosen].mean()), "mean_distance": float(distance)}
