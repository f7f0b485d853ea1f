"""Metrics of finished rollouts, with NeMo Gym's names and formulas (wire format, section 5.6)."""

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from palestra.monitor.columns import FIRST_ANSWER, NO_ANSWER_FIELD, AgentColumns
from palestra.monitor.pass_at_k import FAMILIES, highest_k, lone_pass_metrics, majority_metrics, pass_metrics
from palestra.monitor.standard_error import clustered_standard_error, independent_standard_error, interval_entries
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX

SCORE = "accuracy"
"""What the reward is called where it is given in percent."""
MISSING_ANSWER = "no_answer"
"""The score that is 1 where a rollout has no answer."""


def agent_entry(name: str, agent: AgentColumns) -> dict[str, Any]:
    """An agent's entry of `<stem>_aggregate_metrics.json` without its groups, of which there may be a million.

    Key metrics are all means, and of each family of pass@k the one with the largest k, with their errors.
    """
    statistics = agent_statistics(agent)
    scores = score_metrics(agent)
    headlines = {name: value for family in FAMILIES for name, value in highest_k(scores, family, (SCORE,)).items()}
    means = {key: value for key, value in statistics.items() if key.startswith("mean/")}
    return {
        "agent_ref": {"name": name},
        "agent_metrics": {**statistics, **scores, **subset_metrics(agent)},
        "key_metrics": {**means, **headlines},
    }


def group_counts(task: int, count: int, wanted: int) -> dict[str, float]:
    """How many rollouts a task has, and how many it should have."""
    return {
        TASK_INDEX: task,
        "num_rollouts": count,
        "expected_num_rollouts": wanted,
        "missing_num_rollouts": wanted - count,
        "reward_profile_completion_pct": 100.0 * count / wanted,
    }


def rollout_info(agent: AgentColumns, position: int) -> dict[str, Any]:
    """Who a rollout is, and its numbers."""
    task, repeat = agent.tasks[position], agent.repeats[position]
    own = {"rollout_id": f"{task}:{repeat}", TASK_INDEX: task, ROLLOUT_INDEX: repeat}
    return {**own, **agent.info(position)}


def agent_statistics(agent: AgentColumns) -> dict[str, float]:
    """`mean/`, `max/`, `min/`, `median/` and `std/` of each column over all rollouts, and the error of each mean."""
    errors: dict[str, float] = {}
    found: dict[str, float] = {}
    for name, column in agent.columns.items():
        values = present(column)
        described = describe(values)
        if agent.is_each_alone:
            error, count = independent_standard_error(values, described["mean"]), len(values)
        else:
            clusters = (present(column[part]) for _, part in agent.groups())
            error, count = clustered_standard_error(clusters, described["mean"])
        if count > 1:
            errors.update(interval_entries(f"mean/{name}", described["mean"], error, count))
        found.update({f"{key}/{name}": value for key, value in described.items()})
    # A field may be called `reward/std_err`: what a file holds comes before what is worked out.
    return {**errors, **found}


def group_statistics(agent: AgentColumns, part: slice) -> dict[str, float]:
    """`mean/`, `max/`, `min/`, `median/` and `std/` of each column over the rollouts of one task."""
    found: dict[str, float] = {}
    for name, column in agent.columns.items():
        values = present(column[part])
        if values:
            described = describe(values)
            found[f"mean/{name}"] = described["mean"]
            found[f"max/{name}"] = described["max"]
            found[f"min/{name}"] = described["min"]
            found[f"median/{name}"] = described["median"]
            found[f"std/{name}"] = described["std"]
    return found


def present(values: Sequence[float]) -> list[float]:
    """The values without gaps."""
    found = list(values)
    # A sum with a gap is none; most columns have no gap.
    return [value for value in found if not math.isnan(value)] if math.isnan(sum(found)) else found


def describe(values: Sequence[float]) -> dict[str, float]:
    """Mean, maximum, minimum, median and sample standard deviation (ddof 1; 0 for a single value)."""
    count = len(values)
    if count == 1:
        return {"mean": values[0], "max": values[0], "min": values[0], "median": values[0], "std": 0.0}
    ordered = sorted(values)
    mean = math.fsum(values) / count
    # statistics.stdev is exact to the last bit and thirty times slower: minutes for a million groups.
    squares = math.fsum([(value - mean) ** 2 for value in values])
    return {
        "mean": mean,
        "max": ordered[-1],
        "min": ordered[0],
        "median": (ordered[(count - 1) // 2] + ordered[count // 2]) / 2,
        "std": math.sqrt(squares / (count - 1)),
    }


@dataclass(frozen=True, slots=True)
class Tasks:
    """Something of each task, made anew each time it is asked for: a million tasks are never held at once."""

    agent: AgentColumns
    of_task: Callable[[AgentColumns, slice], list[Any]]
    subset: int | None = None
    """Only the tasks of this subset; the first rollout of a task says which one it is of."""

    def __iter__(self) -> Iterator[list[Any]]:
        for _, part in self.agent.groups():
            if self.subset is None or self.agent.subsets[part.start] == self.subset:
                found = self.of_task(self.agent, part)
                if found:
                    yield found


def rewards(agent: AgentColumns, part: slice) -> list[float]:
    return present(agent.columns.get("reward", array("d"))[part])


def votes(agent: AgentColumns, part: slice) -> list[tuple[int | None, float]]:
    """Answer and reward of each rollout whose answer field is known."""
    column = agent.columns.get("reward", array("d"))
    return [
        (answer if answer >= FIRST_ANSWER else None, reward)
        for answer, reward in zip(agent.answers[part], column[part], strict=False)
        if answer != NO_ANSWER_FIELD and not math.isnan(reward)
    ]


def missing_answers(agent: AgentColumns, part: slice) -> list[float]:
    return [float(answer is None) for answer, _ in votes(agent, part)]


def score_metrics(agent: AgentColumns, subset: int | None = None) -> dict[str, Any]:
    """All metrics in percent: of the reward, and if answers are known those of their majorities and of their lack."""
    if agent.is_each_alone and subset is None:
        metrics = lone_pass_metrics(rewards(agent, slice(None)), SCORE)
    else:
        metrics = pass_metrics(Tasks(agent, rewards, subset), SCORE)
    if not agent.has_answers:
        return metrics
    majorities = majority_metrics(Tasks(agent, votes, subset), SCORE)
    lacking = pass_metrics(Tasks(agent, missing_answers, subset), MISSING_ANSWER)
    # What a majority says is an answer: 0 is what NeMo Gym's files have under this name.
    never = {name.replace(SCORE, MISSING_ANSWER): 0.0 for name in majorities}
    samples = "per_sample_aggregate"
    return {
        **metrics,
        **majorities,
        **lacking,
        **never,
        samples: {**metrics.get(samples, {}), **lacking.get(samples, {})},
    }


def subset_metrics(agent: AgentColumns) -> dict[str, Any]:
    """The metrics in percent of each subset, named `<subset>/<metric>`."""
    return {
        f"{name}/{metric}": value
        for name, number in sorted(agent.subset_names.items())
        for metric, value in score_metrics(agent, number).items()
        if metric != "per_sample_aggregate"
    }
