"""Metrics of finished rollouts, with NeMo Gym's names and formulas (wire format, section 5.6)."""

import math
import statistics
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from palestra.wire.encoding import checksum_holds, decode
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX, agent_name

INDICES = frozenset({TASK_INDEX, ROLLOUT_INDEX, "_ng_attempt_index"})

LARGEST = 1e150
"""The squares of larger numbers overflow; such a value is left out, as one that is not finite is."""


@dataclass
class AgentColumns:
    """The numeric columns of one agent's rollouts: a value each 8 bytes, with the rollout it belongs to."""

    tasks: "array[int]" = field(default_factory=lambda: array("q"))
    repeats: "array[int]" = field(default_factory=lambda: array("q"))
    columns: "dict[str, array[float]]" = field(default_factory=dict)

    def add(self, rollout: Mapping[str, Any], task: int) -> None:
        # All that can fail comes first, so that a refused line leaves the columns as they were.
        indices = array("q", (task, int(rollout.get(ROLLOUT_INDEX, 0))))
        values = numeric_fields(rollout)
        self.tasks.append(indices[0])
        self.repeats.append(indices[1])
        for name, value in values.items():
            column = self.columns.setdefault(name, array("d"))
            # A rollout without the field leaves a gap, so that values stay beside their rollout.
            column.extend([math.nan] * (len(self.tasks) - 1 - len(column)))
            column.append(value)

    def groups(self) -> Iterator[tuple[int, list[int]]]:
        """Each task with the positions of its rollouts, in the order of their repeats."""
        positions = sorted(range(len(self.tasks)), key=self.repeats.__getitem__)
        positions.sort(key=self.tasks.__getitem__)
        for task, members in groupby(positions, key=self.tasks.__getitem__):
            yield task, list(members)


def numeric_fields(rollout: Mapping[str, Any]) -> dict[str, float]:
    """Every top-level number (true is 1) and those of `response.usage`, without indices, NaN and the too large."""
    usage = (rollout.get("response") or {}).get("usage") or {}
    found: dict[str, float] = {}
    for name, value in {**rollout, **usage}.items():
        if isinstance(value, int | float) and name not in INDICES and abs(value) <= LARGEST:
            found[name] = float(value)
    return found


def read_columns(
    paths: Iterable[Path], problems: list[str], go_on: Callable[[], None] = lambda: None
) -> dict[str, AgentColumns]:
    """The columns of rollout files, by agent. Damaged lines are named in `problems` and skipped.

    `go_on` is called before each line, and may raise to end the reading.
    """
    agents: dict[str, AgentColumns] = {}
    next_task = 0
    for path in paths:
        # Task indices start at 0 in each file.
        first_task = next_task
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                go_on()
                if not line.strip():
                    continue
                try:
                    if checksum_holds(line) is False:
                        raise ValueError("it does not match its checksum")
                    rollout = decode(line)
                    task = first_task + int(rollout.get(TASK_INDEX, number - 1))
                    agents.setdefault(agent_name(rollout) or "unknown", AgentColumns()).add(rollout, task)
                    next_task = max(next_task, task + 1)
                except (ValueError, AttributeError, TypeError, OverflowError) as error:
                    problems.append(f"{path} line {number} was skipped: {error}")
    return {name: agent for name, agent in agents.items() if agent.tasks}


def aggregate(agents: Mapping[str, AgentColumns]) -> list[dict[str, Any]]:
    """The content of `<stem>_aggregate_metrics.json`: one entry an agent."""
    return [
        {**agent_entry(name, agent), "group_level_metrics": list(group_metrics(agent))}
        for name, agent in sorted(agents.items())
    ]


def agent_entry(name: str, agent: AgentColumns) -> dict[str, Any]:
    """An agent's entry without its groups, of which there may be a million."""
    agent_metrics = {**column_statistics(agent), **pass_metrics(rewards_by_task(agent))}
    return {
        "agent_ref": {"name": name},
        "agent_metrics": agent_metrics,
        "key_metrics": {key: value for key, value in agent_metrics.items() if key.startswith("mean/")},
    }


def group_metrics(agent: AgentColumns) -> Iterator[dict[str, Any]]:
    """The entry of each task, in the order of their indices."""
    for task, positions in agent.groups():
        yield {TASK_INDEX: task, "num_rollouts": len(positions), **column_statistics(agent, positions)}


def column_statistics(agent: AgentColumns, positions: Sequence[int] | None = None) -> dict[str, float]:
    """`mean/`, `max/`, `min/`, `median/` and `std/` of each column, over all rollouts or some of them."""
    result: dict[str, float] = {}
    for name, column in agent.columns.items():
        values = sorted(value for value in chosen(column, positions) if not math.isnan(value))
        if values:
            result.update({f"{key}/{name}": value for key, value in describe(values).items()})
    return result


def chosen(column: "array[float]", positions: Sequence[int] | None) -> Iterable[float]:
    """The values at some positions, or all; a column ends at the last rollout that has the field."""
    return column if positions is None else [column[place] for place in positions if place < len(column)]


def describe(values: Sequence[float]) -> dict[str, float]:
    """Mean, maximum, minimum, median and sample standard deviation (ddof 1; 0 for a single value) of sorted values."""
    count = len(values)
    mean = math.fsum(values) / count
    # statistics.stdev is exact to the last bit and thirty times slower: minutes for a million groups.
    squares = math.fsum((value - mean) ** 2 for value in values)
    return {
        "mean": mean,
        "max": values[-1],
        "min": values[0],
        "median": (values[(count - 1) // 2] + values[count // 2]) / 2,
        "std": math.sqrt(squares / (count - 1)) if count > 1 else 0.0,
    }


def rewards_by_task(agent: AgentColumns) -> list[list[float]]:
    rewards = agent.columns.get("reward", array("d"))
    scores = ([score for score in chosen(rewards, places) if not math.isnan(score)] for _, places in agent.groups())
    return [found for found in scores if found]


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
