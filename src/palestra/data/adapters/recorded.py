"""Rows of another shape that hold what a model said, and what it was worth, as rollouts."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from palestra.core.model import Item, Usage
from palestra.core.task import content_hash
from palestra.core.transcript import assistant_message, is_from_model
from palestra.data.adapters.mapping import RolloutRule, looked_up
from palestra.data.adapters.values import field_value
from palestra.wire.encoding import encode
from palestra.wire.response import response_object
from palestra.wire.rows import PARAMS, ROLLOUT_INDEX, TASK_INDEX

NO_TIME = 0
"""When the response was made: the same file must give the same rows."""


class Recorded:
    """Makes rollouts of the rows of one file; numbers tasks as they come, and the rollouts of each."""

    def __init__(self, rule: RolloutRule) -> None:
        self.rule = rule
        self.tasks: dict[bytes, int] = {}
        self.seen: Counter[int] = Counter()

    def views(self, row: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
        """A row for each rollout that this one holds, with the name of its model."""
        rule = self.rule
        if not rule.each:
            model = row.get(rule.model_column) if rule.model_column else rule.model
            yield row, str(model)
            return
        common = {name: value for name, value in row.items() if name not in rule.each}
        for name in rule.each:
            own = looked_up(row, name)
            if not isinstance(own, Mapping):
                raise ValueError(f"column {name!r} must be an object with one rollout, got {str(own)[:80]!r}")
            yield {**common, **own}, name

    def rollout(self, row: dict[str, Any], task: dict[str, Any], model: str) -> dict[str, Any]:
        """The rollout of a view that was mapped to `task`. Raises ValueError if it says no reward or no reply."""
        rule = self.rule
        reward = reward_of(row, rule)
        asked, said = parted(task.pop(PARAMS, None), row, rule)
        task_index = self.number(row, asked, rule)
        rollout_index = self.seen[task_index]
        self.seen[task_index] += 1
        params = {"input": asked, **({"tools": said[1]} if said[1] else {})}
        response = response_object(
            key=content_hash({"row": row, "model": model}),
            model=model,
            created_at=NO_TIME,
            output=said[0],
            stop_reason="stop",
            usage=Usage(),
            params=params,
        )
        return {
            PARAMS: params,
            "response": {**response, "usage": None},
            "reward": reward,
            **task,
            TASK_INDEX: task_index,
            ROLLOUT_INDEX: rollout_index,
        }

    def number(self, row: Mapping[str, Any], asked: list[Item], rule: RolloutRule) -> int:
        """The number of the row's task: by a column that names it, else by what is asked."""
        identity = encode(asked if rule.task is None else looked_up(row, rule.task))
        return self.tasks.setdefault(identity, len(self.tasks))


def reward_of(row: Mapping[str, Any], rule: RolloutRule) -> float:
    """Raises ValueError: a reward that is not there is not 0."""
    value = field_value(row, rule.reward)
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    raise ValueError(f"the reward must be a finite number or a truth value, got {str(value)[:80]!r}")


def parted(
    params: Mapping[str, Any] | None, row: Mapping[str, Any], rule: RolloutRule
) -> tuple[list[Item], tuple[list[Item], list[Any]]]:
    """What the model was asked; what came after, and the tools. Raises ValueError if either says nothing."""
    items: list[Item] = list((params or {}).get("input") or [])
    if rule.response is not None:
        said = looked_up(row, rule.response)
        if not isinstance(said, str):
            raise ValueError(f"column {rule.response!r} must be the text of a reply, got {str(said)[:80]!r}")
        items.append(assistant_message(said))
    first = next((place for place, item in enumerate(items) if is_from_model(item)), len(items))
    if not first or first == len(items):
        raise ValueError("nobody asks anything" if not first else "the model says nothing")
    return items[:first], (items[first:], list((params or {}).get("tools") or []))
