"""Drop what went wrong in the text: loops, refusals, cut answers, broken formats."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from palestra.data.curate.stage import Numbers, Outcome, Rule, Settings, Surroundings, apply
from palestra.data.rows import Rows


class Detect(Settings):
    """Drop rows whose text is broken. Rows without a response have no text and stay."""

    kind: Literal["detect"] = "detect"
    max_repetition: float | None = Field(default=0.5, ge=0, le=1, examples=[0.3])
    """The largest share of repeated runs of four words (column `repetition`); null for no limit."""
    max_compression: float | None = Field(default=10.0, gt=0, examples=[8.0])
    """How well the text may compress (column `compression`); loops compress best. Null for no limit."""
    refusals: bool = Field(default=True, examples=[False])
    """Drop refusals (column `refused`)."""
    cut_off: bool = Field(default=True, examples=[False])
    """Drop answers that were cut (column `cut_off`)."""
    formats: list[str] = Field(
        default=["empty", "template", "call_in_text", "tag", "fence", "boxed", "arguments"],
        examples=[["template", "tag"]],
    )
    """Drop these breaks of format (column `format_break`)."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        return Outcome(*apply(rows, kept, list(self.rules(rows))))

    def rules(self, rows: Rows) -> Iterator[Rule]:
        for column, limit in (("repetition", self.max_repetition), ("compression", self.max_compression)):
            if limit is not None:
                values = rows.numbers(column)
                yield f"{column} <= {limit:g}", np.isnan(values) | (np.nan_to_num(values) <= limit), [column]
        for column, is_wanted in (("refused", self.refusals), ("cut_off", self.cut_off)):
            if is_wanted:
                yield f"not {column}", rows.numbers(column) != 1, [column, "end_reason"]
        for kind in self.formats:
            codes, names = rows.codes("format_break")
            wrong = names.index(kind) if kind in names else len(names)
            yield f"format_break is not {kind}", codes != wrong, ["format_break"]
