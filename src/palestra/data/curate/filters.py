"""Filters: rules over columns, each with a report of what it dropped."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow
from pydantic import BaseModel, ConfigDict, Field

from palestra.core.errors import PalestraError
from palestra.data.curate.stage import Numbers, Outcome, Range, Rule, Settings, Surroundings, apply
from palestra.data.derived import success_rate, task_rollouts
from palestra.data.expression import names_of
from palestra.data.rows import Rows


class ToolUse(BaseModel):
    """What tools a rollout used."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    calls: Range | None = Field(default=None, examples=[{"min": 1, "max": 20}])
    """How many calls."""
    errors: Range | None = Field(default=None, examples=[{"max": 0}])
    """How many tool outputs were errors."""
    all_of: list[str] = Field(default=[], examples=[["search"]])
    """Tools that must have been called."""
    any_of: list[str] = Field(default=[], examples=[["search", "browse"]])
    """Tools of which one must have been called."""
    none_of: list[str] = Field(default=[], examples=[["delete_all"]])
    """Tools that must not have been called."""
    order: list[str] = Field(default=[], examples=[["search", "book"]])
    """Tools that must have been called in this order; others may be between them."""


class SuccessRate(BaseModel):
    """How often a task was solved, over all its rollouts in the input."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    min: float = Field(default=0, ge=0, le=1, examples=[0.1])
    """The least share of successes."""
    max: float = Field(default=1, ge=0, le=1, examples=[0.9])
    """The largest share of successes."""
    success_reward: float = Field(default=1.0, examples=[1.0])
    """From this reward on a rollout is a success."""
    min_rollouts: int = Field(default=1, ge=1, examples=[4])
    """Tasks with fewer rollouts that have a reward are dropped."""


class Filter(Settings):
    """Keep the rows that all rules hold for. Rules are tried in the order of this table."""

    kind: Literal["filter"] = "filter"
    reward: Range | None = Field(default=None, examples=[{"min": 0.5}])
    """Limits of the reward. Failures have none, so they are dropped."""
    range: dict[str, Range] = Field(default={}, examples=[{"turns": {"max": 10}}])
    """Limits of other columns: components, lengths, turns, tokens, any number."""
    one_of: dict[str, list[str | int | float | bool | None]] = Field(default={}, examples=[{"end_reason": ["done"]}])
    """Columns that must have one of these values."""
    none_of: dict[str, list[str | int | float | bool | None]] = Field(default={}, examples=[{"language": ["zh"]}])
    """Columns that must not have one of these values; null is no value, so it stays."""
    tools: ToolUse | None = Field(default=None, examples=[{"errors": {"max": 0}}])
    """Use of tools."""
    success_rate: SuccessRate | None = Field(default=None, examples=[{"min": 0.1, "max": 0.9}])
    """How often the row's task was solved."""
    where: list[str] = Field(default=[], examples=[["reward >= 0.5 and turns < 10"]])
    """Expressions that must hold, see [expressions](#expressions)."""

    def run(self, rows: Rows, kept: Numbers, around: Surroundings) -> Outcome:
        rules = list(self.rules(rows))
        if not rules:
            raise PalestraError("usage", "a filter without a rule", fix="Give it reward, range, tools or where.")
        return Outcome(*apply(rows, kept, rules))

    def rules(self, rows: Rows) -> Iterator[Rule]:
        limits = {**({"reward": self.reward} if self.reward else {}), **self.range}
        for column, limit in limits.items():
            yield f"{column} {limit}", limit.holds(rows.numbers(column)), [column]
        for column, values in self.one_of.items():
            yield f"{column} in {values}", has_value(rows, column, values), [column]
        for column, values in self.none_of.items():
            yield f"{column} not in {values}", ~has_value(rows, column, values), [column]
        if self.tools:
            yield from tool_rules(rows, self.tools)
        if self.success_rate:
            yield success_rule(rows, self.success_rate)
        for expression in self.where:
            yield expression, rows.where(expression), [name for name in names_of(expression) if rows.has(name)]


def has_value(rows: Rows, column: str, values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    codes, known = rows.codes(column)
    if pyarrow.types.is_list(rows.column(column).type):
        raise PalestraError("usage", f"{column!r} holds lists", fix=f'Write an expression: {column} contains "name".')
    fits = np.array([*(value in values for value in known), None in values], np.bool_)
    return fits[codes]


def tool_rules(rows: Rows, use: ToolUse) -> Iterator[Rule]:
    for column, limit in (("tool_calls", use.calls), ("tool_errors", use.errors)):
        if limit:
            yield f"{column} {limit}", limit.holds(rows.numbers(column)), [column, "tools"]
    for name in use.all_of:
        yield f"calls {name}", rows.where(f"tools contains {name!r}"), ["tools"]
    if use.any_of:
        alternatives = " or ".join(f"tools contains {name!r}" for name in use.any_of)
        yield f"calls one of {', '.join(use.any_of)}", rows.where(alternatives), ["tools"]
    for name in use.none_of:
        yield f"does not call {name}", rows.where(f"not tools contains {name!r}"), ["tools"]
    if use.order:
        yield f"calls {' then '.join(use.order)}", in_order(rows, use.order), ["tools"]


def in_order(rows: Rows, order: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which rows called these tools in this order, whatever is between them."""
    found = np.zeros(len(rows), np.bool_)
    row = 0
    for chunk in rows.column("tools").chunks:
        # A chunk at a time, as texts of Python take ten times the memory of a column.
        for called in chunk.to_pylist():
            rest = iter(list[str](called or ()))
            found[row] = all(name in rest for name in order)
            row += 1
    return found


def success_rule(rows: Rows, wanted: SuccessRate) -> Rule:
    rates = np.asarray(success_rate(rows, wanted.success_reward).to_numpy(zero_copy_only=False), np.float64)
    counts = np.asarray(task_rollouts(rows).to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(invalid="ignore"):
        fits = (rates >= wanted.min) & (rates <= wanted.max) & (counts >= wanted.min_rollouts)
    return f"success rate of the task from {wanted.min:g} to {wanted.max:g}", fits, ["task", "task_success_rate"]
