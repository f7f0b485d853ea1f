"""How different texts are from each other: words, runs of words, near-duplicates, clusters."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from palestra.data.curate.diverse import WORD, features
from palestra.data.statistics.numbers import entropy

NEAR = 0.95
"""Cosine of hashed word counts from which on two texts are near-duplicates."""
ALIKE = 0.7
"""Cosine from which on two texts are in one cluster."""


def diversity(texts: Sequence[str]) -> dict[str, Any]:
    """Of some texts: entropy of words in bits, distinct-n, share of near-duplicates, clusters.

    distinct-n is the number of different runs of n words over the number of all (Li et al. 2016, arXiv 1510.03055). A
    near-duplicate has a cosine of `NEAR` or more to a text before it, by word counts hashed into 256 buckets; clusters
    are what is connected by cosines of `ALIKE` or more.
    """
    words = [WORD.findall(text.lower()) for text in texts]
    counts = Counter(word for entry in words for word in entry)
    found: dict[str, Any] = {
        "texts": len(texts),
        "words": counts.total(),
        "vocabulary": len(counts),
        "word_entropy_bits": entropy(np.array(list(counts.values()), np.float64)),
    }
    for length in (1, 2, 3):
        runs = [run for entry in words for run in zip(*(entry[start:] for start in range(length)), strict=False)]
        found[f"distinct_{length}"] = len(set(runs)) / len(runs) if runs else None
    vectors = features(list(texts))
    near = sum(
        bool(np.any(vectors[:row] @ vectors[row] >= NEAR)) for row in range(1, len(vectors)) if vectors[row].any()
    )
    labels = clusters(vectors, ALIKE)
    sizes = np.sort(np.bincount(labels))[::-1] if len(labels) else np.zeros(0, np.int64)
    return {
        **found,
        "near_duplicate_rate": near / len(texts) if texts else None,
        "clusters": len(sizes),
        "largest_clusters": sizes[:10].tolist(),
    }


def clusters(vectors: "np.ndarray[Any, np.dtype[np.float32]]", least: float) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """For each row the number of its cluster: rows are together if a chain of cosines of `least` or more joins them."""
    labels = np.full(len(vectors), -1, np.int64)
    number = 0
    for first in range(len(vectors)):
        if labels[first] >= 0:
            continue
        waiting = [first]
        labels[first] = number
        while waiting:
            close = (vectors @ vectors[waiting.pop()] >= least) & (labels < 0)
            labels[close] = number
            waiting.extend(np.flatnonzero(close).tolist())
        number += 1
    return labels
