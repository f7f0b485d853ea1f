"""The adaptive limit grows by addition, shrinks by division, and loses no slot whatever is cancelled."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Failure, Reply, Sampling
from palestra.rollout.adaptive import AdaptiveLimit, AdaptiveModel

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


class TestLimit:
    def test_it_grows_by_one_for_each_limit_of_successes(self) -> None:
        limit = AdaptiveLimit(initial=4, maximum=6)
        for _ in range(5):
            limit.succeeded()
        assert 5.0 <= limit.limit < 5.2
        for _ in range(100):
            limit.succeeded()
        assert limit.limit == 6

    def test_an_overload_halves_it_but_never_below_one(self) -> None:
        limit = AdaptiveLimit(initial=5, settle_s=0.0)
        found: list[float] = []
        for _ in range(5):
            limit.overloaded()
            found.append(limit.limit)
        assert found == [2.5, 1.25, 1.0, 1.0, 1.0]

    def test_a_burst_of_overloads_counts_once(self) -> None:
        limit = AdaptiveLimit(initial=16, settle_s=3600.0)
        for _ in range(10):
            limit.overloaded()
        assert limit.limit == 8.0

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
            limit = AdaptiveLimit(initial=initial, maximum=8, settle_s=0.0)
            inside = 0

            async def call() -> None:
                nonlocal inside
                await limit.enter()
                inside += 1
                try:
                    for _ in range(rng.randint(0, 3)):
                        await asyncio.sleep(0)
                    limit.overloaded() if rng.random() < 0.2 else limit.succeeded()
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

    def test_it_finds_what_the_endpoint_can_take(self) -> None:
        endpoint = Endpoint(10)
        limit = AdaptiveLimit(initial=64, settle_s=0.0)
        self.run(endpoint, limit, 3000)
        assert 4 <= limit.limit <= 13
        assert endpoint.refused < 500

    def test_a_failure_that_is_no_overload_leaves_the_limit(self) -> None:
        limit = AdaptiveLimit(initial=16)
        found = self.run(Endpoint(0, code="model-bad-reply"), limit, 20)
        assert all(isinstance(failure, Failure) for failure in found)
        assert (limit.limit, limit.under_way) == (16.0, 0)

    @pytest.mark.parametrize("code", ["model-rate-limited", "model-server-error", "model-timeout", "model-unreachable"])
    def test_an_overload_cuts_it(self, code: str) -> None:
        limit = AdaptiveLimit(initial=16)
        self.run(Endpoint(0, code=code), limit, 16)
        assert (limit.limit, limit.under_way) == (8.0, 0)

    def test_name_and_close_are_the_models(self) -> None:
        endpoint = Endpoint(1)
        model = AdaptiveModel(endpoint, AdaptiveLimit())
        assert model.name == "endpoint"
        asyncio.run(model.close())
        assert endpoint.capacity == 0
