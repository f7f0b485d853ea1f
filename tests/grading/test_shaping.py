"""Reward shaping: what each step promises, for any rewards, and that the order of steps is the order they have."""

import math
from collections import defaultdict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.grading import shaping
from palestra.grading.shaping import parse_step, shaped

REWARD = st.floats(-1e3, 1e3, allow_nan=False).map(lambda value: round(value, 3))
SAMPLES = st.lists(st.tuples(REWARD, st.integers(0, 5)), min_size=1, max_size=60)
Sample = tuple[float, int]


def apply(samples: list[Sample], *texts: str) -> list[float]:
    rewards, groups = [reward for reward, _ in samples], [group for _, group in samples]
    return shaped(rewards, groups, [parse_step(text) for text in texts])


def grouped(samples: list[Sample], values: list[float]) -> dict[int, list[tuple[float, float]]]:
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for (reward, group), value in zip(samples, values, strict=True):
        found[group].append((reward, value))
    return found


@given(SAMPLES, st.floats(0.001, 1000), st.floats(-1000, 1000))
def test_scaling_is_linear_and_keeps_the_order(samples: list[Sample], factor: float, offset: float) -> None:
    values = shaped([reward for reward, _ in samples], [0] * len(samples), [shaping.scale(factor, offset)])
    assert values == [factor * reward + offset for reward, _ in samples]


@given(SAMPLES, REWARD, REWARD)
def test_clipping_stays_in_its_bounds_and_leaves_what_is_inside(samples: list[Sample], one: float, two: float) -> None:
    if one == two:
        return
    low, high = sorted((one, two))
    values = shaped([reward for reward, _ in samples], [0] * len(samples), [shaping.clip(low, high)])
    for (reward, _), value in zip(samples, values, strict=True):
        assert low <= value <= high
        assert value == reward or not low <= reward <= high


@given(SAMPLES)
def test_a_z_score_has_mean_0_and_deviation_1_or_is_0_throughout(samples: list[Sample]) -> None:
    values = apply(samples, "z_score")
    if len({reward for reward, _ in samples}) == 1:
        assert values == [0.0] * len(values)
    else:
        assert abs(math.fsum(values)) < 1e-6 * len(values)
        assert math.isclose(math.fsum(value**2 for value in values) / len(values), 1, rel_tol=1e-6)


@given(SAMPLES)
def test_min_max_reaches_from_0_to_1_and_keeps_the_order(samples: list[Sample]) -> None:
    values = apply(samples, "min_max")
    rewards = [reward for reward, _ in samples]
    assert all(0 <= value <= 1 for value in values)
    if len(set(rewards)) > 1:
        assert values[rewards.index(min(rewards))] == 0
        assert values[rewards.index(max(rewards))] == 1
    for (one, first), (two, second) in zip(
        samples_with(rewards, values), samples_with(rewards, values)[1:], strict=False
    ):
        assert (first <= second) == (one <= two) or math.isclose(first, second, abs_tol=1e-9)


def samples_with(rewards: list[float], values: list[float]) -> list[tuple[float, float]]:
    return list(zip(rewards, values, strict=True))


@given(SAMPLES)
def test_normalising_by_group_is_the_z_score_of_each_group_alone(samples: list[Sample]) -> None:
    values = apply(samples, "group")
    for found in grouped(samples, values).values():
        alone = shaped([reward for reward, _ in found], [0] * len(found), [parse_step("z_score")])
        assert [value for _, value in found] == alone


@given(SAMPLES)
def test_centring_by_group_sums_to_0_and_keeps_differences(samples: list[Sample]) -> None:
    values = apply(samples, "group_centre")
    for found in grouped(samples, values).values():
        assert abs(math.fsum(value for _, value in found)) < 1e-5
        (first_reward, first), *others = found
        for reward, value in others:
            assert math.isclose(value - first, reward - first_reward, abs_tol=1e-6)


@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_rollouts_does_not_matter(samples: list[Sample], random: Random) -> None:
    order = list(range(len(samples)))
    random.shuffle(order)
    for text in ("z_score", "min_max", "group", "group_centre"):
        straight, mixed = apply(samples, text), apply([samples[place] for place in order], text)
        assert all(math.isclose(straight[place], mixed[position], abs_tol=1e-6) for position, place in enumerate(order))


def test_steps_are_applied_in_the_order_they_are_named() -> None:
    samples = [(0.0, 0), (0.0, 0), (10.0, 0)]
    assert apply(samples, "clip=0,1", "scale=4") == [0, 0, 4]
    assert apply(samples, "scale=4", "clip=0,1") == [0, 0, 1]
    assert apply(samples, "group", "clip=-1,1")[2] == 1
    assert math.isclose(apply(samples, "clip=-1,1", "group")[2], math.sqrt(2))


def test_raw_rewards_are_not_touched() -> None:
    rewards = [1.0, 2.0, 3.0]
    shaped(rewards, [0, 0, 1], [parse_step("group"), parse_step("scale=2,1")])
    assert rewards == [1.0, 2.0, 3.0]


@given(st.lists(st.sampled_from([0.1, 0.2, 1 / 3]), min_size=1, max_size=30).filter(lambda found: len(set(found)) == 1))
def test_equal_rewards_teach_nothing_whatever_their_rounding(rewards: list[float]) -> None:
    for text in ("z_score", "group", "group_centre", "min_max"):
        assert shaped(rewards, [0] * len(rewards), [parse_step(text)]) == [0.0] * len(rewards)


def test_differences_of_rounding_teach_nothing() -> None:
    assert shaped([0.1 + 0.2, 0.3, 0.3], [0, 0, 0], [parse_step("group")]) == [0.0, 0.0, 0.0]


def test_extreme_rewards_stay_finite() -> None:
    for text in ("z_score", "group", "min_max"):
        values = shaped([-1.7e308, 0.0, 1.7e308, 5e-324], [0, 0, 0, 0], [parse_step(text)])
        assert all(map(math.isfinite, values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "clip",
        "clip=1",
        "clip=2,1",
        "clip=0,nan",
        "scale=0",
        "scale=inf",
        "scale=x",
        "scale=1,2,3",
        "group=1",
        "norm",
    ],
)
def test_a_step_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"step|needs|numbers|scale|convert"):
        parse_step(text)


def test_what_is_not_finite_is_refused_and_so_are_groups_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="raw rewards gave a reward of nan"):
        shaped([math.nan], [0], [])
    with pytest.raises(ValueError, match="scale=1e\\+308,0 gave"):
        shaped([1e10], [0], [shaping.scale(1e308)])
    with pytest.raises(ValueError, match="as many groups"):
        shaped([1.0], [], [])
