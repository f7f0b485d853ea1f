"""Measuring a judge on answers whose labels are known."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from palestra.core.discovery import Source
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Model
from palestra.core.tools import validation_text
from palestra.data.load import rows_of_file
from palestra.grading import agreement
from palestra.grading.judge import Judge
from palestra.grading.judge_options import JudgeOptions
from palestra.grading.judge_prompt import EQUAL
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalContext, LocalHost

AT_WORK = 64
"""Rows judged at the same time; the judge's own bound may be lower."""


class Labelled(BaseModel):
    """One line of the labels: an answer, and whether people find it right."""

    model_config = ConfigDict(frozen=True, extra="allow")

    question: str
    expected_answer: str
    answer: str
    label: Literal[0, 1]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge said of one answer, in both orders."""

    row: Labelled
    first: float
    """The share of votes for `equal` with gold first."""
    second: float
    """The same with the answer first."""
    metrics: Mapping[str, Any]

    @property
    def score(self) -> float:
        return (self.first + self.second) / 2

    @property
    def verdict(self) -> int:
        """1 if the majority says `equal` in both orders, which is what environments pay."""
        return int(self.first > 0.5 and self.second > 0.5)


@dataclass
class Calibration:
    """What came of it."""

    judged: list[Judged] = field(default_factory=list[Judged])
    failures: Counter[str] = field(default_factory=Counter[str])
    """Rows without a verdict, by the failure's class; they count for nothing else."""
    first_failure: str | None = None
    prices: tuple[float, float] | None = None
    """Of a million tokens read and written."""

    def to_json(self) -> dict[str, Any]:
        verdicts = [judged.verdict for judged in self.judged]
        labels = [judged.row.label for judged in self.judged]
        table = Counter(zip(verdicts, labels, strict=True))
        agree = table[1, 1] + table[0, 0]
        return {
            "n": len(self.judged) + self.failures.total(),
            "judged": len(self.judged),
            "failures": dict(sorted(self.failures.items())),
            "first_failure": self.first_failure,
            "agreement": agreement.share(agree, len(verdicts)).to_json(),
            "kappa": agreement.kappa(verdicts, labels).to_json(),
            "confusion": {
                "true_pass": table[1, 1],
                "false_pass": table[1, 0],
                "true_fail": table[0, 0],
                "false_fail": table[0, 1],
            },
            "false_pass_rate": agreement.share(table[1, 0], table[1, 0] + table[0, 0]).to_json(),
            "false_fail_rate": agreement.share(table[0, 1], table[0, 1] + table[1, 1]).to_json(),
            "position_bias": position_bias(self.judged),
            "length_bias": length_bias(self.judged),
            "calibration": calibration_of(self.judged),
            "cost": cost(self.judged, self.prices),
        }


def position_bias(judged: Sequence[Judged]) -> dict[str, Any]:
    """How much the verdict depends on which answer stands first."""
    first = [int(entry.first > 0.5) for entry in judged]
    second = [int(entry.second > 0.5) for entry in judged]
    changed = sum(1 for a, b in zip(first, second, strict=True) if a != b)
    return {
        "changed": agreement.share(changed, len(judged)).to_json(),
        "equal_gold_first_minus_answer_first": agreement.paired_difference(first, second).to_json(),
    }


def length_bias(judged: Sequence[Judged]) -> dict[str, Any]:
    """How much the judge's errors depend on the length of the answer."""
    lengths = [math.log1p(len(entry.row.answer)) for entry in judged]
    errors = [float(entry.verdict - entry.row.label) for entry in judged]
    wrong = sorted((entry for entry in judged if entry.row.label == 0), key=lambda entry: len(entry.row.answer))
    half = len(wrong) // 2
    short, long = wrong[:half], wrong[len(wrong) - half :]
    return {
        "correlation_of_log_length_and_error": agreement.correlation(lengths, errors).to_json(),
        "false_pass_rate_of_shorter_half": agreement.share(sum(entry.verdict for entry in short), half).to_json(),
        "false_pass_rate_of_longer_half": agreement.share(sum(entry.verdict for entry in long), half).to_json(),
    }


def calibration_of(judged: Sequence[Judged]) -> dict[str, Any]:
    """The score, which is the share of votes over both orders, against the share of right answers."""
    scores = [entry.score for entry in judged]
    labels = [entry.row.label for entry in judged]
    curve = agreement.calibration(scores, labels)
    return {
        "curve": [asdict(entry) for entry in curve],
        "expected_calibration_error": agreement.calibration_error(curve),
        "brier": agreement.brier(scores, labels),
    }


def cost(judged: Sequence[Judged], prices: tuple[float, float] | None) -> dict[str, Any]:
    """What 1,000 verdicts cost, of which each asks in both orders."""
    totals: Counter[str] = Counter()
    for entry in judged:
        totals.update({name: value for name, value in entry.metrics.items() if isinstance(value, int | float)})
    scale = 1000 / len(judged) if judged else 0.0
    tokens = totals["judge_input_tokens"] * scale, totals["judge_output_tokens"] * scale
    calls = totals["judge_calls"]
    return {
        "calls_per_1000": calls * scale,
        "retries_per_1000": totals["judge_retries"] * scale,
        "cache_hits_per_1000": totals["judge_cache_hits"] * scale,
        "input_tokens_per_1000": tokens[0],
        "output_tokens_per_1000": tokens[1],
        "mean_latency_s": totals["judge_latency_s"] / calls if calls else None,
        "price_per_1000": None if prices is None else (tokens[0] * prices[0] + tokens[1] * prices[1]) / 1e6,
    }


def labelled_rows(path: Path) -> list[Labelled]:
    """The rows of a file of labels. Raises PalestraError naming line and field."""
    rows: list[Labelled] = []
    for row in rows_of_file(path):
        if row.problem is not None:
            raise PalestraError("invalid-row", row.problem)
        try:
            rows.append(Labelled.model_validate(row.content))
        except ValidationError as error:
            fix = 'A line is {"question": ..., "expected_answer": ..., "answer": ..., "label": 0 or 1}.'
            raise PalestraError("invalid-row", f"{row.origin}: {validation_text(error)}", fix=fix) from error
    if not rows:
        raise PalestraError("invalid-row", f"{path} holds no label", fix="Give at least one line.")
    return rows


async def calibrate(
    source: Source, options: BaseModel, rows: Sequence[Labelled], roles: Mapping[str, Model], seed: int
) -> Calibration:
    """Ask the judge of an environment about every row in both orders. Failures are counted, not raised."""
    if not isinstance(options, JudgeOptions) or not options.asks_judge:
        raise PalestraError("usage", f"{source.name} has no judge to calibrate", fix="Name one that has with --env.")
    found = Calibration()
    async with AsyncExitStack() as stack:
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        host = LocalHost(source, options, pool, roles)
        stack.push_async_callback(host.close)
        await host.enter()
        for outcome in await outcomes(host, options, rows, seed):
            if isinstance(outcome, Failure):
                found.failures[outcome.code] += 1
                found.first_failure = found.first_failure or outcome.message
            else:
                found.judged.append(outcome)
    return found


async def outcomes(
    host: LocalHost, options: JudgeOptions, rows: Sequence[Labelled], seed: int
) -> list[Judged | Failure]:
    """What came of each row, in order, with at most AT_WORK of them under way."""
    slots = asyncio.Semaphore(AT_WORK)

    async def judged(number: int, row: Labelled) -> Judged | Failure:
        async with slots:
            context = LocalContext(
                seed=(seed + number) % 2**31,
                folder=host.source.folder,
                shared=host.shared,
                pool=host.pool,
                roles=host.roles,
            )
            try:
                return await judge_both_ways(Judge(context, options), row)
            except Failure as failure:
                return failure

    return await asyncio.gather(*(judged(number, row) for number, row in enumerate(rows)))


async def judge_both_ways(judge: Judge, row: Labelled) -> Judged:
    first = await judge.compare(row.question, row.expected_answer, row.answer)
    second = await judge.compare(row.question, row.answer, row.expected_answer, candidate=row.answer)
    return Judged(row, first.share(EQUAL), second.share(EQUAL), judge.to_metrics())
