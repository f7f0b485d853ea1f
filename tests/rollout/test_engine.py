"""The loop keeps its bounds and its promises about failures."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from palestra.core.errors import PalestraError
from palestra.rollout.engine import JOBS_LEFT, JOBS_READ_AHEAD, RECORD_TOGETHER
from palestra.rollout.plan import Job
from palestra.rollout.record import Outcome
from tests.rollout.stage import Episode, Says, Stage


def test_never_more_than_the_stated_number_is_at_work() -> None:
    stage = Stage(Says(0.001))
    stage.play(200, concurrency=7)
    assert len(stage.rollouts) == 200
    assert stage.model.most_at_work == 7


def test_jobs_are_taken_only_a_little_ahead_of_the_work() -> None:
    stage = Stage()
    ahead: list[int] = []
    engine = stage.engine(concurrency=5)
    engine.observe = lambda outcome: ahead.append(stage.taken - len(ahead))
    asyncio.run(engine.run(stage.jobs(1000)))
    assert len(ahead) == 1000
    assert max(ahead) <= 5 + JOBS_LEFT + JOBS_READ_AHEAD + RECORD_TOGETHER


def test_outcomes_are_observed_after_they_are_stored() -> None:
    stage = Stage()
    engine = stage.engine()
    seen: list[bool] = []
    engine.observe = lambda outcome: seen.append(outcome.line in stage.rollouts)
    asyncio.run(engine.run(stage.jobs(20)))
    assert seen == [True] * 20


def test_a_rollout_that_takes_too_long_is_a_limit_failure_and_its_episode_is_closed() -> None:
    stage = Stage(Says(3600))
    stage.play(3, rollout_timeout_s=0.05)
    assert stage.classes() == ["rollout-timeout"] * 3
    assert stage.rollouts == []
    assert all("reward" not in line for line in stage.failures)
    assert all(episode.closed for episode in stage.episodes)


def test_the_rollout_timeout_does_not_undo_a_verdict_while_the_episode_is_closed() -> None:
    stage = Stage(episode=lambda: Episode(closing=lambda: asyncio.sleep(0.2)))
    stage.play(1, rollout_timeout_s=0.1)
    assert [line["reward"] for line in stage.rollouts] == [1.0]
    assert stage.failures == []


def test_an_error_of_our_own_is_not_taken_for_a_failed_rollout() -> None:
    stage = Stage(broken=LookupError("a bug in the store"))
    with pytest.raises(LookupError, match="a bug in the store"):
        stage.play(5)
    assert stage.failures == []

    def observe(outcome: Outcome) -> None:
        raise LookupError("a bug in the observer")

    stage = Stage()
    engine = stage.engine()
    engine.observe = observe
    with pytest.raises(LookupError, match="a bug in the observer"):
        asyncio.run(engine.run(stage.jobs(5)))


def test_an_error_of_the_input_ends_the_run_with_its_own_message() -> None:
    def jobs() -> Iterator[Job]:
        yield from Stage().jobs(3)
        raise PalestraError("missing-file", "the input is gone")

    with pytest.raises(PalestraError, match="the input is gone"):
        asyncio.run(Stage().engine().run(jobs()))


def explode() -> Any:
    raise OSError("no such container")


@pytest.mark.parametrize("closing", [explode, lambda: asyncio.wait_for(asyncio.sleep(9), 0.01)])
def test_an_episode_that_cannot_be_closed_keeps_its_verdict_and_a_warning(closing: Callable[[], Any]) -> None:
    stage = Stage(episode=lambda: Episode(closing=closing))
    stage.play(2)
    assert [line["reward"] for line in stage.rollouts] == [1.0, 1.0]
    assert all(len(line["palestra"]["warnings"]) == 1 for line in stage.rollouts)


def test_a_verifier_that_raises_is_a_failure_without_reward_and_with_a_traceback() -> None:
    def judging() -> Any:
        return {}["missing"]

    stage = Stage(episode=lambda: Episode(judging=judging))
    stage.play(1)
    failure = stage.failures[0]["palestra"]["failure"]
    assert (failure["boundary"], failure["class"], failure["attempt"]) == ("verifier", "verifier-error", 1)
    assert "KeyError: 'missing'" in failure["message"]
    assert 'return {}["missing"]' in failure["traceback"]
    assert "reward" not in stage.failures[0]


def test_items_that_are_none_are_a_failure_of_the_environment() -> None:
    stage = Stage(episode=lambda: Episode(answer=("text, not an item",)))
    stage.play(1)
    assert stage.classes() == ["environment-error"]


def test_a_bad_row_is_a_failure_that_opens_no_episode() -> None:
    stage = Stage()
    engine = stage.engine()
    asyncio.run(engine.run(stage.jobs(3, problem="line 1 is not JSON")))
    assert stage.classes() == ["task-invalid"] * 3
    assert stage.failures[0]["palestra"]["failure"]["message"] == "line 1 is not JSON"
    assert stage.episodes == []


def test_no_job_ends_at_once() -> None:
    assert Stage().play(0).stop_reason is None


def test_the_loop_is_never_held_up_by_reading_jobs() -> None:
    def jobs() -> Iterator[Job]:
        time.sleep(0.5)
        yield from Stage().jobs(3)

    async def main() -> float:
        longest, before = 0.0, time.monotonic()
        run = asyncio.create_task(Stage().engine().run(jobs()))
        while not run.done():
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, before = max(longest, now - before), now
        await run
        return longest

    assert asyncio.run(main()) < 0.4


def test_a_cancellation_that_leaks_out_of_an_environment_is_a_failure_of_its_rollout_alone() -> None:
    judged = iter(range(6))

    def judging() -> float:
        if next(judged) == 3:
            raise asyncio.CancelledError
        return 1.0

    stage = Stage(episode=lambda: Episode(judging=judging))
    stage.play(6, concurrency=1)
    assert (len(stage.rollouts), len(stage.failures)) == (5, 1)
    own = stage.failures[0]["palestra"]["failure"]
    assert (own["boundary"], own["message"]) == ("verifier", "CancelledError")


def test_nothing_is_left_to_happen_after_a_run_that_was_stopped_twice() -> None:
    stage = Stage(Says(3600))

    async def main() -> None:
        engine = stage.engine(concurrency=2)
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, engine.stop, "asked to")
        loop.call_later(0.1, engine.stop, "again")
        await engine.run(stage.jobs(10))
        before = len(engine.timers)
        engine.abandon()
        assert len(engine.timers) == before

    asyncio.run(main())


def test_outcomes_that_share_a_future_are_each_observed_also_if_one_cannot_be_recorded() -> None:
    class Sharing(Stage):
        shared: asyncio.Future[None] | None = None

        def kept(self, lines: list[dict[str, Any]], line: dict[str, Any]) -> asyncio.Future[None]:
            if self.shared is None:
                self.shared = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(self.shared.set_result, None)
            if line["_ng_task_index"] == 3:
                raise LookupError("a bug in the store")
            lines.append(line)
            return self.shared

        async def settled(self) -> None:
            assert self.shared is not None
            await self.shared

    stage = Sharing()
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(stage.engine(concurrency=1).run(stage.jobs(6)))
    assert [str(error) for error in caught.value.exceptions] == ["a bug in the store"]
    assert [outcome.line["_ng_task_index"] for outcome in stage.outcomes] == [0, 1, 2]
