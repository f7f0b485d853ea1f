"""What each metric is: the names in aggregate and profile files, with formula, unit, range and source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Place = Literal["agent", "task"]

GYM = "NeMo Gym"
PASS_AT_K = "Chen et al. 2021, arXiv 2107.03374"
PASS_HAT_K = "Yao et al. 2024 (tau-bench), arXiv 2406.12045"
MAJORITY = "Wang et al. 2022, arXiv 2203.11171"
CLUSTERED = "Miller 2024, arXiv 2411.00640"

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {"<field>": r".+", "<k>": r"\d+", "<score>": r"(?:accuracy|no_answer)", "<subset>": r".+"}
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One name, or all names of one form: `<field>`, `<k>`, `<score>` and `<subset>` stand for a part of it."""

    name: str
    formula: str
    unit: str
    range: str
    source: str
    places: tuple[Place, ...] = ("agent",)

    def matches(self, name: str) -> bool:
        pattern = re.escape(self.name)
        for placeholder, expression in PLACEHOLDERS.items():
            pattern = pattern.replace(re.escape(placeholder), expression)
        return re.fullmatch(pattern, name) is not None


EVERYWHERE: tuple[Place, ...] = ("agent", "task")

METRICS = (
    Metric("mean/<field>", "sum of x / n", "the field's", "min to max", GYM, EVERYWHERE),
    Metric("max/<field>", "largest x", "the field's", "any", GYM, EVERYWHERE),
    Metric("min/<field>", "smallest x", "the field's", "any", GYM, EVERYWHERE),
    Metric("median/<field>", "middle x, or the mean of the middle two", "the field's", "min to max", GYM, EVERYWHERE),
    Metric("std/<field>", "sqrt(sum of (x - mean)^2 / (n - 1)); 0 if n = 1", "the field's", "from 0", GYM, EVERYWHERE),
    Metric(
        "mean/<field>/std_err",
        "sqrt(sum over tasks of (sum over the task's rollouts of (x - mean))^2) / n; from two tasks on",
        "the field's", "from 0", CLUSTERED,
    ),
    Metric(
        "mean/<field>/ci95_low", "mean - t(tasks - 1) * std_err, t the 97.5 % quantile of Student's distribution",
        "the field's", "any", CLUSTERED,
    ),
    Metric("mean/<field>/ci95_high", "mean + t(tasks - 1) * std_err", "the field's", "any", CLUSTERED),
    Metric(
        "pass@<k>/<score>",
        "mean over tasks with n >= k of 1 - C(n - c, k) / C(n, k), c of n rollouts right; "
        "for a task whose scores are not all 0 or 1, the best of its first k",
        "%", "0 to 100", f"{PASS_AT_K}; {GYM}",
    ),
    Metric(
        "pass^<k>/<score>",
        "mean over tasks with n >= k of C(c, k) / C(n, k); "
        "for a task whose scores are not all 0 or 1, the worst of its first k",
        "%", "0 to 100", PASS_HAT_K,
    ),
    Metric("pass@1[avg-of-<k>]/<score>", "mean over all tasks of the mean of the first k", "%", "0 to 100", GYM),
    Metric(
        "majority@<k>/<score>",
        "mean over all tasks of the score of the pair (answer, score) that most of the first k rollouts have; "
        "of a tie the mean, without any answer 0",
        "%", "0 to 100", f"{MAJORITY}; {GYM}",
    ),
    *(
        Metric(f"{owner}/<score>/{name}", formula, "%", limits, "standard error of the mean over tasks")
        for owner in ("pass@<k>", "pass^<k>", "pass@1[avg-of-<k>]", "majority@<k>")
        for name, formula, limits in (
            ("std_err", "standard deviation of the tasks' values / sqrt(tasks); from two tasks on", "from 0"),
            ("ci95_low", "value - t(tasks - 1) * std_err", "any"),
            ("ci95_high", "value + t(tasks - 1) * std_err", "any"),
        )
    ),
    Metric(
        "pass@1[avg-of-<k>]/<score>/std_dev_across_runs",
        "sample standard deviation of the first k numbers of per_sample_aggregate; k from 2", "%", "from 0", GYM,
    ),
    Metric("pass@1[avg-of-<k>]/<score>/std_err_across_runs", "std_dev_across_runs / sqrt(k)", "%", "from 0", GYM),
    Metric(
        "pass@1[avg-of-<k>]/<score>/avg_sample_std_dev",
        "mean over tasks with n >= 2 of the sample standard deviation of the first k scores; k from 2",
        "the score's (not %)", "from 0", GYM,
    ),
    Metric(
        "per_sample_aggregate",
        "for each score, the mean over tasks of the first rollouts, of the second ones, and so on",
        "%", "0 to 100", GYM,
    ),
    Metric("<subset>/<metric in %>", "the same over the tasks of a subset (`--subset-by`)", "%", "as there", GYM),
    Metric("_ng_task_index", "index of the task", "", "from 0", GYM, ("task",)),
    Metric("num_rollouts", "rollouts that were judged", "rollouts", "from 1", GYM, ("task",)),
    Metric(
        "expected_num_rollouts", "rollouts that were dispatched, judged or failed", "rollouts", "num_rollouts or more",
        GYM, ("task",),
    ),
    Metric(
        "missing_num_rollouts", "expected_num_rollouts - num_rollouts: failed or lost", "rollouts", "from 0", GYM,
        ("task",),
    ),
    Metric(
        "reward_profile_completion_pct", "num_rollouts / expected_num_rollouts", "%", "above 0 to 100", GYM, ("task",)
    ),
    Metric(
        "rollout_infos", "for each rollout its rollout_id (`task:repeat`), indices and numeric fields", "", "", GYM,
        ("task",),
    ),
    Metric("sample", "the task's row without its indices; in the profile only", "", "", GYM, ("task",)),
)  # fmt: skip
