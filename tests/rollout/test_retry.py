"""Retries are bounded, spread out, and as patient as the endpoint asks."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Failure, Reply, Sampling
from palestra.rollout.breaker import CircuitBreaker
from palestra.rollout.budget import RetryBudget
from palestra.rollout.retry import RetryingModel, RetryPolicy
from tests.rollout.virtual_time import run

REPLY = Reply((), "stop", "m")


class Flaky:
    """Fails as it is told, then replies."""

    name = "flaky"

    def __init__(self, failures: Sequence[Exception]) -> None:
        self.failures = list(failures)
        self.tries = 0
        self.closed = False

    async def respond(self, *_: Any, **__: Any) -> Reply:
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        return REPLY

    async def close(self) -> None:
        self.closed = True


def busy(retry_after_s: float | None = None) -> Failure:
    return Failure("model", "busy", code="model-rate-limited", retryable=True, retry_after_s=retry_after_s)


def retrying(model: Flaky, policy: RetryPolicy, budget: RetryBudget | None = None) -> RetryingModel:
    return RetryingModel(model, policy, Random(0), CircuitBreaker("http://e/v1"), budget or RetryBudget(reserve=1e6))


def ask(model: Flaky, policy: RetryPolicy) -> tuple[Reply | Failure, float]:
    async def respond() -> Reply | Failure:
        try:
            return await retrying(model, policy).respond([], [], Sampling())
        except Failure as failure:
            return failure

    return run(respond())


def test_a_call_that_succeeds_later_succeeds() -> None:
    model = Flaky([busy(), busy()])
    reply, waited_s = ask(model, RetryPolicy(max_tries=3, first_delay_s=1.0))
    assert (reply, model.tries) == (REPLY, 3)
    assert 1.5 <= waited_s <= 3.0


def test_tries_are_bounded_and_counted_in_the_message() -> None:
    model = Flaky([busy() for _ in range(10)])
    failure, _ = ask(model, RetryPolicy(max_tries=3))
    assert isinstance(failure, Failure)
    assert (model.tries, failure.message, failure.code) == (3, "busy (tried 3 times)", "model-rate-limited")


def test_what_cannot_be_retried_fails_at_once() -> None:
    model = Flaky([Failure("model", "no such model", code="model-not-found", fatal=True)])
    failure, waited_s = ask(model, RetryPolicy())
    assert isinstance(failure, Failure)
    assert (failure.message, model.tries, waited_s) == ("no such model", 1, 0.0)


def test_what_is_no_failure_is_not_caught() -> None:
    model = Flaky([ValueError("a bug")])
    with pytest.raises(ValueError, match="a bug"):
        ask(model, RetryPolicy())
    assert model.tries == 1


def test_retry_after_is_honoured_even_beyond_the_largest_delay() -> None:
    reply, waited_s = ask(Flaky([busy(90.0)]), RetryPolicy(max_delay_s=2.0))
    assert reply is REPLY
    assert 90.0 <= waited_s <= 135.0


def test_the_total_time_is_bounded() -> None:
    model = Flaky([busy() for _ in range(1000)])
    failure, waited_s = ask(model, RetryPolicy(max_tries=1000, max_delay_s=10.0, max_wait_s=100.0))
    assert isinstance(failure, Failure)
    assert 80.0 <= waited_s <= 100.0
    assert model.tries < 30


def test_a_retry_after_beyond_the_total_is_not_waited_for() -> None:
    failure, waited_s = ask(Flaky([busy(3600.0)]), RetryPolicy(max_wait_s=600.0))
    assert isinstance(failure, Failure)
    assert waited_s == 0.0


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32))
def test_delays_double_up_to_the_largest_with_half_of_it_drawn(tries: int, seed: int) -> None:
    policy = RetryPolicy(first_delay_s=0.5, max_delay_s=60.0)
    ceiling = min(0.5 * 2 ** (tries - 1), 60.0)
    assert ceiling / 2 <= policy.delay_s(tries, busy(), Random(seed)) <= ceiling
    assert 7.0 <= policy.delay_s(tries, busy(7.0), Random(seed)) <= 7.0 + 3.5


def test_equal_failures_come_back_at_different_times() -> None:
    policy, random = RetryPolicy(), Random(0)
    assert len({policy.delay_s(1, busy(5.0), random) for _ in range(100)}) == 100


def test_name_and_close_are_the_models() -> None:
    model = Flaky([])
    patient = retrying(model, RetryPolicy())
    assert patient.name == "flaky"
    run(patient.close())
    assert model.closed
