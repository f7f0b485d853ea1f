"""Metrics of finished rollouts, with NeMo Gym's names and formulas (wire format, section 5.6)."""

import math
import statistics
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.wire.encoding import decode
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX, agent_name

INDICES = frozenset({TASK_INDEX, ROLLOUT_INDEX, "_ng_attempt_index"})


@dataclass
class AgentColumns:
    """The numeric columns of one agent's rollouts: a value each 8 bytes, with the rollout it belongs to."""

    tasks: "array[int]" = field(default_factory=lambda: array("q"))
    repeats: "array[int]" = field(default_factory=lambda: array("q"))
    columns: "dict[str, array[float]]" = field(default_factory=dict)

    def add(self, rollout: Mapping[str, Any], task: int) -> None:
        self.tasks.append(task)
        self.repeats.append(rollout.get(ROLLOUT_INDEX, 0))
        for name, value in numeric_fields(rollout).items():
            column = self.columns.setdefault(name, array("d"))
            # A rollout without the field leaves a gap, so that values stay beside their rollout.
            column.extend([math.nan] * (len(self.tasks) - 1 - len(column)))
            column.append(value)

    def groups(self) -> dict[int, list[int]]:
        """Positions of each task's rollouts, in the order of their repeats."""
        found: dict[int, list[int]] = {}
        for position, task in enumerate(self.tasks):
            found.setdefault(task, []).append(position)
        for positions in found.values():
            positions.sort(key=self.repeats.__getitem__)
        return dict(sorted(found.items()))


def numeric_fields(rollout: Mapping[str, Any]) -> dict[str, float]:
    """Every top-level number (true is 1) and the numbers of `response.usage`; NaN and indices left out."""
    usage = (rollout.get("response") or {}).get("usage") or {}
    found = {**rollout, **usage}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and name not in INDICES and math.isfinite(value)
    }


def read_columns(paths: Iterable[Path], problems: list[str]) -> dict[str, AgentColumns]:
    """The columns of rollout files, by agent. Damaged lines are named in `problems` and skipped."""
    agents: dict[str, AgentColumns] = {}
    next_task = 0
    for path in paths:
        # Task indices start at 0 in each file.
        first_task = next_task
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    rollout = decode(line)
                    task = first_task + int(rollout.get(TASK_INDEX, number - 1))
                    agents.setdefault(agent_name(rollout) or "unknown", AgentColumns()).add(rollout, task)
                    next_task = max(next_task, task + 1)
                except (ValueError, AttributeError, TypeError) as error:
                    problems.append(f"{path} line {number} was skipped: {error}")
    return agents


def aggregate(agents: Mapping[str, AgentColumns]) -> list[dict[str, Any]]:
    """The content of `<stem>_aggregate_metrics.json`: one entry an agent."""
    entries: list[dict[str, Any]] = []
    for name, agent in sorted(agents.items()):
        groups = agent.groups()
        agent_metrics = {**column_statistics(agent), **pass_metrics(rewards_by_task(agent, groups))}
        entries.append(
            {
                "agent_ref": {"name": name},
                "agent_metrics": agent_metrics,
                "key_metrics": {key: value for key, value in agent_metrics.items() if key.startswith("mean/")},
                "group_level_metrics": [
                    {
                        TASK_INDEX: task,
                        "num_rollouts": len(positions),
                        **column_statistics(agent, positions),
                    }
                    for task, positions in groups.items()
                ],
            }
        )
    return entries


def column_statistics(agent: AgentColumns, positions: Sequence[int] | None = None) -> dict[str, float]:
    """`mean/`, `max/`, `min/`, `median/` and `std/` of each column, over all rollouts or some of them."""
    result: dict[str, float] = {}
    for name, column in agent.columns.items():
        chosen = column if positions is None else [column[place] for place in positions if place < len(column)]
        values = [value for value in chosen if not math.isnan(value)]
        if values:
            result.update({f"{key}/{name}": value for key, value in describe(values).items()})
    return result


def describe(values: Sequence[float]) -> dict[str, float]:
    """Mean, maximum, minimum, median and sample standard deviation (ddof 1; 0 for a single value)."""
    return {
        "mean": math.fsum(values) / len(values),
        "max": max(values),
        "min": min(values),
        "median": statistics.median(values),
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
    }


def rewards_by_task(agent: AgentColumns, groups: Mapping[int, Sequence[int]]) -> list[list[float]]:
    rewards = agent.columns.get("reward", array("d"))
    return [[rewards[place] for place in places if place < len(rewards)] for places in groups.values()]


def pass_metrics(tasks: Sequence[Sequence[float]], name: str = "accuracy") -> dict[str, Any]:
    """pass@k and pass@1[avg-of-k] in percent, for k up to the largest number of rollouts of a task.

    `tasks` holds each task's scores in the order of its rollouts. pass@k of binary scores is the unbiased estimate
    1 - C(n-c, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374); of other scores the mean of the best of the first k.
    Tasks with fewer than k rollouts do not count.
    """
    metrics: dict[str, Any] = {}
    longest = max((len(scores) for scores in tasks), default=0)
    binary = all(score in (0.0, 1.0) for scores in tasks for score in scores)
    per_sample = [percent([scores[index] for scores in tasks if len(scores) > index]) for index in range(longest)]
    for k in range(1, longest + 1):
        counted = [scores for scores in tasks if len(scores) >= k]
        best = [unbiased_pass(scores, k) if binary else max(scores[:k]) for scores in counted]
        metrics[f"pass@{k}/{name}"] = percent(best)
        average = f"pass@1[avg-of-{k}]/{name}"
        metrics[average] = percent([math.fsum(scores[:k]) / k for scores in counted])
        if k > 1:
            deviation = statistics.stdev(per_sample[:k])
            metrics[f"{average}/std_dev_across_runs"] = deviation
            metrics[f"{average}/std_err_across_runs"] = deviation / math.sqrt(k)
    if longest:
        metrics["per_sample_aggregate"] = {name: per_sample}
    return metrics


def unbiased_pass(scores: Sequence[float], k: int) -> float:
    n, correct = len(scores), sum(score == 1.0 for score in scores)
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def percent(values: Sequence[float]) -> float:
    return 100.0 * math.fsum(values) / len(values)
