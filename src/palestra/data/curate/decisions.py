"""Apply what reviewers decided."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from palestra.data.curate.annotations import adjudicated, agreement, by_row, read_annotations, row_identity
from palestra.data.curate.stage import Numbers, Outcome, Rule, Settings, Surroundings, apply
from palestra.data.rows import Rows


class Decisions(Settings):
    """Drop or keep rows by their labels. Of several reviewers more than half decide, or the adjudicator."""

    kind: Literal["decisions"] = "decisions"
    annotations: list[Path] = Field(min_length=1, examples=[["review-ann.jsonl", "review-ben.jsonl"]])
    """Files with annotations; a later line of the same reviewer about the same row replaces the earlier one."""
    drop: list[str] = Field(default=["reject"], examples=[["reject", "unclear"]])
    """Rows with one of these labels are dropped."""
    require: list[str] = Field(default=[], examples=[["accept"]])
    """If set, only rows with one of these labels stay."""
    adjudicator: str | None = Field(default=None, examples=["carla"])
    """The reviewer whose label counts where others differ."""
    disputed: Literal["keep", "drop"] = Field(default="keep", examples=["drop"])
    """What becomes of rows on whose label there is no majority."""

    def files(self, folder: Path) -> Sequence[Path]:
        return [folder / path for path in self.annotations]

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        annotations = read_annotations(self.files(around.folder))
        given = by_row(annotations)
        labels = {row: adjudicated(entries, self.adjudicator) for row, entries in given.items()}
        found = {int(row): identity for row in kept if (identity := row_identity(rows.line(int(row)))) in labels}
        rules: list[Rule] = []
        for label in self.drop:
            refused = [row for row, identity in found.items() if labels[identity] == label]
            rules.append((f"label is not {label}", ~marked(rows, refused), []))
        if self.require:
            wanted = [row for row, identity in found.items() if labels[identity] in self.require]
            rules.append((f"label in {self.require}", marked(rows, wanted), []))
        if self.disputed == "drop":
            open_rows = [row for row, identity in found.items() if labels[identity] is None]
            rules.append(("reviewers agree", ~marked(rows, open_rows), []))
        left, dropped = apply(rows, kept, rules)
        agreed = agreement(annotations)
        facts = {
            "annotations": len(annotations),
            "annotated_rows": len(found),
            "annotated_elsewhere": len(set(given) - set(found.values())),
            "labelled_twice": agreed.rows,
            "disputed": list(agreed.disputed),
            "kappa": agreed.kappa,
            "kappa_method": agreed.method,
        }
        return Outcome(left, dropped, facts)


def marked(rows: Rows, chosen: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    found = np.zeros(len(rows), np.bool_)
    found[list(chosen)] = True
    return found
