"""Rows by the value of a column, and shares of a whole as exact counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from palestra.data.curate.stage import Numbers
from palestra.data.rows import Rows


def grouped(rows: Rows, kept: Numbers, column: str) -> dict[str, Numbers]:
    """The rows of each value of a column, in order; null is a value of its own."""
    codes, names = rows.codes(column)
    of_kept = codes[kept]
    found = {str(names[code]): kept[of_kept == code] for code in np.unique(of_kept) if code >= 0}
    if np.any(of_kept < 0):
        found["null"] = kept[of_kept < 0]
    return found


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to weights that sum to `total`: the largest remainders are rounded up.

    Hamilton's method. Of equal remainders the first one wins.
    """
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights] if whole else [0.0] * len(weights)
    counts = [int(number) for number in exact]
    order = sorted(range(len(weights)), key=lambda place: (counts[place] - exact[place], place))
    for place in order[: total - sum(counts)] if whole else ():
        counts[place] += 1
    return counts


def drawn(generator: np.random.Generator, kept: Numbers, count: int) -> Numbers:
    """`count` of the rows at random, in the order that they had."""
    if count >= len(kept):
        return kept
    return kept[np.sort(generator.permutation(len(kept))[:count])]


def ranks(values: "np.ndarray[Any, np.dtype[np.float64]]", *, is_largest_first: bool) -> Numbers:
    """Positions by value; equal ones keep their order, NaN comes last."""
    return np.argsort(-values if is_largest_first else values, kind="stable")
