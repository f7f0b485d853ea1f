"""The best rollouts of each task, and exact duplicates."""

from typing import Literal

import numpy as np
from pydantic import Field

from palestra.data.curate.stage import EXAMPLES, Dropped, Numbers, Outcome, Settings, Surroundings, example
from palestra.data.rows import Rows


def first_of_each(keys: "list[np.ndarray[tuple[int], np.dtype[np.int64]]]", count: int) -> Numbers:
    """Positions of the first `count` entries of each combination of keys, in order."""
    if not keys or not len(keys[0]):
        return np.zeros(0, np.int64)
    _, group = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    place = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    return np.sort(order[place < count])


class Best(Settings):
    """Keep the best rollouts of each task. The order of rows is kept; of equal rows the first ones stay."""

    kind: Literal["best"] = "best"
    count: int = Field(default=1, ge=1, examples=[2])
    """How many of each task."""
    by: str = Field(default="reward", examples=["reward"])
    """The column that says what is best."""
    smallest: bool = Field(default=False, examples=[True])
    """The smallest value is best, not the largest."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        values = rows.numbers(self.by)[kept]
        order = np.argsort(values if self.smallest else -values, kind="stable")
        tasks = rows.tasks[0][kept][order]
        # Rows without a task are each their own.
        tasks = np.where(tasks < 0, -1 - np.arange(len(tasks)), tasks)
        chosen = np.sort(order[first_of_each([tasks], self.count)])
        gone = np.setdiff1d(kept, kept[chosen], assume_unique=True)
        examples = [example(rows, int(row), ["task", self.by]) for row in gone[:EXAMPLES]]
        rule = f"the best {self.count} of each task by {self.by}"
        return Outcome(kept[chosen], [Dropped(rule, len(gone), len(gone), examples)])


class Unique(Settings):
    """Keep the first of rows that are equal in some columns: exact duplicates of prompt and text, if nothing else."""

    kind: Literal["unique"] = "unique"
    by: list[str] = Field(default=["prompt_hash", "text_hash"], min_length=1, examples=[["task", "text_hash"]])
    """Columns in which rows must be equal to count as duplicates; null equals null."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        chosen = first_of_each([rows.codes(column)[0][kept] for column in self.by], 1)
        gone = np.setdiff1d(kept, kept[chosen], assume_unique=True)
        examples = [example(rows, int(row), self.by) for row in gone[:EXAMPLES]]
        return Outcome(kept[chosen], [Dropped(f"the same {' and '.join(self.by)}", len(gone), len(gone), examples)])
