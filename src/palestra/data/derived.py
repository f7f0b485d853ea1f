"""Columns that are computed from others when an expression or a stage first asks for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow

if TYPE_CHECKING:
    from palestra.data.rows import Rows

SUCCESS_REWARD = 1.0
"""From this reward on a rollout counts as a success in `task_success_rate`."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that is not in the index."""

    meaning: str
    compute: Callable[["Rows"], pyarrow.Array]


def task_sums(rows: "Rows", values: "np.ndarray[Any, Any]") -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """For each task: the sum of the values of its rows, and how many have one. NaN is no value."""
    codes, count = rows.tasks
    counted = (codes >= 0) & ~np.isnan(values)
    sums = np.bincount(codes[counted], values[counted], count)
    return sums, np.bincount(codes[counted], minlength=count)


def of_rows(rows: "Rows", of_tasks: "np.ndarray[Any, Any]") -> pyarrow.Array:
    """A number of each task as one of each row; NaN becomes null."""
    codes, count = rows.tasks
    values = np.full(len(codes), np.nan)
    if count:
        values = np.where(codes >= 0, np.asarray(of_tasks, np.float64)[np.maximum(codes, 0)], np.nan)
    return pyarrow.array(values, from_pandas=True)


def task_mean(rows: "Rows", values: "np.ndarray[Any, Any]") -> pyarrow.Array:
    sums, counts = task_sums(rows, values)
    with np.errstate(invalid="ignore"):
        return of_rows(rows, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def success_rate(rows: "Rows", success_reward: float = SUCCESS_REWARD) -> pyarrow.Array:
    """For each row, the share of its task's rollouts that have a reward of `success_reward` or more."""
    rewards = rows.numbers("reward")
    return task_mean(rows, np.where(np.isnan(rewards), np.nan, rewards >= success_reward))


def task_rollouts(rows: "Rows") -> pyarrow.Array:
    return of_rows(rows, task_sums(rows, rows.numbers("reward"))[1])


def task_spread(rows: "Rows") -> pyarrow.Array:
    rewards = rows.numbers("reward")
    codes, count = rows.tasks
    counted = (codes >= 0) & ~np.isnan(rewards)
    lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(lowest, codes[counted], rewards[counted])
    np.maximum.at(highest, codes[counted], rewards[counted])
    with np.errstate(invalid="ignore"):
        return of_rows(rows, np.where(highest >= lowest, highest - lowest, np.nan))


DERIVED: Mapping[str, Derived] = MappingProxyType(
    {
        "task_rollouts": Derived("rollouts of the row's task that have a reward", task_rollouts),
        "task_success_rate": Derived("share of them with a reward of 1 or more", success_rate),
        "task_mean_reward": Derived("their mean reward", lambda rows: task_mean(rows, rows.numbers("reward"))),
        "task_reward_spread": Derived("their largest reward minus their smallest", task_spread),
    }
)
