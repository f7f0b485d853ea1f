"""pass@k, pass^k, pass@1[avg-of-k] and majority@k of scores grouped by task, in percent (wire format, section 5.6)."""

import math
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from palestra.monitor.standard_error import Moments, interval_entries

EVERY_K_UP_TO = 1024
"""Beyond, only powers of two and the largest k are reported: a file whose rollouts have one index is one task."""

FAMILIES = ("pass@1[avg-of-{k}]", "pass@{k}", "pass^{k}", "majority@{k}")


class ByK:
    """A value of each task for each reported k up to its number of rollouts."""

    def __init__(self, reported: Sequence[int]) -> None:
        self.reported = reported
        self.values = [array("d") for _ in reported]
        self.last = [array("d") for _ in reported]
        """The last values of tasks that have fewer rollouts than this k, but not fewer than the k before."""

    def add(self, values: Sequence[float]) -> None:
        """The values of one task for k = 1, 2, ..."""
        for index, k in enumerate(self.reported):
            if k > len(values):
                if values:
                    self.last[index].append(values[-1])
                return
            self.values[index].append(values[k - 1])

    def moments(self) -> Iterator[tuple[int, Moments]]:
        """For each k, the moments over tasks that have so many rollouts."""
        for k, values in zip(self.reported, self.values, strict=True):
            if values:
                yield k, Moments.of(values)

    def moments_of_all(self) -> Iterator[tuple[int, Moments]]:
        """For each k, the moments over all tasks: those with fewer rollouts count with all they have."""
        shorter = Moments()
        for k, values, last in zip(self.reported, self.values, self.last, strict=True):
            shorter = shorter.merged(Moments.of(last))
            found = Moments.of(values).merged(shorter)
            if found.count:
                yield k, found


def reported_k(longest: int) -> list[int]:
    every = range(1, min(longest, EVERY_K_UP_TO) + 1)
    beyond = (1 << power for power in range(EVERY_K_UP_TO.bit_length(), longest.bit_length()))
    return sorted({*every, *beyond, *([longest] if longest else [])})


def pass_metrics(tasks: Iterable[Sequence[float]], name: str = "accuracy") -> dict[str, Any]:
    """pass@k, pass^k and pass@1[avg-of-k], for k up to the largest number of rollouts of a task.

    `tasks`, which is read more than once, holds each task's scores in the order of its rollouts. pass@k and pass^k
    are means over the tasks with at least k rollouts, the others over all tasks. Each has the standard error of that
    mean over tasks and a 95 % interval, if there are two tasks.
    """
    longest = max((len(scores) for scores in tasks), default=0)
    best, worst, average, spread = (ByK(reported_k(longest)) for _ in range(4))
    totals, counts = array("d", bytes(8 * longest)), array("q", bytes(8 * longest))
    for scores in tasks:
        best.add(best_of(scores))
        worst.add(worst_of(scores))
        average.add([total / k for k, total in enumerate(accumulate(scores), 1)])
        if len(scores) > 1:
            spread.add(deviations(scores))
        for index, score in enumerate(scores):
            totals[index] += score
            counts[index] += 1
    metrics: dict[str, Any] = {}
    for family, moments in (
        ("pass@{k}", best.moments()),
        ("pass^{k}", worst.moments()),
        ("pass@1[avg-of-{k}]", average.moments_of_all()),
    ):
        for k, found in moments:
            metrics.update(percent_entries(f"{family.format(k=k)}/{name}", found))
    per_sample = [100.0 * total / count for total, count in zip(totals, counts, strict=True)]
    return {**metrics, **spread_metrics(per_sample, spread, name)}


def lone_pass_metrics(scores: Sequence[float], name: str = "accuracy") -> dict[str, Any]:
    """`pass_metrics` of tasks that have one score each: all families are the mean."""
    if not scores:
        return {}
    moments, total = Moments.of(scores), 0.0
    metrics: dict[str, Any] = {}
    for family in ("pass@1", "pass^1", "pass@1[avg-of-1]"):
        metrics.update(percent_entries(f"{family}/{name}", moments))
    # As `pass_metrics` adds: from Python 3.12 on `sum` rounds otherwise.
    for score in scores:
        total += score
    return {**metrics, "per_sample_aggregate": {name: [100.0 * total / len(scores)]}}


def percent_entries(name: str, moments: Moments) -> dict[str, float]:
    error = moments.standard_error
    mean = 100.0 * moments.mean
    return {name: mean, **({} if error is None else interval_entries(name, mean, 100.0 * error, moments.count))}


def is_binary(scores: Iterable[float]) -> bool:
    return all(score in (0.0, 1.0) for score in scores)


def best_of(scores: Sequence[float]) -> list[float]:
    """For k = 1, 2, ...: the chance that one of k rollouts succeeds; of scores that are not binary, the best of k.

    Binary: 1 - C(n - c, k) / C(n, k) for c of n right, which is unbiased (Chen et al. 2021, arXiv 2107.03374).
    """
    if not is_binary(scores):
        return list(accumulate(scores, max))
    wrong = sum(score == 0.0 for score in scores)
    return [1.0 - share for share in shares_without_others(wrong, len(scores))]


def worst_of(scores: Sequence[float]) -> list[float]:
    """For k = 1, 2, ...: the chance that all of k rollouts succeed; of scores that are not binary, the worst of k.

    Binary: C(c, k) / C(n, k) for c of n right, which is unbiased (Yao et al. 2024, arXiv 2406.12045).
    """
    if not is_binary(scores):
        return list(accumulate(scores, min))
    return list(shares_without_others(sum(score == 1.0 for score in scores), len(scores)))


def shares_without_others(chosen: int, n: int) -> Iterator[float]:
    """C(chosen, k) / C(n, k) for k = 1 .. n, each from the one before."""
    share = 1.0
    for k in range(n):
        share *= max(chosen - k, 0) / (n - k)
        yield share


def deviations(scores: Sequence[float]) -> list[float]:
    """Sample standard deviations of the first one (0), two, three, ... scores (Welford 1962)."""
    found: list[float] = []
    mean = squares = 0.0
    for count, score in enumerate(scores, 1):
        apart = score - mean
        mean += apart / count
        squares += apart * (score - mean)
        found.append(math.sqrt(squares / max(count - 1, 1)))
    return found


def spread_metrics(per_sample: Sequence[float], spread: ByK, name: str) -> dict[str, Any]:
    """`per_sample_aggregate`, and how much runs and samples differ, for k from 2."""
    if not per_sample:
        return {}
    across_runs = deviations(per_sample)
    metrics: dict[str, Any] = {"per_sample_aggregate": {name: list(per_sample)}}
    for k in spread.reported[1:]:
        average = f"pass@1[avg-of-{k}]/{name}"
        metrics[f"{average}/std_dev_across_runs"] = across_runs[k - 1]
        metrics[f"{average}/std_err_across_runs"] = across_runs[k - 1] / math.sqrt(k)
    for k, found in spread.moments_of_all():
        if k > 1:
            metrics[f"pass@1[avg-of-{k}]/{name}/avg_sample_std_dev"] = found.mean
    return metrics


def majority_metrics(tasks: Iterable[Sequence[tuple[int | None, float]]], name: str = "accuracy") -> dict[str, float]:
    """majority@k: the score of the answer that most of the first k rollouts of a task give, as a mean over all tasks.

    `tasks`, which is read more than once, holds the answer (None if there is none) and the score of each rollout.
    The votes are for pairs of answer and score; of pairs with equally many votes the scores are averaged; a task
    without any answer counts 0 (Wang et al. 2022, arXiv 2203.11171).
    """
    votes = ByK(reported_k(max((len(rollouts) for rollouts in tasks), default=0)))
    for rollouts in tasks:
        votes.add(majority_of(rollouts))
    metrics: dict[str, float] = {}
    for k, found in votes.moments_of_all():
        metrics.update(percent_entries(f"majority@{k}/{name}", found))
    return metrics


def majority_of(rollouts: Iterable[tuple[int | None, float]]) -> list[float]:
    """For k = 1, 2, ...: the mean score of the pairs that occur most often among the first k."""
    counts: dict[tuple[int, float], int] = {}
    most, leaders, total = 0, 1, 0.0
    found: list[float] = []
    for answer, score in rollouts:
        if answer is not None:
            count = counts[answer, score] = counts.get((answer, score), 0) + 1
            if count > most:
                most, leaders, total = count, 1, score
            elif count == most:
                leaders, total = leaders + 1, total + score
        found.append(total / leaders)
    return found


def highest_k(metrics: Mapping[str, Any], family: str, scores: Iterable[str]) -> dict[str, Any]:
    """The entries of a family such as "pass@{k}" at its largest k, with their errors, for these scores."""
    names = "|".join(map(re.escape, scores))
    pattern = re.compile(re.escape(family).replace(r"\{k\}", r"(\d+)") + rf"/(?:{names})(?:/(?:std_err|ci95_\w+))?$")
    found = [(int(match[1]), name) for name in metrics if (match := pattern.match(name))]
    highest = max((k for k, _ in found), default=0)
    return {name: metrics[name] for k, name in found if k == highest}
