"""Retries stay a bounded share of the calls and never come as a herd; what is refused is not lost in haste."""

import asyncio
from collections import Counter

import pytest

from palestra import Failure
from palestra.rollout.budget import RetryBudget
from palestra.rollout.retry import RetryPolicy
from tests.rollout.behind_breaker import CODES, Place, Server, sometimes
from tests.rollout.virtual_time import run


def busy(retry_after_s: float | None) -> Failure:
    return Failure("model", "busy", code="model-rate-limited", retryable=True, retry_after_s=retry_after_s)


@pytest.mark.parametrize("workers", [1, 16, 256])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("kinds", [["garbage"], ["429"], [busy(3.0)], ["500"], list(CODES)], ids=str)
def test_calls_stay_below_1_6_times_the_ideal_whatever_the_fault(
    kinds: list[str | Failure], share: float, workers: int
) -> None:
    place = Place(Server(sometimes(share, *kinds), timeout_s=5))
    calls = 2000
    run(place.work(workers, calls))
    if place.error is None:
        assert place.replies + len(place.failures) == calls
    asked = place.replies + len(place.failures) + workers
    # Probes of an endpoint that seems gone come on top: one in a few seconds.
    assert len(place.server.sent) <= 1.5 * asked + 10 + max(workers, 64) + 4 * place.breaker.openings + 120
    if share == 0.2:
        assert len(place.server.sent) <= 1.6 * calls
        assert len(place.failures) <= 0.005 * calls


@pytest.mark.parametrize("workers", [32, 128])
@pytest.mark.parametrize("fault", ["429", "500", "garbage", busy(2.0), busy(20.0)], ids=str)
def test_retries_never_come_faster_than_twice_the_rate_of_calls(fault: str | Failure, workers: int) -> None:
    def now_and_then(now: float, number: int) -> str | Failure | None:
        # Beside single faults, every minute all calls of one second fail together.
        return fault if 30 <= now % 60 < 31 else sometimes(0.1, fault)(now, number)

    place = Place(Server(now_and_then, latency_s=1.0))
    run(place.work(workers, workers * 100))
    each_second = Counter(int(when) for when in place.retries)
    assert sum(each_second.values()) > workers
    assert max(each_second.values()) <= 2 * workers
    assert len(place.failures) <= 0.02 * workers * 100


def test_too_many_calls_for_the_endpoint_are_slowed_down_and_not_lost() -> None:
    place = Place(Server(lambda now, number: None, capacity=16), policy=RetryPolicy(max_tries=20))
    run(place.work(64, 4000))
    assert len(place.server.sent) <= 1.5 * 4000 + 10
    assert place.replies >= 0.98 * 4000


def test_small_runs_can_retry() -> None:
    place = Place(Server(lambda now, number: "garbage" if number < 8 else None))
    run(place.work(4, 8))
    assert (place.replies, place.failures) == (8, [])


def test_without_budget_a_failure_is_recorded_with_the_reason() -> None:
    place = Place(Server(lambda now, number: "garbage"))
    run(place.work(8, 100))
    assert len(place.failures) == 100
    assert any("too many calls fail to try all of them again" in failure.message for failure in place.failures)
    assert {failure.code for failure in place.failures} == {"model-bad-reply"}


class TestBudget:
    def test_each_first_call_brings_half_a_retry_up_to_the_most(self) -> None:
        budget = RetryBudget(ratio=0.5, reserve=1.0, most=3.0)
        assert (budget.take(), budget.take()) == (True, False)

        async def begin(count: int) -> None:
            for _ in range(count):
                budget.begin()

        run(begin(100))
        assert [budget.take() for _ in range(4)] == [True, True, True, False]

    def test_who_waits_is_served_in_order_and_a_cancelled_one_takes_no_token(self) -> None:
        async def main() -> list[int]:
            budget = RetryBudget(ratio=1.0, reserve=0.0)
            order: list[int] = []

            async def wait(number: int) -> None:
                if await budget.wait():
                    order.append(number)

            budget.at_work = 6
            waiting = [asyncio.create_task(wait(number)) for number in range(4)]
            await asyncio.sleep(0)
            waiting[1].cancel()
            budget.begin()
            waiting[0].cancel()
            budget.begin()
            await asyncio.sleep(0.1)
            budget.begin()
            await asyncio.sleep(0.1)
            assert budget.tokens == 1.0
            return order

        assert run(main())[0] == [2, 3]

    def test_when_nobody_is_at_work_the_longest_waiting_one_goes_without(self) -> None:
        async def main() -> list[bool]:
            budget = RetryBudget(reserve=0.0)
            budget.at_work = 3

            async def wait() -> bool:
                got = await budget.wait()
                budget.end()
                return got

            waiting = [asyncio.create_task(wait()) for _ in range(2)]
            await asyncio.sleep(5)
            assert not any(task.done() for task in waiting)
            budget.end()
            return await asyncio.gather(*waiting)

        assert run(main()) == ([False, False], 6.0)
