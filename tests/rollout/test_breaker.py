"""An endpoint that is gone is waited for: nothing is lost, one call at a time looks for it, and the wait ends."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from palestra import Failure, Sampling
from palestra.core.deadline import TimeLimits
from palestra.core.errors import PalestraError
from palestra.rollout.adaptive import AdaptiveLimit
from palestra.rollout.breaker import CircuitBreaker
from tests.rollout.behind_breaker import Place, Server, down, sometimes
from tests.rollout.virtual_time import run

OUTAGE = ["refused", "500", "hang"]


@pytest.mark.parametrize("kind", [*OUTAGE, "429"])
@pytest.mark.parametrize("workers", [1, 4, 64])
def test_an_outage_of_minutes_costs_no_call(kind: str, workers: int) -> None:
    place = Place(Server(down(20, 320, kind), timeout_s=10))
    run(place.work(workers, 100 * workers))
    assert (place.replies, place.failures, place.error) == (100 * workers, [], None)
    assert len(place.told) == 2
    assert place.told[0].startswith("http://e/v1 is not serving: it said")
    assert f"with {workers} rollouts under way, giving up after 600 s" in place.told[0]
    assert place.told[1].startswith("http://e/v1 serves again, after")


@pytest.mark.parametrize("workers", [1, 64, 1024])
def test_while_the_endpoint_is_gone_one_call_at_a_time_looks_for_it(workers: int) -> None:
    server = Server(down(20, 320))
    run(Place(server).work(workers, 30 * workers))
    probes = [when for when, _ in server.sent if 40 <= when < 320]
    assert 30 <= len(probes) <= 80
    assert all(4.0 <= later - earlier <= 8.01 for earlier, later in pairwise(probes[3:]))
    assert len({round(later - earlier, 3) for earlier, later in pairwise(probes)}) > 10


def test_a_return_is_noticed_in_less_than_ten_seconds_also_when_calls_hang() -> None:
    for kind in OUTAGE:
        server = Server(down(20, 1000, kind), timeout_s=600)
        place = Place(server, patience_s=3600)
        run(place.work(64, 3000))
        assert place.failures == []
        assert server.between(1000, 1010) > 0, kind


def test_probes_that_hang_are_joined_by_others_no_faster_than_the_longest_pause() -> None:
    server = Server(down(20, 620, "hang"), timeout_s=60)
    run(Place(server).work(64, 3000))
    probes = [when for when, _ in server.sent if 160 <= when < 620]
    assert len(probes) <= 460 / 4
    assert all(server.between(when, when + 8) <= 4 for when in probes)


def test_after_an_outage_calls_go_out_at_the_rate_they_have_without_one() -> None:
    server = Server(down(20, 120), latency_s=5.0)
    run(Place(server).work(200, 4000))
    base = 200 / 5
    busiest = max(server.between(second, second + 1) for second in range(120, 160))
    assert busiest <= 2 * base
    assert server.between(120, 140) > 200


def test_an_endpoint_that_does_not_return_ends_the_run_with_its_name() -> None:
    place = Place(Server(down(20, 1e9)), patience_s=100)
    _, ended_s = run(place.work(64, 10_000))
    assert place.error is not None
    assert place.error.code == "endpoint-unavailable"
    assert place.error.message == "http://e/v1 has served no call for 100 s: it said refused"
    assert place.failures == []
    assert 120 <= ended_s <= 122


@pytest.mark.parametrize("workers", [1, 64])
def test_an_address_where_nobody_ever_was_is_told_at_once(workers: int) -> None:
    place = Place(Server(down(0, 1e9)), patience_s=30)
    _, ended_s = run(place.work(workers, 100))
    assert len(place.told) == 1
    assert "is not serving and never was (is its base URL right?): it said refused" in place.told[0]
    assert place.breaker.opened_at == 0.0
    assert ended_s == 30.0


def test_faults_now_and_then_are_no_outage() -> None:
    for latency_s in (0.001, 60.0):
        place = Place(Server(sometimes(0.2, "refused", "500", "429", "garbage"), latency_s=latency_s))
        run(place.work(64, 3000))
        assert place.told == []
        assert place.breaker.openings == 0


def test_a_refused_key_lets_no_further_call_out() -> None:
    refusal = Failure("model", "refused the API key", code="model-unauthorized", fatal=True)
    place = Place(Server(lambda now, number: refusal if now >= 20 else None))
    _, ended_s = run(place.work(256, 100_000))
    assert (place.error is not None, place.failures) == (True, [])
    assert str(place.error) == "refused the API key\n  what to do: mend model-unauthorized  [model-unauthorized]"
    assert place.server.between(20, 1e9) <= 256
    assert ended_s <= 21


def test_a_refusal_reaches_calls_that_wait_for_an_endpoint_to_return() -> None:
    refusal = Failure("model", "no such model", code="model-not-found", fatal=True)
    place = Place(Server(lambda now, number: None if now < 20 else "refused" if now < 60 else refusal))
    _, ended_s = run(place.work(64, 10_000))
    assert place.error is not None
    assert place.error.code == "model-not-found"
    assert place.server.between(60, 1e9) == 1
    assert ended_s <= 70


def test_a_refused_request_is_an_answer() -> None:
    async def main() -> bool:
        breaker = CircuitBreaker("http://e/v1")
        for code, retryable in [*[("model-server-error", True)] * 4, ("model-rejected-request", False)] * 3:
            breaker.failed(Failure("model", "no", code=code, retryable=retryable))
        return breaker.is_open

    assert run(main()) == (False, 0.0)


def test_a_call_that_brings_the_endpoint_down_fails_in_the_end() -> None:
    state = {"down_until": 0.0}

    class Fragile(Server):
        async def respond(self, items: Any, *given: Any, **more: Any) -> Any:
            if items == 7:
                state["down_until"] = asyncio.get_running_loop().time() + 5
            return await super().respond(items, *given, **more)

    place = Place(Fragile(lambda now, number: "refused" if now <= state["down_until"] else None))
    run(place.work(4, 200))
    assert place.error is None
    assert place.replies + len(place.failures) == 200
    assert 1 <= len(place.failures) <= 30, "the call, and few that were unlucky with it"
    assert sum(who == 7 for _, who in place.server.sent) < 200


def test_a_wait_that_the_endpoint_asks_for_is_kept_to_by_probes() -> None:
    busy = Failure("model", "busy", code="model-rate-limited", retryable=True, retry_after_s=60.0)
    server = Server(lambda now, number: busy if now < 300 else None)
    place = Place(server)
    run(place.work(16, 100))
    probes = [when for when, _ in server.sent if when < 300][5:]
    assert 3 <= len(probes) <= 6
    assert all(later - earlier >= 60 for earlier, later in pairwise(probes))
    assert place.replies == 100


def test_policy_and_judge_at_one_endpoint_wait_together() -> None:
    policy = Place(Server(down(20, 1e9)), patience_s=100)
    judge = Server(down(20, 1e9))

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(policy.work(8, 1000))
            model = policy.wrapped(judge)
            await asyncio.sleep(50)
            with pytest.raises(PalestraError, match="has served no call for 100 s"):
                await model.respond([], [], Sampling())

    run(both())
    assert len(judge.sent) <= 10
    assert len(policy.told) == 1


def test_an_outage_does_not_count_against_the_deadline_of_a_rollout() -> None:
    place = Place(Server(down(5, 400, "500")))
    spent: list[float] = []

    async def rollout() -> None:
        with TimeLimits(30).deadline() as deadline:
            for _ in range(20):
                await place.model.respond([], [], Sampling())
        spent.append(deadline.stopped_s)

    _, ended_s = run(asyncio.wait_for(gathered(rollout, 16), 1000))
    assert len(spent) == 16
    assert all(380 <= seconds <= 405 for seconds in spent)
    assert ended_s > 400


def test_a_deadline_still_ends_a_rollout_whose_endpoint_is_slow() -> None:
    place = Place(Server(lambda now, number: None, latency_s=100))

    async def rollout() -> None:
        with TimeLimits(30).deadline():
            await place.model.respond([], [], Sampling())

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await rollout()

    assert run(main())[1] == 30.0


async def gathered(rollout: Any, count: int) -> None:
    await asyncio.gather(*[rollout() for _ in range(count)])


@pytest.mark.parametrize("adaptive", [False, True])
def test_calls_that_wait_can_be_cancelled_at_any_moment(adaptive: bool) -> None:
    place = Place(Server(down(5, 60)), limit=AdaptiveLimit(initial=4, maximum=8) if adaptive else None)

    async def main() -> None:
        calls = [asyncio.create_task(place.model.respond([{"n": number}], [], Sampling())) for number in range(100)]
        more = asyncio.create_task(place.work(20, 400))
        for number, call in enumerate(calls):
            await asyncio.sleep(0.37)
            if number % 2:
                call.cancel()
        await more
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) or not isinstance(result, Exception) for result in ended)

    run(main())
    assert place.failures == []
    assert (place.breaker.under_way, place.breaker.expected, place.budget.at_work) == (0, {}, 0)
    if place.limit is not None:
        assert place.limit.under_way == 0
