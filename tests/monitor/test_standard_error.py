"""Standard errors and quantiles are those of scipy and of the regression formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from palestra.monitor.standard_error import Moments, clustered_standard_error, interval_entries, student_quantile

values = st.floats(-100, 100)


@pytest.mark.parametrize("degrees", [*range(1, 260), 1000, 10**5, 10**7])
def test_quantiles_are_scipys(degrees: int) -> None:
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-10)


def test_no_degree_of_freedom_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        student_quantile(0)


@given(st.lists(st.lists(values, min_size=1, max_size=5), min_size=1, max_size=8))
def test_the_clustered_error_is_that_of_a_regression_on_a_constant(clusters: list[list[float]]) -> None:
    # The sandwich (X'X)^-1 (sum_c X_c' e_c e_c' X_c) (X'X)^-1 with X a column of ones.
    everything = np.concatenate([np.array(cluster) for cluster in clusters])
    residuals = everything - everything.mean()
    design = np.ones((len(everything), 1))
    bread = np.linalg.inv(design.T @ design)
    bounds = np.cumsum([len(cluster) for cluster in clusters])[:-1]
    meat = np.zeros((1, 1))
    for part, error in zip(np.split(design, bounds), np.split(residuals, bounds), strict=True):
        moment = part.T @ error[:, None]
        meat += moment @ moment.T
    expected = float(np.sqrt((bread @ meat @ bread)[0, 0]))
    found, count = clustered_standard_error(clusters, float(everything.mean()))
    assert (found, count) == (pytest.approx(expected, abs=1e-9), len(clusters))


@given(st.lists(values, min_size=2, max_size=20))
def test_clusters_of_one_have_the_plain_error_without_correction(scores: list[float]) -> None:
    found, _ = clustered_standard_error([[score] for score in scores], float(np.mean(scores)))
    assert found == pytest.approx(np.std(scores) / np.sqrt(len(scores)), abs=1e-9)


@given(st.lists(values, min_size=2, max_size=8), st.integers(2, 5))
def test_repeating_each_rollout_teaches_nothing(scores: list[float], copies: int) -> None:
    mean = float(np.mean(scores))
    once, _ = clustered_standard_error([[score] for score in scores], mean)
    often, _ = clustered_standard_error([[score] * copies for score in scores], mean)
    assert often == pytest.approx(once, abs=1e-9)


def test_clusters_without_a_value_do_not_count() -> None:
    assert clustered_standard_error([[], [1.0], []], 1.0) == (0.0, 1)
    assert clustered_standard_error([], 0.0) == (0.0, 0)


@given(st.lists(values, min_size=2, max_size=20))
def test_the_error_of_a_mean_is_scipys(scores: list[float]) -> None:
    assert Moments.of(scores).standard_error == pytest.approx(stats.sem(scores), abs=1e-9)


@given(st.lists(values, max_size=10), st.lists(values, max_size=10))
def test_moments_of_two_parts_are_those_of_the_whole(one: list[float], other: list[float]) -> None:
    found, whole = Moments.of(one).merged(Moments.of(other)), Moments.of([*one, *other])
    assert (found.count, found.mean, found.squares) == pytest.approx((whole.count, whole.mean, whole.squares), abs=1e-6)


def test_an_interval_is_scipys() -> None:
    found = interval_entries("x", 3.0, 0.5, clusters=11)
    assert (found["x/ci95_low"], found["x/ci95_high"]) == pytest.approx(stats.t.interval(0.95, 10, 3.0, 0.5))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    # 20 tasks of different difficulty in 4 rollouts each; the mean over all such tasks is 0.5.
    random = np.random.default_rng(0)
    trials, held, held_by_plain = 2000, 0, 0
    for _ in range(trials):
        scores = (random.random((20, 4)) < random.random((20, 1))).astype(float)
        mean = float(scores.mean())
        error, clusters = clustered_standard_error(scores.tolist(), mean)
        found = interval_entries("x", mean, error, clusters)
        held += found["x/ci95_low"] <= 0.5 <= found["x/ci95_high"]
        held_by_plain += abs(mean - 0.5) <= 1.96 * float(stats.sem(scores.ravel()))
    assert 0.92 < held / trials < 0.97
    assert held_by_plain / trials < 0.90
