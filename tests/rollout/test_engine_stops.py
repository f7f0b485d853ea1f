"""A run ends when it is told to, when its time is over and when it can go no further; promptly and tidily."""

import asyncio
import time
from typing import Any

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Reply
from palestra.rollout.engine import JOBS_READ_AHEAD, RECORD_TOGETHER
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
