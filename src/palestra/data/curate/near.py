"""Near duplicates: of rows whose texts are almost the same, one stays."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from pydantic import Field

from palestra.data.curate.stage import EXAMPLES, Dropped, Numbers, Outcome, Settings, Surroundings, example
from palestra.data.rows import Rows
from palestra.data.similarity import ENTRIES, ROWS_OF_A_CALL, Signatures, clusters, in_parallel, near_pairs
from palestra.data.texts import Part


class NearDuplicates(Settings):
    """Keep one of rows whose texts are almost equal: the first, or the best by a column. Order is kept."""

    kind: Literal["near_duplicates"] = "near_duplicates"
    text: Part = Field(default="answer", examples=["prompt"])
    """What is compared: the last `answer`, all that was `written` (reasoning too), or the `prompt`."""
    threshold: float = Field(default=0.8, ge=0.5, le=1.0, examples=[0.9])
    """The least similarity of duplicates: the Jaccard similarity of their shingles, estimated to about 0.05."""
    within: str | None = Field(default="task", examples=["prompt_hash"])
    """A column: only rows that are equal in it are duplicates of each other. Null compares all rows."""
    by: str | None = Field(default=None, examples=["reward"])
    """A column: the row with its largest value stays; of equals, and without it, the first one."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        signed = self.signed(rows, kept)
        apart = rows.codes(self.within)[0][kept] if self.within is not None else None
        first = np.array(clusters(len(kept), near_pairs(signed, self.threshold, apart)), np.int64)
        chosen = self.chosen(rows, kept, first)
        gone = np.setdiff1d(np.arange(len(kept)), chosen, assume_unique=True)
        examples: list[dict[str, Any]] = []
        for row in gone[:EXAMPLES].tolist():
            stands_for = int(kept[chosen[first[chosen] == first[row]][0]])
            told = example(rows, int(kept[row]), ["task", "reward"])
            examples.append({**told, "like": rows.where_is(stands_for)})
        rule = f"{self.text} at least {self.threshold:g} like another's"
        facts = {"clusters": len(np.unique(first[gone]))}
        return Outcome(kept[chosen], [Dropped(rule, len(gone), len(gone), examples)], facts)

    def signed(self, rows: Rows, kept: Numbers) -> Signatures:
        found = np.empty((len(kept), ENTRIES), np.uint32)
        start = 0
        for part in in_parallel(self.calls(rows, kept)):
            found[start : start + len(part)] = part
            start += len(part)
        return found

    def calls(self, rows: Rows, kept: Numbers) -> Iterator[tuple[str, list[tuple[int, int]], Part]]:
        """Neighbours of one file go to a worker together."""
        files, offsets, lengths = rows.places
        for start in range(0, len(kept), ROWS_OF_A_CALL):
            part = kept[start : start + ROWS_OF_A_CALL]
            cuts = np.flatnonzero(np.diff(files[part])) + 1
            for piece in np.split(part, cuts):
                places = list(zip(offsets[piece].tolist(), lengths[piece].tolist(), strict=True))
                yield str(rows.paths[int(files[piece[0]])]), places, self.text

    def chosen(self, rows: Rows, kept: Numbers, first: Numbers) -> Numbers:
        """Positions in `kept` of the rows that stay: one of each cluster."""
        order = np.arange(len(kept))
        if self.by is not None:
            values = np.nan_to_num(rows.numbers(self.by)[kept], nan=-np.inf)
            order = np.argsort(-values, kind="stable")
        _, places = np.unique(first[order], return_index=True)
        return np.sort(order[places])
