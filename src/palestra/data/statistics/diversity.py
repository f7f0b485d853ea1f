"""How different texts are from each other: words, runs of words, near-duplicates, clusters."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from palestra.data.curate.diverse import WORD, Vectors, bucket, unit_vectors
from palestra.data.statistics.numbers import entropy

NEAR = 0.95
"""Cosine of hashed word counts from which on two texts are near-duplicates."""
ALIKE = 0.7
"""Cosine from which on two texts are in one cluster."""
ROWS_AT_ONCE = 256
Integers: TypeAlias = "np.ndarray[Any, np.dtype[np.signedinteger[Any]]]"


def diversity(texts: Sequence[str]) -> dict[str, Any]:
    """Of some texts: entropy of words in bits, distinct-n, share of near-duplicates, clusters.

    distinct-n is the number of different runs of n words over the number of all (Li et al. 2016, arXiv 1510.03055). A
    near-duplicate has a cosine of `NEAR` or more to a text before it, by word counts hashed into 256 buckets; clusters
    are what is connected by cosines of `ALIKE` or more.
    """
    numbers: dict[str, int] = {}
    entries = [
        np.array([numbers.setdefault(word, len(numbers)) for word in WORD.findall(text.lower())], np.int32)
        for text in texts
    ]
    words = np.concatenate([np.zeros(0, np.int32), *entries])
    found: dict[str, Any] = {
        "texts": len(texts),
        "words": len(words),
        "vocabulary": len(numbers),
        "word_entropy_bits": entropy(np.bincount(words, minlength=len(numbers)).astype(np.float64)),
        **distinct_runs(words, np.repeat(np.arange(len(entries)), list(map(len, entries))), len(numbers)),
    }
    buckets = np.array(list(map(bucket, numbers)), np.int64)
    near, labels = compared(unit_vectors([buckets[entry] for entry in entries]))
    sizes = np.sort(np.bincount(labels))[::-1] if len(labels) else np.zeros(0, np.int64)
    return {
        **found,
        "near_duplicate_rate": near / len(texts) if texts else None,
        "clusters": len(sizes),
        "largest_clusters": sizes[:10].tolist(),
    }


def distinct_runs(words: Integers, text_of: Integers, vocabulary: int) -> dict[str, float | None]:
    """The share of different runs among all runs of 1, 2 and 3 words, by the numbers of words and of their texts."""
    found: dict[str, float | None] = {}
    runs = words.astype(np.int64)
    for length in (1, 2, 3):
        if length > 1:
            # Numbered anew, runs stay so small that another word fits beside them.
            runs = np.unique(runs, return_inverse=True)[1][:-1] * vocabulary + words[length - 1 :]
        # What begins in one text and ends in another is none.
        whole = runs[text_of[: len(runs)] == text_of[length - 1 :]]
        found[f"distinct_{length}"] = len(np.unique(whole)) / len(whole) if len(whole) else None
    return found


def compared(vectors: Vectors) -> tuple[int, Integers]:
    """How many texts are near-duplicates of one before them, and for each the number of its cluster."""
    labels = np.arange(len(vectors))
    near = 0
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, len(vectors))
        cosines = vectors[start:end] @ vectors[:end].T
        for row in range(start, end):
            before = cosines[row - start, :row]
            near += bool(np.any(before >= NEAR))
            join(labels, row, np.flatnonzero(before >= ALIKE))
    return near, np.unique(labels, return_inverse=True)[1]


def join(labels: Integers, row: int, close: Integers) -> None:
    """Put a row and those before it that are close to it under one label: that of the first."""
    if not len(close):
        return
    found = labels[close]
    if np.all(found == found[0]):
        labels[row] = found[0]
        return
    joined = np.unique(found)
    labels[row] = joined[0]
    before = labels[:row]
    before[np.isin(before, joined)] = joined[0]
