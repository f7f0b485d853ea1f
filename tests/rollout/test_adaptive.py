"""The adaptive limit grows by addition, shrinks by division, and loses no slot whatever is cancelled."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Failure, Reply, Sampling
from palestra.rollout.adaptive import AdaptiveLimit, AdaptiveModel
from tests.rollout import virtual_time
from tests.rollout.behind_breaker import Place, Server, down, sometimes

REPLY = Reply((), "stop", "m")


class Endpoint:
    """Takes `capacity` calls at once and refuses the others."""

    name = "endpoint"

    def __init__(self, capacity: int, code: str = "model-rate-limited") -> None:
        self.capacity = capacity
        self.code = code
        self.at_once = 0
        self.most = 0
        self.refused = 0

    async def respond(self, *_: Any, **__: Any) -> Reply:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0)
            if self.at_once > self.capacity:
                self.refused += 1
                raise Failure("model", "busy", code=self.code, retryable=True)
            return REPLY
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.capacity = 0


def after(limit: AdaptiveLimit, *calls: bool) -> float:
    """The limit after calls, each overloaded or not, as many of them under way at a time as are allowed."""

    async def run() -> float:
        left = list(calls)
        while left:
            windows = [await limit.enter() for _ in range(min(int(limit.limit), len(left)))]
            for window in windows:
                limit.count(window, overloaded=left.pop(0))
                limit.leave()
        return limit.limit

    return asyncio.run(run())


class TestLimit:
    def test_it_doubles_until_the_first_overload_and_then_grows_by_one_a_window(self) -> None:
        limit = AdaptiveLimit(initial=4, maximum=100)
        assert after(limit, *[False] * 12) == 16.0
        assert after(limit, True, *[False] * 15) == 16.5
        assert after(limit, *[False] * 16) == 17.5
        assert after(limit, *[False] * 10_000) == 100.0

    def test_each_overload_takes_half_a_slot_but_a_window_no_more_than_half_of_them(self) -> None:
        limit = AdaptiveLimit(initial=20)
        assert after(limit, *[True] * 4) == 18.0
        assert after(limit, *[True] * 10_000) <= 3.0
        assert limit.limit >= 1.0

    def test_calls_from_before_a_cut_say_nothing_about_the_limit_after_it(self) -> None:
        async def run() -> float:
            limit = AdaptiveLimit(initial=16)
            windows = [await limit.enter() for _ in range(16)]
            limit.end_window()
            before = limit.limit
            for window in windows:
                limit.count(window, overloaded=True)
                limit.leave()
            return limit.limit - before

        assert asyncio.run(run()) == 0.0

    def test_a_limit_that_is_not_used_does_not_grow(self) -> None:
        async def run() -> float:
            limit = AdaptiveLimit(initial=16)
            for _ in range(1000):
                limit.count(await limit.enter(), overloaded=False)
                limit.leave()
            return limit.limit

        assert asyncio.run(run()) == 16.0

    def test_those_who_wait_enter_in_order(self) -> None:
        async def run() -> list[int]:
            limit = AdaptiveLimit(initial=1)
            order: list[int] = []

            async def enter(number: int) -> None:
                await limit.enter()
                order.append(number)
                await asyncio.sleep(0)
                limit.leave()

            await asyncio.gather(*[enter(number) for number in range(10)])
            return order

        assert asyncio.run(run()) == list(range(10))

    @settings(deadline=None, max_examples=200)
    @given(st.integers(0, 2**32), st.integers(1, 5))
    def test_no_cancellation_at_any_moment_leaks_a_slot(self, seed: int, initial: int) -> None:
        rng = random.Random(seed)

        async def run() -> None:
            limit = AdaptiveLimit(initial=initial, maximum=8)
            inside = 0

            async def call() -> None:
                nonlocal inside
                window = await limit.enter()
                inside += 1
                try:
                    for _ in range(rng.randint(0, 3)):
                        await asyncio.sleep(0)
                    limit.count(window, overloaded=rng.random() < 0.2)
                finally:
                    inside -= 1
                    limit.leave()

            calls: list[asyncio.Task[None]] = []
            for _ in range(60):
                choice = rng.random()
                if choice < 0.5:
                    calls.append(asyncio.create_task(call()))
                elif choice < 0.7 and calls:
                    rng.choice(calls).cancel()
                else:
                    await asyncio.sleep(0)
                assert inside <= limit.under_way <= 8
            async with asyncio.timeout(5):
                await asyncio.gather(*calls, return_exceptions=True)
            assert (limit.under_way, inside, [turn for turn in limit.waiting if not turn.done()]) == (0, 0, [])
            async with asyncio.timeout(5):
                await limit.enter()

        asyncio.run(run())


class TestModel:
    def run(self, endpoint: Endpoint, limit: AdaptiveLimit, calls: int) -> list[Any]:
        model = AdaptiveModel(endpoint, limit)

        async def run() -> list[Any]:
            return await asyncio.gather(
                *[model.respond([], [], Sampling()) for _ in range(calls)], return_exceptions=True
            )

        return asyncio.run(run())

    def test_no_more_calls_are_sent_than_the_limit_allows(self) -> None:
        endpoint = Endpoint(100)
        assert self.run(endpoint, AdaptiveLimit(initial=4, maximum=4), 50) == [REPLY] * 50
        assert endpoint.most == 4

    def test_a_failure_that_is_no_overload_leaves_the_limit(self) -> None:
        limit = AdaptiveLimit(initial=16)
        found = self.run(Endpoint(0, code="model-bad-reply"), limit, 15)
        assert all(isinstance(failure, Failure) for failure in found)
        assert (limit.limit, limit.under_way) == (16.0, 0)

    @pytest.mark.parametrize("code", ["model-rate-limited", "model-server-error", "model-timeout", "model-unreachable"])
    def test_an_overload_cuts_it(self, code: str) -> None:
        limit = AdaptiveLimit(initial=16)
        self.run(Endpoint(0, code=code), limit, 16)
        assert limit.limit < 16.0
        assert limit.under_way == 0

    def test_name_and_close_are_the_models(self) -> None:
        endpoint = Endpoint(1)
        model = AdaptiveModel(endpoint, AdaptiveLimit())
        assert model.name == "endpoint"
        asyncio.run(model.close())
        assert endpoint.capacity == 0


class TestConvergence:
    @pytest.mark.parametrize("capacity", [4, 48, 200])
    @pytest.mark.parametrize("latency_s", [0.1, 10.0])
    def test_it_stays_near_what_the_endpoint_can_take(self, capacity: int, latency_s: float) -> None:
        server = Server(lambda now, number: None, latency_s, capacity=capacity)
        place = Place(server, limit=AdaptiveLimit(maximum=1024))
        limits = limits_of(place, 400, capacity * 100)
        late = limits[len(limits) // 3 :]
        assert min(late) >= capacity / 2
        assert max(late) <= 1.25 * capacity + 2
        assert capacity * 0.75 <= sum(late) / len(late) <= capacity + 2
        # A slot more than the endpoint has is tried once a window, which for few slots is often.
        assert len(place.failures) <= (0.03 * capacity * 100 if capacity < 10 else 0)

    def test_it_grows_to_its_maximum_where_nothing_is_refused(self) -> None:
        place = Place(Server(lambda now, number: None), limit=AdaptiveLimit(maximum=512))
        limits_of(place, 1024, 8000)
        assert place.limit is not None
        assert place.limit.limit == 512

    @pytest.mark.parametrize("kind", ["refused", "500", "hang"])
    def test_an_outage_does_not_take_it_down(self, kind: str) -> None:
        server = Server(down(60, 360, kind), capacity=64, timeout_s=10)
        place = Place(server, limit=AdaptiveLimit(maximum=1024))
        limits = limits_of(place, 200, 12_000)
        assert min(limits[100:]) >= 64 / 4
        assert 64 * 0.6 <= sum(limits[-100:]) / 100 <= 70
        assert place.failures == []

    def test_faults_that_are_no_overload_do_not_take_it_down_to_one(self) -> None:
        place = Place(Server(sometimes(0.2, "refused", "500", "429")), limit=AdaptiveLimit(maximum=1024))
        limits = limits_of(place, 200, 5000)
        assert min(limits[20:]) >= 3
        assert sum(limits[20:]) / len(limits[20:]) >= 6


def limits_of(place: Place, workers: int, calls: int) -> list[float]:
    """The limit after each second of so many calls."""
    seen: list[float] = []

    async def main() -> None:
        work = asyncio.create_task(place.work(workers, calls))
        while not work.done():
            assert place.limit is not None
            seen.append(place.limit.limit)
            await asyncio.sleep(1 if place.server.latency_s >= 1 else place.server.latency_s)

    virtual_time.run(main())
    return seen
