"""Annotations of rows by people: labels, scores and notes in a file beside the data, which itself is never changed.

A line names a row by the hash of its bytes, so annotations hold for the row wherever it is copied. A later line of the
same reviewer about the same row replaces the earlier one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palestra.core.errors import PalestraError
from palestra.core.tools import validation_text
from palestra.data.rows import Rows
from palestra.data.texts import texts_of
from palestra.store.paths import replacing
from palestra.wire.encoding import decode, encode


class Annotation(BaseModel):
    """What one reviewer says of one row."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True, frozen=True)

    row: str = Field(examples=["0f5c1e9a7d3b42c68e1f0a9b8c7d6e5f"])
    """The hash of the row's bytes, as `palestra curate --review` writes it."""
    reviewer: str = Field(default="", examples=["ann"])
    """Who says so."""
    label: str | None = Field(default=None, examples=["accept"])
    """The verdict; null or absent while nobody has looked."""
    score: float | None = Field(default=None, examples=[0.8])
    """A number, if the review asks for one."""
    note: str | None = Field(default=None, examples=["the unit is missing"])
    """Why."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far reviewers agree."""

    rows: int
    """Rows with two or more labels."""
    disputed: tuple[str, ...]
    """Rows whose reviewers differ."""
    kappa: float | None
    """Cohen's for two reviewers who both labelled these rows, Fleiss' for more; None if it is not defined."""
    method: str


def row_identity(line: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(line)


def write_review(rows: Rows, chosen: Iterable[int], path: Path) -> int:
    """A file for reviewers: a line a row with its texts, and `label`, `score` and `note` to fill in.

    Gives the number of lines. Raises PalestraError if the file cannot be written.
    """
    count = 0
    with replacing(path) as file:
        for row in chosen:
            line = rows.line(row)
            texts = texts_of(line)
            asked = {"row": row_identity(line), "reviewer": "", "label": None, "score": None, "note": None}
            shown = {"where": rows.where_is(row), "reward": rows.column("reward")[row].as_py()}
            file.write(encode({**asked, **shown, "prompt": texts.prompt, "written": texts.written}) + b"\n")
            count += 1
    return count


def read_annotations(paths: Sequence[Path]) -> list[Annotation]:
    """The annotations of some files that have a label or a score. Raises PalestraError naming file and line."""
    found: dict[tuple[str, str], Annotation] = {}
    for path in paths:
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                annotation = Annotation.model_validate(decode(line))
            except ValidationError as error:
                raise PalestraError("invalid-row", f"{path} line {number}: {validation_text(error)}") from error
            except ValueError as error:
                raise PalestraError("invalid-row", f"{path} line {number} is not JSON: {error}") from error
            if annotation.label is not None or annotation.score is not None:
                reviewer = annotation.reviewer or str(path)
                found[annotation.row, reviewer] = annotation.model_copy(update={"reviewer": reviewer})
    return list(found.values())


def by_row(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    found: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        found.setdefault(annotation.row, []).append(annotation)
    return found


def agreement(annotations: Iterable[Annotation]) -> Agreement:
    """How far the labels of different reviewers agree."""
    labels = {
        row: {entry.reviewer: entry.label for entry in entries if entry.label is not None}
        for row, entries in by_row(annotations).items()
    }
    several = {row: given for row, given in labels.items() if len(given) > 1}
    disputed = tuple(row for row, given in several.items() if len(set(given.values())) > 1)
    reviewers = sorted({reviewer for given in several.values() for reviewer in given})
    if len(reviewers) == 2:
        pairs = [(given[reviewers[0]], given[reviewers[1]]) for given in several.values()]
        return Agreement(len(several), disputed, cohen_kappa(pairs), "Cohen")
    counts = [Counter(given.values()) for given in several.values()]
    return Agreement(len(several), disputed, fleiss_kappa(counts), "Fleiss")


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """(observed - expected) / (1 - expected) agreement of two reviewers (Cohen 1960); None if it is not defined."""
    if not pairs:
        return None
    observed = sum(first == second for first, second in pairs) / len(pairs)
    firsts, seconds = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    expected = sum(firsts[label] * seconds[label] for label in firsts) / len(pairs) ** 2
    return (observed - expected) / (1 - expected) if expected < 1 else None


def fleiss_kappa(counts: Sequence[Mapping[str, int]]) -> float | None:
    """The same for several reviewers, of whom not all need label every row (Fleiss 1971; rows with n_i >= 2 labels).

    With n_ij labels j of row i and n_i labels in all: P_i = sum_j n_ij (n_ij - 1) / (n_i (n_i - 1)), observed is the
    mean of P_i, expected the sum of squares of the labels' shares.
    """
    usable = [row for row in counts if sum(row.values()) > 1]
    if not usable:
        return None
    sizes = [sum(row.values()) for row in usable]
    observed = sum(
        sum(number * (number - 1) for number in row.values()) / (size * (size - 1))
        for row, size in zip(usable, sizes, strict=True)
    ) / len(usable)
    totals: Counter[str] = Counter()
    for row in usable:
        totals.update(row)
    expected = sum((number / sum(sizes)) ** 2 for number in totals.values())
    return (observed - expected) / (1 - expected) if expected < 1 else None


def adjudicated(entries: Sequence[Annotation], adjudicator: str | None) -> str | None:
    """The label of a row: the adjudicator's, else what more than half of the reviewers say; None if there is none."""
    labels = [entry.label for entry in entries if entry.label is not None]
    for entry in entries:
        if adjudicator is not None and entry.reviewer == adjudicator and entry.label is not None:
            return entry.label
    if not labels:
        return None
    label, number = Counter(labels).most_common(1)[0]
    return label if number * 2 > len(labels) else None
