"""What a stage of a pipeline is: it takes rows that are still there, and says which of them stay, and why.

A kind of stage is a module with a pydantic model, its settings, that has `run`. Kinds of others are named
`module:Class`, in a pipeline file as in Python.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from palestra.core.errors import PalestraError, suggestion
from palestra.data.rows import Rows

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
"""Positions of rows, in the order in which they will be written."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "filter": "palestra.data.curate.filters:Filter",
        "detect": "palestra.data.curate.detect:Detect",
        "bands": "palestra.data.curate.bands:Bands",
        "balance": "palestra.data.curate.balance:Balance",
        "best": "palestra.data.curate.best:Best",
        "unique": "palestra.data.curate.best:Unique",
        "near_duplicates": "palestra.data.curate.near:NearDuplicates",
        "decontaminate": "palestra.data.curate.decontaminate:Decontaminate",
        "diverse": "palestra.data.curate.diverse:Diverse",
        "curriculum": "palestra.data.curate.curriculum:Curriculum",
        "outliers": "palestra.data.curate.outliers:Outliers",
        "sample": "palestra.data.curate.sample:Sample",
        "decisions": "palestra.data.curate.decisions:Decisions",
    }
)
"""Kinds of stages, and the class of each; a further kind is a line here."""
EXAMPLES = 3
PREVIEW_CHARS = 160


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one rule of a stage dropped."""

    rule: str
    rows: int
    """Rows that this rule dropped, and no rule before it."""
    alone: int
    """Rows that it would have dropped if it were the only rule of its stage."""
    examples: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage did."""

    kept: Numbers
    dropped: Sequence[Dropped] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else is worth knowing, as JSON: bands, quotas, curves."""
    parts: Sequence[int] = ()
    """For stages that divide the rows into files: where in `kept` each of the parts begins."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stage is given besides rows and settings."""

    seed: int
    """Its own: other stages of the pipeline have others."""
    folder: Path = Path()
    """Relative paths in settings start here: at the folder of the pipeline file."""

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


class Stage(Protocol):
    """One stage with its settings. Counts are exact, order is kept unless it says otherwise, nothing is written."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str | None: ...

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        """Which of the `kept` rows stay. Columns, also those of tasks and quantiles, are over all rows.

        Raises PalestraError if the settings do not fit the rows.
        """
        ...

    def files(self, folder: Path) -> Sequence[Path]:
        """Other files that the outcome depends on."""
        ...


class Settings(BaseModel):
    """What the settings of all kinds of stages share."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    name: str | None = Field(default=None, examples=["good answers"])
    """What reports call the stage; its kind otherwise."""

    def files(self, folder: Path) -> Sequence[Path]:
        """None, for most."""
        return ()


class Range(BaseModel):
    """Limits of a number, both included. Quantiles are over all rows of the input that have a value."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    min: float | None = Field(default=None, examples=[0.5])
    """The least value."""
    max: float | None = Field(default=None, examples=[4000])
    """The largest value."""
    min_quantile: float | None = Field(default=None, ge=0, le=1, examples=[0.1])
    """The least value, as a quantile of the column."""
    max_quantile: float | None = Field(default=None, ge=0, le=1, examples=[0.99])
    """The largest value, as a quantile of the column."""
    keep_null: bool = Field(default=False, examples=[True])
    """Keep rows that have no value."""

    def holds(self, values: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Which values are within the limits; NaN is no value."""
        known = values[~np.isnan(values)]
        fits = ~np.isnan(values)
        for limit, quantile, is_least in ((self.min, self.min_quantile, True), (self.max, self.max_quantile, False)):
            for bound in (limit, None if quantile is None or not len(known) else np.quantile(known, quantile)):
                if bound is not None:
                    with np.errstate(invalid="ignore"):
                        fits &= values >= bound if is_least else values <= bound
        return fits | (np.isnan(values) & self.keep_null)

    def __str__(self) -> str:
        names = (("min", ">="), ("min_quantile", ">= quantile"), ("max", "<="), ("max_quantile", "<= quantile"))
        return " and ".join(
            f"{sign} {getattr(self, name):g}" for name, sign in names if getattr(self, name) is not None
        )


Rule: TypeAlias = "tuple[str, np.ndarray[Any, np.dtype[np.bool_]], Sequence[str]]"
"""What a rule is called, which of all rows it keeps, and the columns that show why."""


def apply(rows: Rows, kept: Numbers, rules: Sequence[Rule]) -> tuple[Numbers, list[Dropped]]:
    """The rows that all rules keep; each dropped row counts for the first rule that drops it."""
    left = kept
    report: list[Dropped] = []
    for name, keeps, columns in rules:
        fits = keeps[left]
        gone = left[~fits]
        alone = int(np.count_nonzero(~keeps[kept]))
        report.append(Dropped(name, len(gone), alone, [example(rows, int(row), columns) for row in gone[:EXAMPLES]]))
        left = left[fits]
    return left, report


def example(rows: Rows, row: int, columns: Sequence[str]) -> dict[str, Any]:
    """A row as reports show it: where it is, what the columns say, and how its answer begins."""
    values = {name: rows.column(name)[row].as_py() for name in columns if rows.has(name)}
    return {"where": rows.where_is(row), **values, "answer": rows.answer(row)[:PREVIEW_CHARS]}


def stage_of(kind: str, settings: Mapping[str, Any]) -> Stage:
    """A stage from its kind and settings. Raises PalestraError naming the setting."""
    from pydantic import ValidationError

    from palestra.core.tools import validation_text

    path = KINDS.get(kind, kind)
    module, colon, name = path.partition(":")
    if not colon:
        raise PalestraError(
            "usage", f"there is no stage {kind!r}.{suggestion(kind, KINDS)} There are: {', '.join(KINDS)}"
        )
    try:
        model = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PalestraError("usage", f"the stage {kind!r} cannot be imported: {error}") from error
    try:
        return model.model_validate({"kind": kind, **settings})
    except ValidationError as error:
        raise PalestraError("usage", f"stage {kind!r}: {validation_text(error)}") from error
