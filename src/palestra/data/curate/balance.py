"""Balance: how many rows of each value of a column, by cap, quota or weight, with exact counts."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from palestra.core.errors import PalestraError, suggestion
from palestra.data.curate.groups import drawn, grouped, shares
from palestra.data.curate.stage import Dropped, Numbers, Outcome, Settings, Surroundings
from palestra.data.rows import Rows


class Balance(Settings):
    """Keep a number of rows of each group: task types, difficulties, sources. One of cap, quota and weight.

    Which rows of a group stay is drawn with the seed, or the best ones by `prefer`. The order of rows is kept.
    """

    kind: Literal["balance"] = "balance"
    by: str = Field(examples=["environment"])
    """The column whose values are the groups."""
    cap: int | None = Field(default=None, ge=0, examples=[1000])
    """At most so many rows of each group."""
    quota: dict[str, int] = Field(default={}, examples=[{"easy": 100, "hard": 300}])
    """Exactly so many rows of each group named; an error if it has fewer. Others are dropped."""
    weight: dict[str, float] = Field(default={}, examples=[{"easy": 1, "hard": 3}])
    """Rows in this proportion: `total` of them, or as many as the scarcest group allows. Others are dropped."""
    total: int | None = Field(default=None, ge=1, examples=[10000])
    """How many rows in all, for `weight`."""
    prefer: str | None = Field(default=None, examples=["reward"])
    """Keep the rows of a group in which this column is largest, instead of drawing them."""

    @model_validator(mode="after")
    def has_one_way(self) -> "Balance":
        ways = [self.cap is not None, bool(self.quota), bool(self.weight)]
        if sum(ways) != 1:
            raise ValueError("give one of cap, quota and weight")
        if self.total is not None and not self.weight:
            raise ValueError("total goes with weight only")
        return self

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        groups = grouped(rows, kept, self.by)
        wanted = self.wanted({name: len(members) for name, members in groups.items()})
        generator = around.generator()
        chosen = [self.chosen(rows, groups[name], wanted.get(name, 0), generator) for name in sorted(groups)]
        staying = np.zeros(len(rows), np.bool_)
        for members in chosen:
            staying[members] = True
        found = kept[staying[kept]]
        counts = {name: [len(groups[name]), wanted.get(name, 0)] for name in sorted(groups)}
        dropped = [
            Dropped(f"{self.by} is {name}: {after} of {before}", before - after, before - after)
            for name, (before, after) in counts.items()
        ]
        return Outcome(found, dropped, {"groups": counts})

    def wanted(self, there: Mapping[str, int]) -> dict[str, int]:
        """How many rows of each group. Raises PalestraError if a group that is asked for has fewer."""
        if self.cap is not None:
            return {name: min(count, self.cap) for name, count in there.items()}
        asked = self.quota or self.weight
        for name in asked:
            if name not in there and asked[name]:
                known = ", ".join(sorted(there)[:20])
                message = f"no row has {self.by} {name!r}.{suggestion(name, there)}"
                raise PalestraError("usage", message, fix=f"There are: {known}.")
        wanted = self.quota or self.by_weight(there)
        for name, count in wanted.items():
            if count > there.get(name, 0):
                message = f"{self.by} {name!r} has {there.get(name, 0)} rows, {count} are asked for"
                raise PalestraError("usage", message, fix="Ask for fewer, or collect more of them.")
        return dict(wanted)

    def by_weight(self, there: Mapping[str, int]) -> dict[str, int]:
        names = list(self.weight)
        weights = [self.weight[name] for name in names]
        if self.total is not None:
            return dict(zip(names, shares(self.total, weights), strict=True))
        # The largest total whose shares every group can give; a share differs by less than one from its exact value.
        whole = sum(weights)
        total = min(int((there[name] + 1) * whole / self.weight[name]) for name in names if self.weight[name] > 0)
        while any(count > there.get(name, 0) for name, count in zip(names, shares(total, weights), strict=True)):
            total -= 1
        return dict(zip(names, shares(total, weights), strict=True))

    def chosen(self, rows: Rows, members: Numbers, count: int, generator: np.random.Generator) -> Numbers:
        if self.prefer is None:
            return drawn(generator, members, count)
        values = rows.numbers(self.prefer)[members]
        return members[np.argsort(-values, kind="stable")[:count]]
