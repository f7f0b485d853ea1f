"""Verdicts made of several: rewards in range, components that sum, gates that close, judges asked only in doubt."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.errors import Failure
from palestra.core.verdict import Verdict
from palestra.grading.composite import (
    gated,
    library_first,
    minimum,
    partial_credit,
    product,
    response_quality,
    weighted_sum,
)

NAMES = st.sampled_from(["right", "brief", "polite", "safe", "formatted"])
SCORES = st.dictionaries(NAMES, st.floats(0, 1), min_size=1)
WEIGHT = st.floats(0, 1e6)


@given(SCORES, st.data())
def test_a_weighted_sum_is_in_range_and_its_components_sum_to_it(scores: dict[str, float], data: st.DataObject) -> None:
    weights = {name: data.draw(WEIGHT) for name in scores}
    if sum(weights.values()) == 0:
        with pytest.raises(ValueError, match="not all 0"):
            weighted_sum(scores, weights)
        return
    verdict = weighted_sum(scores, weights)
    assert 0 <= verdict.reward <= 1
    assert set(verdict.components) == set(scores)
    assert math.isclose(sum(verdict.components.values()), verdict.reward, abs_tol=1e-9)
    assert min(scores.values()) - 1e-9 <= verdict.reward <= max(scores.values()) + 1e-9


@given(SCORES)
def test_without_weights_a_sum_is_the_mean(scores: dict[str, float]) -> None:
    assert math.isclose(weighted_sum(scores).reward, sum(scores.values()) / len(scores), abs_tol=1e-9)


@given(SCORES)
def test_product_and_minimum_are_never_above_the_worst_objective(scores: dict[str, float]) -> None:
    worst = min(scores.values())
    assert minimum(scores).reward == worst
    assert 0 <= product(scores).reward <= worst
    for verdict in (minimum(scores), product(scores)):
        assert verdict.metrics == scores
        assert not verdict.components


@given(SCORES)
def test_all_combinations_pay_in_full_only_for_full_scores(scores: dict[str, float]) -> None:
    full = dict.fromkeys(scores, 1.0)
    for combine in (weighted_sum, product, minimum):
        assert math.isclose(combine(full).reward, 1.0)
        if min(scores.values()) < 0.999:
            assert combine(scores).reward < 1.0


@given(SCORES, st.dictionaries(st.sampled_from(["in_json", "no_links"]), st.booleans()))
def test_a_closed_gate_pays_nothing_and_an_open_one_changes_nothing(
    scores: dict[str, float], gates: dict[str, bool]
) -> None:
    inner = weighted_sum(scores)
    verdict = gated(gates, inner)
    assert verdict.reward == (inner.reward if all(gates.values()) else 0.0)
    assert set(verdict.components) == set(inner.components)
    assert {name: verdict.metrics[name] for name in gates} == gates
    if not all(gates.values()):
        assert verdict.reason is not None
        assert verdict.reason.split()[0] in gates


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_partial_credit_is_the_share_that_passed(passed: list[bool]) -> None:
    verdict = partial_credit(passed)
    assert math.isclose(verdict.reward, sum(passed) / len(passed))
    assert (verdict.reward == 1.0) == all(passed)
    assert (verdict.reward == 0.0) == (not any(passed))
    assert (verdict.reason is None) == all(passed)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 100)), min_size=1, max_size=50), st.data())
def test_passing_one_more_check_never_pays_less(checks: list[tuple[bool, float]], data: st.DataObject) -> None:
    passed, weights = [holds for holds, _ in checks], [weight for _, weight in checks]
    place = data.draw(st.integers(0, len(checks) - 1))
    better = [*passed[:place], True, *passed[place + 1 :]]
    assert partial_credit(better, weights).reward >= partial_credit(passed, weights).reward - 1e-12


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: weighted_sum({}),
        lambda: weighted_sum({"a": 1.5}),
        lambda: weighted_sum({"a": math.nan}),
        lambda: weighted_sum({"a": 1.0}, {"b": 1.0}),
        lambda: weighted_sum({"a": 1.0, "b": 0.0}, {"a": 2.0, "b": -1.0}),
        lambda: product({"a": -0.1}),
        lambda: minimum({}),
        lambda: partial_credit([]),
        lambda: partial_credit([True], [0.0]),
        lambda: partial_credit([True], [1.0, 2.0]),
    ],
)
def test_what_cannot_be_combined_is_refused(wrong: "object") -> None:
    with pytest.raises(ValueError, match=r"score|weights|check"):
        wrong()  # type: ignore[operator]


def test_a_judge_is_asked_only_in_doubt_and_its_outage_is_no_zero() -> None:
    asked: list[str] = []

    async def judge() -> Verdict:
        asked.append("judge")
        return Verdict(1.0, metrics={"votes": 3})

    async def down() -> Verdict:
        raise Failure("judge", "no answer")

    sure = asyncio.run(library_first(lambda: Verdict(1.0), judge))
    assert (sure.reward, sure.metrics["decided_by"], asked) == (1.0, "library", [])
    doubt = asyncio.run(library_first(lambda: Verdict(0.0, metrics={"extracted": "7"}), judge))
    assert (doubt.reward, asked) == (1.0, ["judge"])
    assert doubt.metrics == {"extracted": "7", "votes": 3, "library_reward": 0.0, "decided_by": "judge"}
    with pytest.raises(Failure, match="no answer"):
        asyncio.run(library_first(lambda: Verdict(0.0), down))
    unread = asyncio.run(
        library_first(lambda: Verdict(0.0, reason="wrong"), down, in_doubt=lambda verdict: verdict.reason != "wrong")
    )
    assert unread.reward == 0.0


def test_response_quality_asks_the_rubric_only_where_the_required_rules_hold() -> None:
    asked: list[str] = []

    async def ask(criterion: str, reply: str) -> float:
        asked.append(criterion)
        return 0.5

    def quality(reply: str) -> Verdict:
        return asyncio.run(
            response_quality(
                reply,
                required={"says_something": lambda text: bool(text.strip())},
                rules={"brief": lambda text: len(text) < 20},
                rubric={"polite": "Is the reply polite?"},
                ask=ask,
                weights={"brief": 1.0, "polite": 3.0},
            )
        )

    verdict = quality("Thank you, gladly.")
    assert verdict.components == {"brief": 0.25, "polite": 0.375}
    assert (verdict.reward, asked) == (0.625, ["Is the reply polite?"])
    assert quality("  ").reward == 0.0
    assert asked == ["Is the reply polite?"]
    with pytest.raises(ValueError, match="`ask`"):
        asyncio.run(response_quality("x", rubric={"polite": "?"}))
