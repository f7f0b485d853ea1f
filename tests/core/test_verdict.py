"""Verdicts: what is no finite, explained number never becomes a reward."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Verdict


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused_wherever_they_are(value: float) -> None:
    with pytest.raises(ValueError, match="reward is"):
        Verdict(value)
    with pytest.raises(ValueError, match="speed is"):
        Verdict(1.0, components={"speed": value, "rest": 1.0})
    with pytest.raises(ValueError, match="metric 'mean' is no JSON value"):
        Verdict(1.0, metrics={"mean": value})
    with pytest.raises(ValueError, match="metric 'deep'"):
        Verdict(1.0, metrics={"deep": {"x": [value]}})


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", 1 + 2j])
def test_a_metric_that_cannot_be_written_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match="metric 'found' is no JSON value"):
        Verdict(1.0, metrics={"found": value})


def test_components_must_sum_to_the_reward() -> None:
    assert Verdict(1.0, components={"a": 0.1 + 0.2, "b": 0.7}).reward == 1.0
    with pytest.raises(ValueError, match=r"components sum to 0\.5, but the reward is 1\.0"):
        Verdict(1.0, components={"a": 0.5})


@pytest.mark.parametrize("name", ["reward", "response", "palestra", "agent_ref", "_ng_task_index", "_ng_failure_class"])
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="the name is taken"):
        Verdict(1.0, components={name: 1.0})
    with pytest.raises(ValueError, match="the name is taken"):
        Verdict(1.0, metrics={name: 1.0})


def test_a_name_cannot_be_component_and_metric() -> None:
    with pytest.raises(ValueError, match=r"\['a'\] cannot name"):
        Verdict(1.0, components={"a": 1.0}, metrics={"a": 1})


def test_what_verify_returns_becomes_a_float() -> None:
    for value, reward in ((True, 1.0), (False, 0.0), (1, 1.0), (0.25, 0.25)):
        assert type(Verdict.of(value).reward) is float
        assert Verdict.of(value).reward == reward
    assert json.dumps(Verdict(True, components={"all": True}).reward) == "1.0"
    assert type(Verdict(True, components={"all": True}).components["all"]) is float


def test_numbers_of_numpy_become_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    verdict = Verdict(numpy.float32(0.5), components={"a": numpy.float32(0.5)})
    assert (type(verdict.reward), type(verdict.components["a"])) == (float, float)


@pytest.mark.parametrize("value", [None, "1.0", [1.0], {"reward": 1.0}])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"verify returned {type(value).__name__}"):
        Verdict.of(value)
    with pytest.raises(TypeError):
        Verdict(value)


def test_later_changes_of_the_authors_dictionary_do_not_reach_the_verdict() -> None:
    components = {"a": 1.0}
    verdict = Verdict(1.0, components=components)
    components["a"] = 9.0
    assert verdict.components == {"a": 1.0}


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_any_finite_parts_make_a_verdict(parts: list[float]) -> None:
    components = {f"part_{number}": part for number, part in enumerate(parts)}
    assert math.isfinite(Verdict(sum(parts), components=components).reward)
