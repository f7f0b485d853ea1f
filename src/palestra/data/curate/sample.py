"""Samples for people to look at: random, by group, or where a look is worth most."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from palestra.core.errors import PalestraError
from palestra.data.curate.groups import drawn, grouped, shares
from palestra.data.curate.outliers import robust_z
from palestra.data.curate.stage import Dropped, Numbers, Outcome, Settings, Surroundings
from palestra.data.derived import success_rate
from palestra.data.rows import Rows


class Sample(Settings):
    """Keep `count` rows, drawn with the seed or the ones that a look is worth most. The order is kept."""

    kind: Literal["sample"] = "sample"
    count: int = Field(ge=1, examples=[50])
    """How many rows; all of them if there are fewer."""
    by: Literal["random", "stratified", "uncertain", "outlier", "disagreement"] = Field(
        default="random", examples=["uncertain"]
    )
    """`stratified`: from each value of `column`, in proportion, and from each at least one if `count` allows;
    `uncertain`: tasks solved half of the time come first; `outlier`: numbers far from the others' come first;
    `disagreement`: rows whose verifiers (`columns`) differ most come first."""
    column: str = Field(default="task", examples=["environment"])
    """The groups of `stratified`."""
    columns: list[str] = Field(default=[], examples=[["accuracy", "judge_score"]])
    """Of `disagreement`, two or more columns with scores; of `outlier`, the numbers that are looked at."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        generator = around.generator()
        if self.by == "random":
            left = drawn(generator, kept, self.count)
        elif self.by == "stratified":
            left = self.stratified(rows, kept, generator)
        else:
            worth = self.worth(rows)[kept]
            # Of equal ones, those that the seed says.
            order = np.lexsort((generator.random(len(kept)), -np.nan_to_num(worth, nan=-1.0)))
            left = kept[np.sort(order[: self.count])]
        gone = len(kept) - len(left)
        return Outcome(left, [Dropped(f"not in the sample ({self.by})", gone, gone)])

    def stratified(self, rows: Rows, kept: Numbers, generator: np.random.Generator) -> Numbers:
        groups = grouped(rows, kept, self.column)
        names = sorted(groups)
        sizes = [len(groups[name]) for name in names]
        count = min(self.count, len(kept))
        if count >= len(names):
            rest = shares(count - len(names), [size - 1 for size in sizes])
            counts = [1 + more for more in rest]
        else:
            counts = shares(count, [float(size) for size in sizes])
        staying = np.zeros(len(rows), np.bool_)
        for name, number in zip(names, counts, strict=True):
            staying[drawn(generator, groups[name], number)] = True
        return kept[staying[kept]]

    def worth(self, rows: Rows) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """How much a look at each row is worth."""
        if self.by == "uncertain":
            rates = np.asarray(success_rate(rows).to_numpy(zero_copy_only=False), np.float64)
            return 0.5 - np.abs(rates - 0.5)
        if self.by == "outlier":
            columns = self.columns or ["assistant_chars", "turns", "tool_calls"]
            distances = np.stack([np.abs(robust_z(rows.numbers(column))) for column in columns])
            return np.nan_to_num(distances).max(axis=0)
        if len(self.columns) < 2:
            raise PalestraError("usage", "a sample by disagreement needs two or more columns", fix="Set columns.")
        scores = np.stack([rows.numbers(column) for column in self.columns])
        spread = scores.max(axis=0) - scores.min(axis=0)
        return np.where(np.isnan(spread), -1.0, spread)
