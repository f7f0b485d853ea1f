"""Metrics in percent equal those of counting all subsets, of scipy and of hand-computed vectors."""

import math
import statistics
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from palestra.monitor.pass_at_k import (
    best_of,
    deviations,
    highest_k,
    lone_pass_metrics,
    majority_metrics,
    majority_of,
    pass_metrics,
    reported_k,
    worst_of,
)

binary = st.sampled_from((0.0, 1.0))
fraction = st.floats(0, 1).filter(lambda value: value not in (0.0, 1.0))


@pytest.mark.parametrize(
    ("scores", "best", "worst"),
    [
        # 2 of 4 right. pass@2 = 1 - C(2,2)/C(4,2) = 1 - 1/6; pass^2 = C(2,2)/C(4,2) = 1/6.
        ([1, 0, 0, 1], [1 / 2, 5 / 6, 1, 1], [1 / 2, 1 / 6, 0, 0]),
        # 3 of 5 right. pass@2 = 1 - C(2,2)/C(5,2) = 0.9; pass^2 = C(3,2)/C(5,2) = 0.3; pass^3 = C(3,3)/C(5,3) = 0.1.
        ([1, 1, 1, 0, 0], [0.6, 0.9, 1, 1, 1], [0.6, 0.3, 0.1, 0, 0]),
        ([0, 0], [0, 0], [0, 0]),
        ([1, 1], [1, 1], [1, 1]),
        # Not binary: the best and the worst of the first k.
        ([0.5, 0.25, 1.0], [0.5, 0.5, 1.0], [0.5, 0.25, 0.25]),
    ],
)
def test_hand_computed_shares(scores: list[float], best: list[float], worst: list[float]) -> None:
    assert best_of(scores) == pytest.approx(best, abs=1e-12)
    assert worst_of(scores) == pytest.approx(worst, abs=1e-12)


@given(st.lists(st.lists(binary, min_size=1, max_size=6), min_size=1, max_size=5))
def test_of_binary_scores_they_are_the_shares_of_all_subsets(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    for k in range(1, max(map(len, tasks)) + 1):
        counted = [scores for scores in tasks if len(scores) >= k]
        for name, successful in (("pass@", any), ("pass^", all)):
            shares = [
                statistics.mean(float(successful(chosen)) for chosen in combinations(scores, k)) for scores in counted
            ]
            assert found[f"{name}{k}/accuracy"] == pytest.approx(100 * statistics.mean(shares))


@pytest.mark.parametrize(("n", "correct"), [(10, 3), (64, 1), (64, 63), (200, 90), (1024, 500)])
def test_they_are_the_tails_of_the_hypergeometric_distribution(n: int, correct: int) -> None:
    scores = [1.0] * correct + [0.0] * (n - correct)
    k = np.arange(1, n + 1)
    assert best_of(scores) == pytest.approx(1 - stats.hypergeom.pmf(0, n, correct, k), abs=1e-9)
    assert worst_of(scores) == pytest.approx(stats.hypergeom.pmf(k, n, correct, k), rel=1e-7, abs=1e-300)


def test_they_estimate_what_binomial_tries_would_give() -> None:
    # Averaged over all outcomes of n tries with chance p they are 1 - (1 - p)^k and p^k: that is what unbiased means.
    n, p, k = 8, 0.3, 3
    weights = stats.binom.pmf(range(n + 1), n, p)
    outcomes = [[1.0] * correct + [0.0] * (n - correct) for correct in range(n + 1)]
    assert weights @ [best_of(scores)[k - 1] for scores in outcomes] == pytest.approx(1 - (1 - p) ** k)
    assert weights @ [worst_of(scores)[k - 1] for scores in outcomes] == pytest.approx(p**k)


@given(st.lists(st.lists(st.one_of(binary, fraction), min_size=1, max_size=5), min_size=1, max_size=5))
def test_averages_count_all_tasks_and_the_best_those_with_k_rollouts(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    for k in range(1, max(map(len, tasks)) + 1):
        average = statistics.mean(statistics.mean(scores[:k]) for scores in tasks)
        assert found[f"pass@1[avg-of-{k}]/accuracy"] == pytest.approx(100 * average)
        counted = [scores for scores in tasks if len(scores) >= k]
        # A task whose scores are all 0 or 1 is counted by subsets, also beside others that are not.
        best = statistics.mean(
            statistics.mean(max(chosen) for chosen in combinations(scores, k))
            if all(score in (0, 1) for score in scores)
            else max(scores[:k])
            for scores in counted
        )
        assert found[f"pass@{k}/accuracy"] == pytest.approx(100 * best)


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(binary, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_all_succeed_at_most_as_often_as_one_and_one_as_often_as_any(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    n = len(tasks[0])
    assert found["pass@1/accuracy"] == pytest.approx(found["pass^1/accuracy"])
    assert found["pass@1/accuracy"] == pytest.approx(found[f"pass@1[avg-of-{n}]/accuracy"])
    for k in range(1, n + 1):
        one = found["pass@1/accuracy"]
        assert -1e-9 <= found[f"pass^{k}/accuracy"] <= one + 1e-9
        assert one - 1e-9 <= found[f"pass@{k}/accuracy"] <= 100 + 1e-9
        if k > 1:
            assert found[f"pass@{k}/accuracy"] >= found[f"pass@{k - 1}/accuracy"] - 1e-9
            assert found[f"pass^{k}/accuracy"] <= found[f"pass^{k - 1}/accuracy"] + 1e-9


@given(
    st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(fraction, min_size=n, max_size=n), min_size=1, max_size=5))
)
def test_of_other_scores_the_worst_is_below_the_average_and_that_below_the_best(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    for k in range(1, len(tasks[0]) + 1):
        worst, average, best = (found[f"{name}/accuracy"] for name in (f"pass^{k}", f"pass@1[avg-of-{k}]", f"pass@{k}"))
        assert -1e-9 <= worst <= average + 1e-9 <= best + 2e-9 <= 100 + 3e-9


@given(st.lists(st.lists(binary, min_size=2, max_size=5), min_size=2, max_size=8))
def test_errors_are_scipys_standard_error_of_the_mean_over_tasks(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    shares = [100 * np.mean(scores) for scores in tasks]
    error = stats.sem(shares)
    assert found["pass@1/accuracy/std_err"] == pytest.approx(error, abs=1e-9)
    low, high = stats.t.interval(0.95, len(tasks) - 1, np.mean(shares), max(error, 1e-300))
    assert (found["pass@1/accuracy/ci95_low"], found["pass@1/accuracy/ci95_high"]) == pytest.approx((low, high))


def test_hand_computed_spread_of_runs_and_samples() -> None:
    # Runs average 1, 0.5 and 0.5 of two tasks: [100, 50, 50], standard deviation 28.8675, over sqrt(3) 16.6667.
    # Samples: [1, 0, 1] and [1, 1, 0] both have standard deviation sqrt(1/3); of the first two 0.7071 and 0.
    found = pass_metrics([[1, 0, 1], [1, 1, 0]])
    assert found["per_sample_aggregate"] == {"accuracy": [100.0, 50.0, 50.0]}
    assert found["pass@1[avg-of-3]/accuracy/std_dev_across_runs"] == pytest.approx(math.sqrt(2500 / 3))
    assert found["pass@1[avg-of-3]/accuracy/std_err_across_runs"] == pytest.approx(50 / 3)
    assert found["pass@1[avg-of-3]/accuracy/avg_sample_std_dev"] == pytest.approx(math.sqrt(1 / 3))
    assert found["pass@1[avg-of-2]/accuracy/avg_sample_std_dev"] == pytest.approx(math.sqrt(0.5) / 2)
    assert "pass@1[avg-of-1]/accuracy/avg_sample_std_dev" not in found


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_running_deviations_are_those_of_the_standard_library(scores: list[float]) -> None:
    expected = [0.0, *(statistics.stdev(scores[:count]) for count in range(2, len(scores) + 1))]
    assert deviations(scores) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("answers", "scores", "found"),
    [
        # b overtakes a with its second vote, and loses again when a has three.
        ("abbaa", [1, 0, 0, 1, 1], [1, 0.5, 0, 0.5, 1]),
        # The same answer with two scores is two candidates.
        ("aaa", [1, 0, 0], [1, 0.5, 0]),
        (" a ", [0, 1, 0], [0, 1, 1]),
        ("   ", [0, 0, 0], [0, 0, 0]),
        # Three candidates draw: 1/3. Then a second vote for b decides.
        ("abcb", [1, 0, 0, 0], [1, 0.5, 1 / 3, 0]),
    ],
)
def test_hand_computed_majorities(answers: str, scores: list[float], found: list[float]) -> None:
    votes = [(None if answer == " " else ord(answer), score) for answer, score in zip(answers, scores, strict=True)]
    assert majority_of(votes) == pytest.approx(found)


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 3)), binary), min_size=1, max_size=12))
def test_a_majority_is_that_of_counting_anew_for_each_k(rollouts: list[tuple[int | None, float]]) -> None:
    for k, found in enumerate(majority_of(rollouts), 1):
        pairs = [pair for pair in rollouts[:k] if pair[0] is not None]
        most = max((pairs.count(pair) for pair in pairs), default=0)
        leaders = {pair for pair in pairs if pairs.count(pair) == most}
        assert found == pytest.approx(statistics.mean(score for _, score in leaders) if leaders else 0.0)


def test_tasks_with_fewer_rollouts_vote_with_all_they_have() -> None:
    found = majority_metrics([[(1, 1.0)], [(1, 0.0), (2, 1.0), (2, 1.0)]])
    assert [found[f"majority@{k}/accuracy"] for k in (1, 2, 3)] == [50.0, 75.0, 100.0]


def test_no_task_has_no_metrics() -> None:
    assert pass_metrics([]) == {}
    assert majority_metrics([]) == {}


def test_every_k_is_reported_up_to_a_thousand_and_then_the_powers_of_two() -> None:
    assert reported_k(3) == [1, 2, 3]
    assert reported_k(1024) == list(range(1, 1025))
    assert reported_k(5000)[-4:] == [1024, 2048, 4096, 5000]
    found = pass_metrics([[1.0, 0.0] * 1500])
    assert found["pass@1[avg-of-3000]/accuracy"] == 50.0
    assert found["pass@1[avg-of-2048]/accuracy/avg_sample_std_dev"] == pytest.approx(statistics.stdev([1, 0] * 1024))
    assert "pass@1025/accuracy" not in found


def test_the_highest_k_of_a_family_comes_with_its_errors_only() -> None:
    metrics = pass_metrics([[1, 0], [1, 1]]) | {"pass@9/other": 1.0, "x/pass@9/accuracy": 1.0}
    assert set(highest_k(metrics, "pass@{k}", ("accuracy",))) == {
        "pass@2/accuracy",
        "pass@2/accuracy/std_err",
        "pass@2/accuracy/ci95_low",
        "pass@2/accuracy/ci95_high",
    }
    names = set(highest_k(metrics, "pass@1[avg-of-{k}]", ("accuracy",)))
    assert "pass@1[avg-of-2]/accuracy" in names
    assert not [name for name in names if "across_runs" in name or "avg_sample" in name]


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, 0.1, 0.3, 2.5, -1.0]), max_size=30))
def test_tasks_with_one_score_each_have_the_metrics_of_tasks(scores: list[float]) -> None:
    assert lone_pass_metrics(scores) == pass_metrics([[score] for score in scores])
