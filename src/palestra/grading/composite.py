"""Verdicts made of several: weighted sums, products, minima, gates, partial credit, library before judge."""

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from palestra.core.verdict import Verdict

Scores: TypeAlias = Mapping[str, float]
"""Objectives by name, each in [0, 1]."""

Rule: TypeAlias = Callable[[str], float]
"""A check of a reply: true or false, or a share in [0, 1]."""


def weighted_sum(scores: Scores, weights: Mapping[str, float] | None = None, *, reason: str | None = None) -> Verdict:
    """`sum(weight * score)`, with weights that are divided by their sum, so that the reward is in [0, 1].

    The components of the verdict are the weighted scores: they sum to the reward, and trainers that take several
    objectives find them in the rollout. Without weights all count the same.
    Raises ValueError if a score is outside [0, 1], or weights are negative, all 0, or of other names.
    """
    require_scores(scores)
    shares = dict.fromkeys(scores, 1.0) if weights is None else dict(weights)
    if shares.keys() != scores.keys():
        raise ValueError(f"weights are for {sorted(shares)}, scores for {sorted(scores)}; they must be the same")
    total = math.fsum(shares.values())
    if not math.isfinite(total) or total <= 0 or min(shares.values()) < 0:
        raise ValueError(f"weights must be 0 or more and not all 0, got {shares}")
    components = {name: shares[name] / total * float(score) for name, score in scores.items()}
    return Verdict(min(1.0, math.fsum(components.values())), components=components, reason=reason)


def product(scores: Scores, *, reason: str | None = None) -> Verdict:
    """All scores multiplied: every objective is needed, and none can make up for another.

    A product has no parts that sum to it, so the scores become metrics. Raises ValueError if one is outside [0, 1].
    """
    require_scores(scores)
    return Verdict(math.prod(map(float, scores.values())), metrics=as_metrics(scores), reason=reason)


def minimum(scores: Scores, *, reason: str | None = None) -> Verdict:
    """The lowest score: as good as the worst objective. The scores become metrics.

    Raises ValueError if one is outside [0, 1], or if there is none.
    """
    require_scores(scores)
    worst = min(scores, key=lambda name: scores[name])
    told = f"the lowest score is that of {worst}" if scores[worst] < 1 else None
    return Verdict(float(scores[worst]), metrics=as_metrics(scores), reason=reason or told)


def gated(gates: Mapping[str, bool], verdict: Verdict) -> Verdict:
    """The verdict if all gates are open, else 0 with the first closed one as the reason.

    The gates become metrics. Components stay components: those of a closed gate are all 0, so that they sum to the
    reward.
    """
    closed = next((name for name, is_open in gates.items() if not is_open), None)
    metrics = {**verdict.metrics, **{name: bool(is_open) for name, is_open in gates.items()}}
    if closed is None:
        return replace(verdict, metrics=metrics)
    nothing = dict.fromkeys(verdict.components, 0.0)
    return Verdict(0.0, components=nothing, metrics=metrics, reason=f"{closed} does not hold")


def partial_credit(passed: Sequence[bool], weights: Sequence[float] | None = None) -> Verdict:
    """The share of checks that passed (tests, steps, instructions), weighted if weights are given.

    Metrics: `passed` and `checks`, their numbers. Raises ValueError if there is no check, or weights do not fit.
    """
    if not passed:
        raise ValueError("partial credit needs at least one check")
    shares = [1.0] * len(passed) if weights is None else list(weights)
    if len(shares) != len(passed) or min(shares) < 0 or not 0 < math.fsum(shares) < math.inf:
        raise ValueError(f"{len(passed)} checks need as many weights, 0 or more and not all 0, got {shares}")
    earned = math.fsum(share for share, holds in zip(shares, passed, strict=True) if holds)
    count = sum(map(bool, passed))
    reason = None if count == len(passed) else f"{len(passed) - count} of {len(passed)} checks did not pass"
    # All passed is exactly 1, whatever the rounding of the division.
    reward = 1.0 if count == len(passed) else earned / math.fsum(shares)
    return Verdict(reward, metrics={"passed": count, "checks": len(passed)}, reason=reason)


async def library_first(
    library: Callable[[], Verdict | Awaitable[Verdict]],
    judge: Callable[[], Awaitable[Verdict]],
    *,
    in_doubt: Callable[[Verdict], bool] = lambda verdict: verdict.reward < 1,
) -> Verdict:
    """A library's verdict, or a judge's where it is in doubt: by default wherever the library does not pay in full.

    The judge is asked only then. Metrics of both are kept; `decided_by` says whose verdict it is, and `library_reward`
    what the library gave. What the judge raises is raised: its outage is a failure, not the library's 0.
    """
    found = library()
    first = await found if inspect.isawaitable(found) else found
    known = {"library_reward": first.reward, "decided_by": "library"}
    if not in_doubt(first):
        return replace(first, metrics={**first.metrics, **known})
    second = await judge()
    return replace(second, metrics={**first.metrics, **second.metrics, **known, "decided_by": "judge"})


async def response_quality(
    reply: str,
    *,
    required: Mapping[str, Rule] | None = None,
    rules: Mapping[str, Rule] | None = None,
    rubric: Mapping[str, str] | None = None,
    ask: Callable[[str, str], Awaitable[float]] | None = None,
    weights: Mapping[str, float] | None = None,
) -> Verdict:
    """The quality of a reply by rules, which are cheap and certain, and a rubric, which is asked of a judge.

    `required` rules are gates: where one does not hold the reward is 0 and nobody is asked. `rules` and the criteria of
    `rubric` are scored in [0, 1] and summed by `weights`; `ask(criterion, reply)` scores one criterion.
    Raises ValueError if there is nothing to score, a score is outside [0, 1], or a rubric has nobody to ask; and what
    `ask` raises.
    """
    rubric = rubric or {}
    gates = {name: bool(rule(reply)) for name, rule in (required or {}).items()}
    names = [*(rules or {}), *rubric]
    if not names or len(set(names)) < len(names) or (rubric and ask is None):
        raise ValueError("response quality needs rules or a rubric with different names, and for a rubric `ask`")
    if not all(gates.values()):
        return gated(gates, weighted_sum(dict.fromkeys(names, 0.0), weights))
    scores = {name: float(rule(reply)) for name, rule in (rules or {}).items()}
    for name, criterion in rubric.items():
        assert ask is not None
        scores[name] = await ask(criterion, reply)
    return gated(gates, weighted_sum(scores, weights))


def as_metrics(scores: Scores) -> dict[str, float]:
    return {name: float(score) for name, score in scores.items()}


def require_scores(scores: Scores) -> None:
    if not scores:
        raise ValueError("at least one score is needed")
    for name, score in scores.items():
        if not 0 <= score <= 1:
            raise ValueError(f"the score of {name} is {score}; scores must be in [0, 1]")
