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
        assert after(limit, *[True] * 16) == 8.0
        assert after(limit, *[False] * 17) == 10.0
        assert after(limit, *[False] * 10_000) == 100.0

    def test_it_loses_half_of_the_share_that_was_overloaded_but_never_falls_below_one(self) -> None:
        limit = AdaptiveLimit(initial=20)
        assert after(limit, *[True] * 4, *[False] * 16) == 18.0
        assert after(limit, *[True] * 1000) == 1.0

    def test_calls_from_before_a_cut_say_nothing_about_the_limit_after_it(self) -> None:
        async def run() -> float:
            limit = AdaptiveLimit(initial=16)
            windows = [await limit.enter() for _ in range(16)]
            limit.limit = 4.0
            for window in windows:
                limit.count(window, overloaded=True)
                limit.leave()
            return limit.limit

        assert asyncio.run(run()) == 2.0

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
        assert (limit.limit, limit.under_way) == (8.0, 0)

    def test_name_and_close_are_the_models(self) -> None:
        endpoint = Endpoint(1)
        model = AdaptiveModel(endpoint, AdaptiveLimit())
        assert model.name == "endpoint"
        asyncio.run(model.close())
        assert endpoint.capacity == 0
