"""Agreement, intervals and calibration against known values and other implementations."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from palestra.grading.agreement import (
    brier,
    calibration,
    calibration_error,
    correlation,
    kappa,
    paired_difference,
    share,
)

BITS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


def columns(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def test_kappa_of_a_known_table() -> None:
    # Two readers of 50 proposals: both yes 20, both no 15, 5 and 10 apart. Kappa is 0.4 by hand.
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    estimate = kappa(*columns(pairs))
    assert estimate.value == pytest.approx(0.4)
    # By hand from the formula: the variance is (A + B - C) / ((1 - pe)^2 n) = 0.0158 with pe = 0.5.
    diagonal = 0.4 * (1 - 1.1 * 0.6) ** 2 + 0.3 * (1 - 0.9 * 0.6) ** 2
    apart = 0.36 * (0.1 * (0.6 + 0.5) ** 2 + 0.2 * (0.4 + 0.5) ** 2)
    variance = (diagonal + apart - (0.4 - 0.5 * 0.6) ** 2) / (0.25 * 50)
    assert estimate.high == pytest.approx(0.4 + 1.959964 * math.sqrt(variance))


def test_the_interval_of_kappa_covers_what_it_should() -> None:
    from random import Random

    random = Random(11)
    # 8 of 10 labels are hit, both values equally often: kappa is 0.6.
    covered = 0
    for _ in range(400):
        labels = [random.randint(0, 1) for _ in range(150)]
        verdicts = [label if random.random() < 0.8 else 1 - label for label in labels]
        estimate = kappa(verdicts, labels)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.6 <= estimate.high
    assert 0.91 <= covered / 400 <= 0.985


@given(BITS)
def test_kappa_is_symmetric_and_at_most_one(pairs: list[tuple[int, int]]) -> None:
    verdicts, labels = columns(pairs)
    first, second = kappa(verdicts, labels), kappa(labels, verdicts)
    if first.value is None:
        assert len(set(verdicts)) == len(set(labels)) == 1
        return
    assert second.value == pytest.approx(first.value)
    assert first.low is not None
    assert first.high is not None
    assert -1 <= first.low <= first.value <= first.high <= 1
    assert (first.value == pytest.approx(1.0)) is (verdicts == labels)


@given(st.integers(0, 50), st.integers(1, 50))
def test_shares_have_wilsons_interval(hits: int, more: int) -> None:
    n = hits + more
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    estimate = share(hits, n)
    assert (estimate.low, estimate.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(-1, 1)), min_size=5, max_size=40))
def test_correlation_is_pearsons(pairs: list[tuple[float, float]]) -> None:
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    estimate = correlation(xs, ys)
    if estimate.value is None or min(stats.tstd(xs), stats.tstd(ys)) < 1e-6:
        return
    expected: Any = stats.pearsonr(xs, ys)
    assert estimate.value == pytest.approx(expected.statistic, abs=1e-6)
    if estimate.low is not None and abs(expected.statistic) < 0.999:
        assert estimate.low == pytest.approx(expected.confidence_interval().low, abs=1e-6)


def test_what_the_data_say_nothing_about_has_no_value() -> None:
    for estimate in (
        share(0, 0),
        kappa([], []),
        kappa([1, 1], [1, 1]),
        correlation([1, 1], [0, 1]),
        correlation([], []),
    ):
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert paired_difference([], []).value is None
    assert paired_difference([1], [0]).to_json() == {"value": 1.0, "low": None, "high": None}
    assert brier([], []) is None
    assert calibration_error([]) is None


def test_a_curve_counts_every_row_once_and_its_error_is_the_distance_from_the_diagonal() -> None:
    scores, labels = [0.0, 0.05, 0.5, 0.5, 1.0, 1.0], [0, 0, 1, 0, 1, 0]
    curve = calibration(scores, labels)
    assert [(entry.low, entry.n, entry.right) for entry in curve] == [(0.0, 2, 0.0), (0.5, 2, 0.5), (0.9, 2, 0.5)]
    assert calibration_error(curve) == pytest.approx((2 * 0.025 + 0 + 2 * 0.5) / 6)
    assert brier([1.0, 0.0], [1, 1]) == 0.5


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=50))
def test_no_row_is_lost_in_a_curve(pairs: list[tuple[float, int]]) -> None:
    curve = calibration([score for score, _ in pairs], [label for _, label in pairs])
    assert sum(entry.n for entry in curve) == len(pairs)
    assert all(entry.low - 1e-9 <= entry.mean_score <= entry.high + 1e-9 for entry in curve)
