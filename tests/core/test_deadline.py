"""A deadline counts the time at work, and only that."""

import asyncio

import pytest

from palestra.core.deadline import RUNNING, TimeLimits, stopped_s
from tests.rollout.virtual_time import run


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
