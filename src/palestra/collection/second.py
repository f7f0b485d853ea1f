"""Two verifiers on the same stored rollouts: where they disagree, and what the first one may be missing."""

import heapq
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from palestra.collection.verify import TOLERANCE, Stored, stored_rollouts, verify_all
from palestra.core.errors import Failure
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict
from palestra.hosts.local import LocalHost

ROWS_KEPT = 1000
"""Of the rows that disagree, those with the largest difference."""
CELLS = ("both_full", "only_first", "only_second", "neither")
LONGEST_REPLY = 500


@dataclass(slots=True)
class Comparison:
    """What came of judging each rollout twice. `full` is the maximum of a verifier's own reward."""

    first: str
    second: str
    n: int = 0
    agree: int = 0
    table: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CELLS, 0))
    """Rollouts with a full reward from both, one or neither."""
    reward_sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    failed: list[dict[str, int]] = field(default_factory=lambda: [{}, {}])
    """Rollouts without a verdict, by code, of the first and the second verifier."""
    rows: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list[tuple[float, int, dict[str, Any]]])
    order: "count[int]" = field(default_factory=count)

    @property
    def judged(self) -> int:
        return sum(self.table.values())

    def add(self, stored: Stored, verdicts: tuple[Verdict, Verdict], full: tuple[float, float]) -> None:
        """Count a rollout that both verifiers have judged."""
        first, second = verdicts
        cell = (first.reward >= full[0], second.reward >= full[1])
        self.table[{(True, True): CELLS[0], (True, False): CELLS[1], (False, True): CELLS[2]}.get(cell, CELLS[3])] += 1
        self.reward_sums = [total + verdict.reward for total, verdict in zip(self.reward_sums, verdicts, strict=True)]
        difference = abs(first.reward - second.reward)
        if difference <= TOLERANCE:
            self.agree += 1
            return
        row = {
            "row": stored.number,
            "first": first.reward,
            "second": second.reward,
            "first_reason": first.reason,
            "second_reason": second.reason,
            "reply": shortened(Transcript((), tuple(stored.response.get("output") or ())).text),
        }
        entry = (difference, -next(self.order), row)
        (heapq.heappush if len(self.rows) < ROWS_KEPT else heapq.heappushpop)(self.rows, entry)

    def fail(self, which: int, failure: Failure) -> None:
        self.failed[which][failure.code] = self.failed[which].get(failure.code, 0) + 1

    def to_json(self) -> dict[str, Any]:
        table, judged = self.table, self.judged
        means = [total / judged if judged else None for total in self.reward_sums]
        return {
            "first": self.first,
            "second": self.second,
            "n": self.n,
            "judged_by_both": judged,
            "agree": self.agree,
            "disagree": judged - self.agree,
            "table": table,
            "kappa": kappa(table),
            "mean_reward": dict(zip(("first", "second"), means, strict=True)),
            # Each verifier as the measure of the other: neither need be right, so the rows are there to look at.
            "estimated_false_negatives": estimate(table["only_second"], table["both_full"]),
            "estimated_false_positives": estimate(table["only_first"], table["both_full"]),
            "failed": dict(zip(("first", "second"), self.failed, strict=True)),
            "rows": [row for _, _, row in sorted(self.rows, reverse=True)],
        }


async def compare_verifiers(
    path: Path, first: LocalHost, second: LocalHost, *, recorded: bool
) -> AsyncIterator[Comparison]:
    """Judge each rollout of a file with both; gives the comparison so far after each.

    Raises PalestraError naming a line that is no rollout.
    """
    comparison = Comparison(first.source.name, second.source.name)
    hosts = (first, second)
    full = (first.source.manifest.reward.maximum, second.source.manifest.reward.maximum)
    judging = [
        verify_all(host, stored_rollouts(path, recorded=recorded), reverify=host.source.manifest.reverify)
        for host in hosts
    ]
    async for stored, outcome in judging[0]:
        _, other = await anext(judging[1])
        comparison.n += 1
        for which, found in enumerate((outcome, other)):
            if isinstance(found, Failure):
                comparison.fail(which, found)
        if isinstance(outcome, Verdict) and isinstance(other, Verdict):
            comparison.add(stored, (outcome, other), full)
        yield comparison


def estimate(missed: int, found: int) -> dict[str, Any]:
    """How many of the other verifier's full rewards this one does not give, with Wilson's 95 % interval.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    n = missed + found
    if n == 0:
        return {"rollouts": 0, "of": 0, "rate": None, "interval": None}
    rate, z = missed / n, 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return {"rollouts": missed, "of": n, "rate": rate, "interval": [max(0.0, middle - half), min(1.0, middle + half)]}


def kappa(table: Mapping[str, int]) -> float | None:
    """Cohen's kappa of full and not full; None where chance alone explains all (one verdict for everything).

    Source: J. Cohen, "A coefficient of agreement for nominal scales", 1960.
    """
    n = sum(table.values())
    if n == 0:
        return None
    first, second = (table["both_full"] + table[only] for only in ("only_first", "only_second"))
    observed = (table["both_full"] + table["neither"]) / n
    by_chance = (first * second + (n - first) * (n - second)) / n**2
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else None


def shortened(text: str) -> str:
    """The end of a long reply, where answers stand."""
    return text if len(text) <= LONGEST_REPLY else "..." + text[-LONGEST_REPLY:]
