"""An agent's metrics as rows of a table: each mean and each share with its interval."""

import re
from collections.abc import Mapping
from typing import Any

HEADER = ("metric", "value", "95 % interval")

SHARE = re.compile(
    r"(?P<subset>.+/)?(?P<family>pass@1\[avg-of|pass@|pass\^|majority@)-?(?P<k>\d+)\]?/(?P<score>accuracy|no_answer)"
)


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Means, the spread of the reward, and the metrics in percent: for k a power of two and the largest.

    Of subsets, and of answers that are missing, only the largest k is shown; `--json` has all.
    """
    shares = {name: match for name in metrics if (match := SHARE.fullmatch(name))}
    largest: dict[tuple[str, ...], int] = {}
    for match in shares.values():
        largest[series(match)] = max(int(match["k"]), largest.get(series(match), 0))
    rows = [row(metrics, name, "") for name in metrics if is_plain(name, metrics)]
    for name, match in shares.items():
        k, is_main = int(match["k"]), match["subset"] is None and match["score"] == "accuracy"
        # The chance that no rollout, or the majority, lacks an answer is nobody's question.
        asked = match["score"] == "accuracy" or match["family"].startswith("pass@1[")
        if asked and (k == largest[series(match)] or (is_main and k & (k - 1) == 0)):
            rows.append(row(metrics, name, " %"))
    return rows


def series(match: re.Match[str]) -> tuple[str, ...]:
    """What a share is of, whatever its k."""
    return (match["subset"] or "", match["family"], match["score"])


def is_plain(name: str, metrics: Mapping[str, Any]) -> bool:
    owner, _, statistic = name.rpartition("/")
    is_error = statistic in ("std_err", "ci95_low", "ci95_high") and owner in metrics
    return name == "std/reward" or (name.startswith("mean/") and not is_error)


def row(metrics: Mapping[str, Any], name: str, unit: str) -> tuple[str, str, str]:
    low, high = metrics.get(f"{name}/ci95_low"), metrics.get(f"{name}/ci95_high")
    interval = "" if low is None or high is None else f"{low:.4g} to {high:.4g}{unit}"
    return name, f"{metrics[name]:.4g}{unit}", interval
