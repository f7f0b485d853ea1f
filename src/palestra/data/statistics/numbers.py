"""A column of numbers in a few: moments, quantiles, histogram."""

from typing import Any

import numpy as np

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20


def describe(values: "np.ndarray[Any, np.dtype[np.float64]]") -> dict[str, Any]:
    """What is known of some numbers; NaN is no number and is counted as `null`.

    `std` is the sample standard deviation (n - 1), `skewness` and `kurtosis` are the biased moments g1 and g2 (excess,
    so 0 for a normal distribution), quantiles are interpolated linearly (Hyndman and Fan's type 7). What is not
    defined, as the deviation of one number, is None.
    """
    known = values[~np.isnan(values)]
    about: dict[str, Any] = {"count": len(known), "null": len(values) - len(known)}
    if not len(known):
        return about
    mean = float(known.mean())
    deviation = float(known.std())
    # Scaled first: powers of very small deviations are 0.
    scaled = (known - mean) / deviation if deviation > 0 else None
    counts, edges = histogram(known)
    return {
        **about,
        "mean": mean,
        "std": float(known.std(ddof=1)) if len(known) > 1 else None,
        "min": float(known.min()),
        "max": float(known.max()),
        "skewness": None if scaled is None else float(np.mean(scaled**3)),
        "kurtosis": None if scaled is None else float(np.mean(scaled**4)) - 3,
        "quantiles": dict(zip(map(str, QUANTILES), np.quantile(known, QUANTILES).tolist(), strict=True)),
        "histogram": {"counts": counts.tolist(), "edges": edges.tolist()},
    }


def histogram(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Counts and edges of equal bins; one bin if the values are so close that no numbers lie between enough edges."""
    edges = np.linspace(values.min(), values.max(), BINS + 1)
    is_too_close = values.min() < values.max() and len(np.unique(edges)) <= BINS
    return (np.array([len(values)]), edges[[0, -1]]) if is_too_close else np.histogram(values, BINS)


def entropy(counts: "np.ndarray[Any, Any]") -> float:
    """Shannon's entropy of a distribution given by counts, in bits; 0 if there are none."""
    total = counts.sum()
    shares = counts[counts > 0] / total if total else counts[:0]
    return float(-(shares * np.log2(shares)).sum()) + 0.0
