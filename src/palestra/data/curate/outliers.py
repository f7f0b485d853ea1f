"""Outliers: rows whose numbers are far from those of the others, with the reason."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from palestra.data.curate.stage import Numbers, Outcome, Rule, Settings, Surroundings, apply
from palestra.data.rows import Rows

TO_SIGMA = 0.6745
"""The median absolute deviation of a normal distribution, in standard deviations."""


def robust_z(values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """How far each value is from the median: 0.6745 (x - median) / median absolute deviation.

    Iglewicz and Hoaglin 1993, "How to Detect and Handle Outliers". If more than half of the values are equal, the mean
    absolute deviation stands in, as they advise: (x - median) / (1.253314 mean absolute deviation). NaN stays NaN.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    apart = values - np.median(known)
    spread = np.median(np.abs(apart[~np.isnan(apart)])) / TO_SIGMA
    spread = spread or 1.253314 * np.mean(np.abs(apart[~np.isnan(apart)]))
    return apart / spread if spread else apart


def beyond_fences(
    values: "np.ndarray[Any, np.dtype[np.float64]]", factor: float
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Distance from the box of the middle half, in heights of the box; above `factor` is outside Tukey's fences."""
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    low, high = np.quantile(known, [0.25, 0.75])
    outside = np.maximum(np.maximum(low - values, values - high), 0)
    return outside / (high - low) if high > low else np.where(outside > 0, np.inf, outside) * (factor > 0)


class Outliers(Settings):
    """Drop outliers, or keep only them to look at. Each row that is one has a reason: column, value, how far out."""

    kind: Literal["outliers"] = "outliers"
    columns: list[str] = Field(
        default=["assistant_chars", "turns", "tool_calls", "prompt_chars"], min_length=1, examples=[["output_tokens"]]
    )
    """The columns that are looked at."""
    method: Literal["robust_z", "iqr"] = Field(default="robust_z", examples=["iqr"])
    """`robust_z`: distance from the median in robust standard deviations; `iqr`: Tukey's fences."""
    limit: float | None = Field(default=None, gt=0, examples=[5.0])
    """How far is too far; 5 for `robust_z` and 3 for `iqr` if nothing is said."""
    keep: Literal["others", "outliers"] = Field(default="others", examples=["outliers"])
    """What stays."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        limit = self.limit or (5.0 if self.method == "robust_z" else 3.0)
        found: list[Rule] = []
        reasons: dict[int, list[str]] = {}
        is_out = np.zeros(len(rows), np.bool_)
        for column in self.columns:
            values = np.full(len(rows), np.nan)
            values[kept] = rows.numbers(column)[kept]
            far = np.abs(robust_z(values)) if self.method == "robust_z" else beyond_fences(values, limit)
            is_far = np.nan_to_num(far, posinf=np.inf) > limit
            is_out |= is_far
            for row in np.flatnonzero(is_far)[:100]:
                reasons.setdefault(int(row), []).append(f"{column} is {values[row]:g}, {far[row]:.1f} out")
            found.append((f"{column} within {limit:g} ({self.method})", ~is_far, [column]))
        told = [{"where": rows.where_is(row), "reasons": why} for row, why in sorted(reasons.items())[:100]]
        if self.keep == "outliers":
            found = [("is an outlier", is_out, list(self.columns))]
        left, dropped = apply(rows, kept, found)
        return Outcome(left, dropped, {"outliers": told})
