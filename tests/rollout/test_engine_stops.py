"""A run ends when it is told to, when its time is over and when it can go no further; promptly and tidily."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Reply
from palestra.rollout.engine import JOBS_READ_AHEAD, RECORD_TOGETHER
from palestra.rollout.plan import Job
from tests.rollout.stage import Episode, Says, Stage


def hang() -> Any:
    return asyncio.sleep(3600)


def test_a_run_whose_time_is_over_stops_and_says_so() -> None:
    stage = Stage(Says(0.02))
    engine = stage.play(10_000, concurrency=4, run_timeout_s=0.2)
    assert engine.stop_reason == "the run's time is over"
    assert 4 <= len(stage.rollouts) < 1000
    assert stage.failures == []


def test_a_run_that_ended_in_time_is_not_stopped_afterwards() -> None:
    stage = Stage()
    engine = stage.engine(run_timeout_s=0.1)

    async def main() -> None:
        await engine.run(stage.jobs(3))
        await asyncio.sleep(0.2)

    asyncio.run(main())
    assert engine.stop_reason is None


def test_a_stop_lets_what_is_at_work_finish() -> None:
    stage = Stage(Says(0.3))
    stage.play(1000, stops=[0.1], concurrency=8)
    assert len(stage.rollouts) == 8
    assert stage.failures == []


def test_after_its_grace_a_stop_abandons_what_is_at_work() -> None:
    stage = Stage(Says(3600))
    began = time.monotonic()
    stage.play(1000, stops=[0.05], concurrency=8, grace_s=0.2)
    assert time.monotonic() - began < 5
    assert (stage.rollouts, stage.failures) == ([], [])
    assert all(episode.closed for episode in stage.episodes)


def test_a_second_stop_abandons_at_once() -> None:
    stage = Stage(Says(3600))
    began = time.monotonic()
    stage.play(1000, stops=[0.05, 0.1], concurrency=8, grace_s=3600)
    assert time.monotonic() - began < 5
    assert (stage.rollouts, stage.failures) == ([], [])


@pytest.mark.slow
def test_an_abandoned_episode_that_hangs_while_it_is_closed_does_not_hold_the_run_up() -> None:
    stage = Stage(Says(3600), episode=lambda: Episode(closing=hang))
    began = time.monotonic()
    stage.play(10, stops=[0.05, 0.1], concurrency=4, grace_s=3600)
    assert time.monotonic() - began < 8


def test_a_failure_that_no_rollout_can_escape_stops_the_run() -> None:
    stage = Stage(Says(failure=Failure("model", "no key", code="model-unauthorized", fatal=True)))
    engine = stage.play(1000, concurrency=4)
    assert engine.fatal is not None
    assert engine.stop_reason == "no rollout of this run can succeed: model: no key"
    assert 1 <= len(stage.failures) <= 8


def test_a_broken_store_ends_the_run_at_once_and_closes_every_episode() -> None:
    stage = Stage(broken=PalestraError("missing-file", "the disk is gone"))
    with pytest.raises(PalestraError, match="the disk is gone"):
        stage.play(1000, concurrency=4)
    assert len(stage.episodes) <= 4 + RECORD_TOGETHER + JOBS_READ_AHEAD
    assert all(episode.closed for episode in stage.episodes)
    assert stage.outcomes == []


def test_a_broken_store_ends_a_run_whose_other_rollouts_hang() -> None:
    class Uneven(Says):
        async def respond(self, *given: Any, **more: Any) -> Reply:
            self.delay_s = 0 if self.most_at_work == 0 else 3600
            return await super().respond(*given, **more)

    stage = Stage(Uneven(), broken=PalestraError("missing-file", "the disk is gone"))
    with pytest.raises(PalestraError, match="the disk is gone"):
        stage.play(10, concurrency=4)


class TestReadingTheJobs:
    """Jobs are read in a thread, a few ahead."""

    @staticmethod
    def run(stage: Stage, jobs: Iterator[Job], *, stop_after_s: float | None = None, **limits: Any) -> None:
        engine = stage.engine(**limits)

        async def main() -> None:
            if stop_after_s is not None:
                asyncio.get_running_loop().call_later(stop_after_s, engine.stop, "asked to")
            async with asyncio.timeout(20):
                await engine.run(jobs)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())

    @pytest.mark.parametrize("good", [0, 10, 64, 100, 200])
    def test_an_error_of_the_input_ends_the_run_and_is_said_once(self, good: int) -> None:
        stage = Stage(Says(0.001))

        def jobs() -> Iterator[Job]:
            yield from stage.jobs(good)
            raise PalestraError("invalid-row", "row 7 is not JSON")

        with pytest.raises(PalestraError, match="row 7 is not JSON") as caught:
            self.run(stage, jobs(), concurrency=4)
        assert isinstance(caught.value.__cause__, ExceptionGroup)
        assert len(caught.value.__cause__.exceptions) == 1
        assert all(episode.closed for episode in stage.episodes)

    def test_an_error_of_our_own_is_not_hidden(self) -> None:
        stage = Stage(Says(0.001))

        def jobs() -> Iterator[Job]:
            yield from stage.jobs(5)
            raise LookupError("a bug")

        with pytest.raises(ExceptionGroup) as caught:
            self.run(stage, jobs(), concurrency=4)
        assert [str(error) for error in caught.value.exceptions] == ["a bug"]

    def test_a_cancellation_that_comes_out_of_the_input_is_an_error(self) -> None:
        def jobs() -> Iterator[Job]:
            yield from Stage().jobs(5)
            raise asyncio.CancelledError

        with pytest.raises(ExceptionGroup) as caught:
            self.run(Stage(), jobs(), concurrency=4)
        assert [type(error) for error in caught.value.exceptions] == [RuntimeError]

    @pytest.mark.parametrize("good", [0, 128])
    def test_a_stop_does_not_wait_for_an_input_that_blocks(self, good: int) -> None:
        stage = Stage()
        goes_on = threading.Event()
        ended_s: list[float] = []

        def jobs() -> Iterator[Job]:
            yield from stage.jobs(good)
            goes_on.wait(10)
            yield from stage.jobs(10)

        async def main() -> None:
            engine = stage.engine(concurrency=4, grace_s=3600)
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.3, engine.stop, "asked to")
            try:
                await engine.run(jobs())
                ended_s.append(time.monotonic() - began)
            finally:
                # asyncio.run waits for the thread.
                goes_on.set()

        asyncio.run(main())
        assert ended_s[0] < 5
        assert len(stage.rollouts) == good

    def test_an_input_that_blocks_does_not_hold_the_rollouts_up_that_are_read(self) -> None:
        stage = Stage(Says(0.001))
        goes_on = threading.Event()
        played: list[int] = []

        def jobs() -> Iterator[Job]:
            yield from stage.jobs(64)
            goes_on.wait(10)
            played.append(len(stage.episodes))
            yield from stage.jobs(10)

        async def main() -> None:
            asyncio.get_running_loop().call_later(1, goes_on.set)
            await stage.engine(concurrency=4).run(jobs())

        asyncio.run(main())
        assert played == [64]
        assert len(stage.rollouts) == 74
