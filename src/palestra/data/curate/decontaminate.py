"""Drop rows that hold questions of benchmarks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from palestra.data.contamination import (
    MIN_OVERLAP,
    Benchmark,
    Match,
    questions_of,
    texts_of_row,
    whole_texts_of_row,
)
from palestra.data.curate.stage import EXAMPLES, Dropped, Numbers, Outcome, Settings, Surroundings
from palestra.data.index.shapes import RowReader
from palestra.data.rows import Rows

ROWS_AT_ONCE = 256


class Decontaminate(Settings):
    """Drop rows that hold a question of a benchmark, whatever case, punctuation and blanks, or in a longer text."""

    kind: Literal["decontaminate"] = "decontaminate"
    against: list[Path] = Field(min_length=1, examples=[["benchmark.jsonl"]])
    """JSONL files with the questions; relative paths start at the pipeline file."""
    field: str | None = Field(default=None, examples=["question"])
    """The field of the questions; found by its usual names if it is not named."""
    min_overlap: float = Field(default=MIN_OVERLAP, gt=0, le=1, examples=[0.5])
    """The least share of a question's runs of 13 words that a row must have to hold it."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        matches = self.matches(rows, kept, around.folder)
        gone = np.array(sorted(matches), np.int64)
        stays = np.setdiff1d(kept, gone, assume_unique=True) if len(gone) else kept
        # setdiff1d sorts, and rows may be in another order.
        stays = kept[np.isin(kept, stays)]
        examples = [matches[int(row)][0].to_json() for row in gone[:EXAMPLES]]
        facts = {"questions": len({match.question.where for found in matches.values() for match in found})}
        return Outcome(stays, [Dropped("holds a benchmark's question", len(gone), len(gone), examples)], facts)

    def matches(self, rows: Rows, kept: Numbers, folder: Path) -> dict[int, list[Match]]:
        """What each row holds, for those that hold something."""
        questions = (entry for path in self.files(folder) for entry in questions_of(path, self.field))
        benchmark, reader = Benchmark(questions, self.min_overlap), RowReader()
        found: dict[int, list[Match]] = {}
        for start in range(0, len(kept), ROWS_AT_ONCE):
            part = kept[start : start + ROWS_AT_ONCE].tolist()
            lines = list(rows.lines(part))
            for place in benchmark.suspicious(whole_texts_of_row(line, reader) for line in lines):
                row = part[place]
                matches = benchmark.matches(rows.where_is(row), texts_of_row(lines[place], reader))
                if matches:
                    found[row] = matches
        return found

    def files(self, folder: Path) -> Sequence[Path]:
        return [folder / path for path in self.against]
