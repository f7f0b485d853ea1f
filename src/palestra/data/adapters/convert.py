"""Rows of another shape as task rows or rollouts, by a mapping."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from palestra.core.transcript import user_message
from palestra.data.adapters.mapping import Mapping, RolloutRule, filled, looked_up
from palestra.data.adapters.recorded import Recorded
from palestra.data.adapters.shapes import SHAPES, split_answer
from palestra.data.adapters.tables import read_rows
from palestra.data.adapters.values import field_value
from palestra.rollout.plan import Row
from palestra.wire.rows import AGENT_REF, PARAMS


def task_rows(path: Path, mapping: Mapping | None) -> Iterator[Row]:
    """The rows of a file as task rows; without a mapping they are task rows already.

    A row that cannot be mapped keeps its content and has a problem. Raises PalestraError if the file cannot be read.
    """
    rows = read_rows(path)
    return rows if mapping is None else mapped_rows(rows, mapping)


def mapped_rows(rows: Iterable[Row], mapping: Mapping) -> Iterator[Row]:
    recorded = Recorded(mapping.rollout) if mapping.rollout else None
    for row in rows:
        if row.problem is not None:
            yield row
            continue
        try:
            made = [mapped(dict(row.content), mapping)] if recorded is None else rollouts_of(row, mapping, recorded)
            yield from (Row(content, row.origin) for content in made)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{row.origin} cannot be mapped: {error if isinstance(error, ValueError) else repr(error)}"
            yield Row(row.content, row.origin, problem)


def rollouts_of(row: Row, mapping: Mapping, recorded: Recorded) -> list[dict[str, Any]]:
    """The rollouts that one row holds: all of them, or none if one cannot be read."""
    views = list(recorded.views(dict(row.content)))
    tasks = [mapped(view, mapping) for view, _ in views]
    return [recorded.rollout(view, task, model) for (view, model), task in zip(views, tasks, strict=True)]


def mapped(row: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """One task row. Raises ValueError, KeyError, TypeError or AttributeError if the row has not the mapping's shape."""
    params, fields = conversation(row, mapping)
    task: dict[str, Any] = {} if params is None else {PARAMS: params}
    task.update(fields)
    task.update((name, field_value(row, rule)) for name, rule in mapping.fields.items())
    task.update(mapping.constants)
    kept = {name: value for name, value in row.items() if name not in columns_read(mapping) and name not in task}
    task.update((name, value) for name, value in kept.items() if name not in mapping.drop)
    if mapping.agent is not None:
        task[AGENT_REF] = {"type": "responses_api_agents", "name": mapping.agent}
    return task


def conversation(row: dict[str, Any], mapping: Mapping) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The row's `responses_create_params`, and the fields that the shape knows."""
    items, tools, fields = [], [], {}
    if mapping.shape != "columns":
        shape = SHAPES[mapping.shape]
        columns = {name: looked_up(row, mapping.columns.get(name, name)) for name in shape.needed}
        for name in shape.optional:
            if (column := mapping.columns.get(name, name)) in row:
                columns[name] = row[column]
        found = shape.read(columns)
        items, tools, fields = found.items, found.tools, found.fields
        name = mapping.answer or shape.answer
        if name is not None and mapping.rollout is None:
            items, answer = split_answer(items)
            if answer is not None:
                fields[name] = answer
    if mapping.prompt is not None:
        items = [*items, user_message(filled(mapping.prompt, row))]
    if mapping.system is not None:
        items = [{"type": "message", "role": "system", "content": filled(mapping.system, row)}, *items]
    if not items:
        if mapping.shape == "columns":
            return row.get(PARAMS), fields
        raise ValueError("nothing is left of the conversation but the answer")
    return {"input": items, **({"tools": tools} if tools else {})}, fields


def columns_read(mapping: Mapping) -> frozenset[str]:
    """The columns that the mapping has put elsewhere as a whole. What a template or a pattern reads is kept as well."""
    shape = SHAPES.get(mapping.shape)
    names = {mapping.columns.get(name, name) for name in (*shape.needed, *shape.optional)} if shape else set[str]()
    for rule in mapping.fields.values():
        if isinstance(rule, str):
            names.add(rule)
        elif rule.pattern is None:
            names.add(rule.column)
    if mapping.rollout is not None:
        names |= read_of_rollout(mapping.rollout)
    return frozenset(names)


def read_of_rollout(rule: RolloutRule) -> set[str]:
    """What names the task stays: it says so better than a number."""
    reward = rule.reward if isinstance(rule.reward, str) else rule.reward.column
    return {name for name in (reward, rule.response, rule.model_column) if name is not None}
