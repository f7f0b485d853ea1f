"""Curricula: rows from easy to hard, or in rounds that each mix bands of difficulty."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from palestra.data.curate.bands import Difficulty
from palestra.data.curate.groups import shares
from palestra.data.curate.stage import Dropped, Numbers, Outcome, Surroundings
from palestra.data.rows import Rows


class Curriculum(Difficulty):
    """Order rows by how often their task is solved. This stage changes the order; the trainer must not shuffle.

    Without rounds: from the most to the least solved. With rounds: as many equal parts, the first of the easiest
    rows, the last of the hardest, and within a part the rows in their own order.
    """

    kind: Literal["curriculum"] = "curriculum"
    rounds: int | None = Field(default=None, ge=1, examples=[4])
    """How many rounds; each is a file of its own as well, `<output>_round<N>.jsonl`."""
    review: float = Field(default=0.0, ge=0, lt=1, examples=[0.1])
    """The share of each round, from the second on, that is drawn again from earlier rounds. These rows are copies."""
    hard_first: bool = Field(default=False, examples=[True])
    """From hard to easy instead."""
    unknown: Literal["drop", "last"] = Field(default="drop", examples=["last"])
    """What becomes of rows of whose task no success rate is known."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        rates = self.rates(rows, around)[kept]
        known = ~np.isnan(rates)
        sign = 1 if self.hard_first else -1
        order = np.argsort(np.where(known, sign * rates, np.inf), kind="stable")
        ordered = kept[order] if self.unknown == "last" else kept[order][: int(known.sum())]
        gone = len(kept) - len(ordered)
        dropped = [Dropped("no success rate of the task is known", gone, gone)] if gone else []
        if self.rounds is None:
            return Outcome(ordered, dropped)
        parts = self.parts(ordered, around)
        of_row = np.full(len(rows), np.nan)
        of_row[kept] = rates
        facts = [
            {"rows": len(part), "mean_success_rate": float(np.nanmean(of_row[part])) if len(part) else None}
            for part in parts
        ]
        starts = [0, *np.cumsum([len(part) for part in parts])[:-1].tolist()]
        return Outcome(np.concatenate(parts), dropped, {"rounds": facts}, starts)

    def parts(self, ordered: Numbers, around: Surroundings) -> Sequence[Numbers]:
        generator = around.generator()
        assert self.rounds is not None
        sizes = shares(len(ordered), [1.0] * self.rounds)
        parts: list[Numbers] = []
        start = 0
        for size in sizes:
            part = np.sort(ordered[start : start + size])
            again = round(size * self.review / (1 - self.review)) if start else 0
            if again:
                part = np.concatenate(
                    [part, np.sort(generator.choice(ordered[:start], min(again, start), replace=False))]
                )
            parts.append(part)
            start += size
        return parts
