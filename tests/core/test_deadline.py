"""A deadline counts the time at work, and only that."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from palestra.core.deadline import RUNNING, TimeLimits, stopped_s
from tests.rollout.virtual_time import VirtualTimeLoop, run


async def spend(work_s: float, stand_s: float, limit_s: float) -> float:
    with TimeLimits(limit_s).deadline() as deadline:
        await asyncio.sleep(work_s / 2)
        deadline.stop()
        await asyncio.sleep(stand_s)
        deadline.go_on()
        await asyncio.sleep(work_s / 2)
        return stopped_s()


def test_time_in_which_the_clock_stands_does_not_count() -> None:
    assert run(spend(9, 1000, 10)) == (1000.0, 1009.0)


def test_what_takes_too_long_all_the_same_is_ended_on_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await spend(30, 1000, 20)

    assert run(main())[1] == 1020.0


def test_stops_nest_and_come_from_other_tasks() -> None:
    async def stand(seconds: float) -> None:
        deadline = RUNNING.get()
        assert deadline is not None
        deadline.stop()
        await asyncio.sleep(seconds)
        deadline.go_on()

    async def main() -> float:
        with TimeLimits(10).deadline():
            await asyncio.gather(stand(50), stand(100), stand(70))
            await asyncio.sleep(9)
            return stopped_s()

    assert run(main()) == (100.0, 109.0)


def test_a_clock_that_starts_again_after_the_block_harms_nothing() -> None:
    async def main() -> None:
        with TimeLimits(10).deadline() as deadline:
            deadline.stop()
        deadline.go_on()
        assert RUNNING.get() is None
        assert stopped_s() == 0.0

    run(main())


def test_an_ended_deadline_stays_ended() -> None:
    async def late() -> None:
        with TimeLimits(10).deadline() as deadline:
            try:
                await asyncio.sleep(20)
            finally:
                deadline.stop()
                deadline.go_on()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await late()

    assert run(main())[1] == 10.0


class TestSharedTimer:
    """Limits of one length share a timer; each block still ends at its own time."""

    @staticmethod
    async def block(limits: TimeLimits, begin_s: float, work_s: float) -> float | None:
        """When the block was ended by its limit, counted from its begin; None if it was not."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(begin_s)
        began = loop.time()
        try:
            with limits.limit():
                await asyncio.sleep(work_s)
        except TimeoutError:
            return loop.time() - began
        return None

    def test_each_block_ends_at_its_own_time(self) -> None:
        async def main() -> list[float | None]:
            limits = TimeLimits(10)
            plan = [(0, 20), (1, 5), (2, 20), (2, 9.5), (2, 20), (9, 20), (9.5, 9.5), (200, 20), (205, 3)]
            ended = await asyncio.gather(*(self.block(limits, *times) for times in plan))
            assert not limits.under_way
            return ended

        ended, took_s = run(main())
        assert ended == pytest.approx([10, None, 10, None, 10, 10, None, 10, None])
        assert took_s == 210

    def test_a_thousand_blocks_have_one_timer(self) -> None:
        timers: list[float] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            call_at = loop.call_at
            limits = TimeLimits(10)

            def counted(when: float, callback: Any, *arguments: Any, **options: Any) -> Any:
                if callback == limits.expire:
                    timers.append(when)
                return call_at(when, callback, *arguments, **options)

            loop.call_at = counted
            await asyncio.gather(*(self.block(limits, number / 1000, 1) for number in range(1000)))

        run(main())
        assert len(timers) == 1

    def test_a_block_whose_code_swallows_its_end_is_not_ended_twice(self) -> None:
        async def main() -> str:
            with TimeLimits(10).limit() as limit:
                try:
                    await asyncio.sleep(20)
                except asyncio.CancelledError:
                    await asyncio.sleep(30)
            assert limit.expired
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            return "done"

        assert run(main()) == ("done", 40)

    def test_who_cancels_the_task_at_that_moment_is_obeyed(self) -> None:
        async def main() -> None:
            call = asyncio.create_task(self.block(TimeLimits(10), 0, 20))
            asyncio.get_running_loop().call_later(10, call.cancel)
            with pytest.raises(asyncio.CancelledError):
                await call
            assert call.cancelled()

        run(main())

    def test_an_inner_limit_is_not_the_outer_one(self) -> None:
        async def main() -> tuple[float, float]:
            loop = asyncio.get_running_loop()
            inner, outer = TimeLimits(5), TimeLimits(8)
            times: list[float] = []

            async def thrice() -> None:
                with outer.limit():
                    for _ in range(3):
                        with suppress(TimeoutError), inner.limit():
                            await asyncio.sleep(20)
                        times.append(loop.time())

            with pytest.raises(TimeoutError):
                await thrice()
            assert len(times) == 1
            return times[0], loop.time()

        # The outer one ends the second inner block, with a cancellation that the inner one lets pass.
        assert run(main())[0] == (5, 8)

    def test_two_limits_of_the_same_moment_end_the_outer_block(self) -> None:
        async def main() -> str:
            inner, outer = TimeLimits(5), TimeLimits(5)
            try:
                with outer.limit():
                    try:
                        with inner.limit():
                            await asyncio.sleep(20)
                    except TimeoutError:
                        return "inner"
            except TimeoutError:
                return "outer"
            return "none"

        assert run(main())[0] == "outer"

    def test_another_loop_has_a_timer_of_its_own(self) -> None:
        """Also if the first one ended with a block under way, which nobody can end any more."""
        limits = TimeLimits(10)

        async def left() -> None:
            with limits.limit():
                await asyncio.sleep(3600)

        first = VirtualTimeLoop()
        unfinished = first.create_task(left())
        first.run_until_complete(asyncio.sleep(1))
        first.close()
        assert len(limits.under_way) == 1
        for _ in range(2):
            assert run(self.block(limits, 0, 20)) == (10, 10)
        assert not limits.under_way
        unfinished._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]

    def test_a_deadline_whose_clock_stood_still_is_due_apart_from_the_others(self) -> None:
        limits = TimeLimits(10)

        async def stopping(after_s: float, stand_s: float) -> float:
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                with limits.deadline() as deadline:
                    await asyncio.sleep(after_s)
                    for _ in range(2):
                        deadline.stop()
                        await asyncio.sleep(stand_s)
                        deadline.go_on()
                    await asyncio.sleep(3600)
            except TimeoutError:
                pass
            return loop.time() - began

        async def main() -> list[float | None]:
            stops = [stopping(1, 2), stopping(9, 100), stopping(0, 0)]
            blocks = [self.block(limits, 0, 20), self.block(limits, 5, 20)]
            return [*await asyncio.gather(*stops, *blocks)]

        assert run(main()) == ([14, 210, 10, 10, 10], 210)
        assert not limits.under_way
