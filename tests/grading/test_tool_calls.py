"""Checks of tool calls: each holds for the calls it asks for, and says why it does not hold for others."""

import time
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.transcript import Call
from palestra.grading.tool_calls import (
    Expected,
    Made,
    arguments_of,
    exactly,
    final_state,
    first_fits,
    forbidden,
    has_arguments,
    in_order,
    is_call,
    is_call_but_for,
    made,
    matching,
    required,
    same_value,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "1", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)
EXPECTED = st.builds(Expected, st.sampled_from(["get", "put"]), ARGUMENTS)
CALLS = st.lists(EXPECTED, max_size=6)


def as_made(expected: list[Expected]) -> list[Made]:
    return [Made(call.name, call.arguments) for call in expected]


@given(CALLS, st.randoms(use_true_random=False))
def test_the_expected_calls_hold_in_any_order(expected: list[Expected], random: Any) -> None:
    calls = as_made(expected)
    assert in_order(calls, expected).holds
    random.shuffle(calls)
    finding = exactly(calls, expected)
    assert (finding.holds, finding.reason, finding.matched) == (True, None, len(expected))
    assert required([*calls, Made("other", {})], expected).holds
    assert forbidden(calls, ["other"]).holds


@given(CALLS.filter(bool), st.data())
def test_one_change_breaks_them_and_is_told(expected: list[Expected], data: st.DataObject) -> None:
    calls = as_made(expected)
    place = data.draw(st.integers(0, len(calls) - 1))
    call = calls[place]
    changed = [
        [*calls[:place], *calls[place + 1 :]],
        [*calls, call],
        [*calls, Made("other", {})],
        [*calls[:place], Made("renamed", call.arguments), *calls[place + 1 :]],
        [*calls[:place], Made(call.name, {**(call.arguments or {}), "further": 1}), *calls[place + 1 :]],
        [*calls[:place], Made(call.name, None), *calls[place + 1 :]],
    ]
    for name, value in (call.arguments or {}).items():
        other = {**(call.arguments or {}), name: [value]}
        changed.append([*calls[:place], Made(call.name, other), *calls[place + 1 :]])
    for made_calls in changed:
        finding = exactly(made_calls, expected)
        assert not finding.holds
        assert finding.reason


@given(st.lists(st.sets(st.integers(0, 4), max_size=4), max_size=5))
def test_matching_finds_as_many_pairs_as_there_are(fits: list[set[int]]) -> None:
    calls = [Made(str(number), {}) for number in range(5)]
    expected = [Expected("".join(map(str, sorted(fit))), {}) for fit in fits]
    pairs = matching(calls, expected, lambda call, wanted: call.name in wanted.name)
    assert len(set(pairs.values())) == len(pairs)
    assert all(index in fits[wanted] for wanted, index in pairs.items())
    most = max(
        sum(index in fit for index, fit in zip(order, fits, strict=False))
        for order in permutations(range(5), len(fits))
    )
    assert len(pairs) == most


def test_matching_solves_what_taking_the_first_does_not() -> None:
    calls = [Made("get", {"a": 1, "b": 2}), Made("get", {"a": 1})]
    expected = [Expected("get", {"a": 1}), Expected("get", {"a": 1, "b": 2})]
    assert len(first_fits(calls, expected, has_arguments)) == 1
    assert matching(calls, expected, has_arguments) == {0: 1, 1: 0}
    assert exactly(calls, expected, has_arguments).holds


@given(VALUES, VALUES)
def test_equal_values_are_those_that_differ_nowhere(first: Any, second: Any) -> None:
    assert same_value(first, first)
    assert same_value(first, second) == same_value(second, first)
    if same_value(first, second):
        assert first == second
    finding = final_state({"table": first}, {"table": second})
    assert finding.holds == same_value(first, second)
    assert finding.holds or (finding.reason or "").startswith("the state differs at table")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (1, 1.0, True), (1, True, False), (0, False, False), ("14", 14, False), (None, "", False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ({"a": None}, {}, False), ([], {}, False), ({}, None, False),
    ],
)  # fmt: skip
def test_types_count(first: Any, second: Any, same: bool) -> None:
    assert same_value(first, second) is same


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}), ("{}", {}), ('{"a": 1}', {"a": 1}), ('{"a": 1', None), ("[1]", None), ("null", None),
        ('{"a": 1, "a": 2}', None), ('{"a": NaN}', None), ("[" * 100_000, None), ('{"a": "\\ud800"}', {"a": "\ud800"}),
    ],
)  # fmt: skip
def test_arguments_are_an_object_or_nothing(text: str, value: Any) -> None:
    assert arguments_of(text) == value
    assert made([Call("get", text)]) == (Made("get", value),)


def test_order_counts_where_it_is_asked_for() -> None:
    expected = [Expected("a", {}), Expected("b", {})]
    calls = [Made("a", {}), Made("c", {}), Made("b", {})]
    assert in_order(calls, expected).holds
    finding = in_order(calls[::-1], expected)
    assert (finding.holds, finding.matched) == (False, 1)
    assert finding.reason == "call 2 was not made in its place: b()"
    # One call cannot stand for two.
    assert not in_order([Made("a", {})], [Expected("a", {}), Expected("a", {})]).holds


def test_forbidden_calls_are_named_by_tool_or_with_arguments() -> None:
    calls = [Made("pay", {"amount": 5, "to": "Ann"}), Made("pay", None)]
    assert forbidden(calls, ["delete", Expected("pay", {"amount": 6})]).holds
    assert forbidden(calls, ["pay"]).reason == "a forbidden call was made: pay(amount=5, to='Ann')"
    assert not forbidden(calls, [Expected("pay", {"amount": 5})]).holds
    assert forbidden(calls, [Expected("pay", {"amount": 5})], is_call).holds


def test_states_differ_at_a_place() -> None:
    here = {"mail": [{"to": "a"}, {"to": "b"}]}
    assert (
        final_state(here, {"mail": [{"to": "a"}]}).reason
        == "the state differs at mail[1]: {'to': 'b'} instead of nothing"
    )
    assert (
        final_state(here, {"mail": [{"to": "a"}, {"to": "c"}]}).reason
        == "the state differs at mail[1].to: 'b' instead of 'c'"
    )
    assert final_state(1, 2).reason == "the state differs at its root: 1 instead of 2"


def test_thousands_of_calls_are_soon_refused() -> None:
    calls = [Made("get", {"a": number}) for number in range(20_000)]
    expected = [Expected("get", {"a": number}) for number in range(10)]
    began = time.process_time()
    finding = exactly(calls, expected)
    assert not finding.holds
    assert finding.reason == "20000 calls instead of 10, such as get(a=10)"
    assert time.process_time() - began < 2


def test_what_is_assumed_anyway_may_be_said() -> None:
    matches = is_call_but_for({"get": {"page": 1, "deep": False}})
    expected = Expected("get", {"a": 1})
    assert matches(Made("get", {"a": 1}), expected)
    assert matches(Made("get", {"a": 1, "page": 1, "deep": False}), expected)
    assert not matches(Made("get", {"a": 1, "page": True}), expected)
    assert not matches(Made("get", {"a": 1, "page": 2}), expected)
    assert not matches(Made("get", {"a": 1, "further": 1}), expected)
    assert not matches(Made("get", {"page": 1}), expected)
    # What is expected must be said, also where it is the default.
    assert not matches(Made("get", {}), Expected("get", {"page": 1}))
