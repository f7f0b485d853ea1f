"""Episodes in this process: what breaks is attributed, and close always runs."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from pydantic import Field, field_validator

import palestra
from palestra import Environment, Failure, Item, PalestraError, Step, Task, Transcript, Verdict
from palestra.core.discovery import find
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.models.scripted import Recital
from tests.hosts import graded

NOTHING = Transcript((), ())


class Word(Task):
    word: str = "x"
    count: int = Field(default=1, ge=1)
    broken: bool = False

    @field_validator("broken")
    @classmethod
    def not_broken(cls, value: bool) -> bool:
        if value:
            raise KeyError("a bug of the validator")
        return value


class Watched(Environment[Word]):
    """Does what its options say, and notes what happened to it."""

    class Options(palestra.Options):
        setup: Any = None
        close: Any = None
        step: Any = None
        verdict: Any = 1.0
        log: list[str] = Field(default_factory=list)
        shared: Any = None

    def note(self, text: str) -> None:
        self.options.log.append(text)

    async def setup(self) -> None:
        self.note("setup")
        self.half = "made"
        if self.options.setup is not None:
            await self.options.setup()

    def close(self) -> None:
        self.note(f"close {self.half}")
        if self.options.close is not None:
            raise self.options.close

    def prompt(self) -> str:
        return self.task.word

    async def step(self, items: Sequence[Item]) -> Step:
        if isinstance(self.options.step, Exception):
            raise self.options.step
        return self.options.step

    async def verify(self, transcript: Transcript) -> Any:
        if isinstance(self.options.verdict, BaseException):
            raise self.options.verdict
        if callable(self.options.verdict):
            return await cast("Any", self.options.verdict)(self)
        return self.options.verdict

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Any) -> AsyncGenerator[Any]:
        options.log.append("enter")
        await asyncio.sleep(0.01)
        if isinstance(options.shared, Exception):
            raise options.shared
        yield options.shared
        options.log.append("exit")


class Plain(Environment[Word]):
    """All of it `def`."""

    def prompt(self) -> str:
        return self.task.word

    def setup(self) -> None:
        self.ready = True

    def step(self, items: Sequence[Item]) -> Step:  # type: ignore[override]
        return Step(done=self.ready)

    def verify(self, transcript: Transcript) -> bool:
        return self.ready


def hosted(use: Callable[[LocalHost], Awaitable[Any]], kind: type = Watched, **options: Any) -> tuple[Any, list[str]]:
    """What `use` returned, and what the environment noted."""
    log: list[str] = []

    async def run() -> Any:
        pool = GradingPool(1, patience_s=1.0)
        source = find(f"{__name__}:{kind.__name__}")
        values = source.options(options) if kind is not Watched else Watched.Options.model_construct(log=log, **options)
        host = LocalHost(source, values, pool, {"judge": Recital("judge", [[]])})
        try:
            return await use(host)
        finally:
            await host.close()
            await pool.close()

    return asyncio.run(run()), log


def failure_of(use: Callable[[LocalHost], Awaitable[Any]], **options: Any) -> tuple[Failure, list[str]]:
    async def caught(host: LocalHost) -> Failure:
        with pytest.raises(Failure) as failure:
            await use(host)
        return failure.value

    return hosted(caught, **options)


async def judge(host: LocalHost) -> Verdict:
    session = await host.open({}, seed=0)
    try:
        return await session.verify(NOTHING)
    finally:
        await session.close()


class TestOpening:
    def test_prompt_tools_and_context_are_there(self) -> None:
        async def use(host: LocalHost) -> None:
            session = await host.open({"word": "hi", "extra": 1}, seed=7)
            context = session.environment.context
            assert session.prompt[0]["content"] == "hi"
            assert session.tools == ()
            assert (context.seed, context.folder) == (7, host.source.folder)
            again = await host.open({}, seed=7)
            assert context.random.random() == again.environment.context.random.random()
            assert context.model("judge").name == "judge"
            with pytest.raises(PalestraError, match="--role user=MODEL@URL"):
                context.model("user")

        hosted(use)

    def test_def_and_async_def_are_the_same(self) -> None:
        async def use(host: LocalHost) -> None:
            session = await host.open({}, seed=0)
            assert await session.step([]) == Step(done=True)
            assert (await session.verify(NOTHING)).reward == 1.0
            await session.close()

        hosted(use, Plain)

    def test_an_invalid_row_names_field_and_value(self) -> None:
        failure, log = failure_of(lambda host: host.open({"count": -3, "word": 5}, seed=0))
        assert (failure.boundary, failure.code) == ("environment", "task-invalid")
        assert "count: Input should be greater than or equal to 1 (got '-3')" in failure.message
        assert "word: Input should be a valid string (got '5')" in failure.message
        assert "setup" not in log

    def test_a_validator_that_breaks_is_the_environments_fault(self) -> None:
        failure, _ = failure_of(lambda host: host.open({"broken": True}, seed=0))
        assert (failure.boundary, failure.code) == ("environment", "task-invalid")
        assert "a bug of the validator" in failure.message

    def test_malformed_params_are_an_invalid_row_and_the_episode_is_closed(self) -> None:
        failure, log = failure_of(lambda host: host.open({"responses_create_params": {"input": 5}}, seed=0))
        assert failure.code == "task-invalid"
        assert log[:3] == ["enter", "setup", "close made"]


async def fail() -> None:
    raise OSError("no disk")


class TestClosing:
    def test_close_runs_when_setup_failed_half_way(self) -> None:
        failure, log = failure_of(lambda host: host.open({}, seed=0), setup=fail)
        assert (failure.boundary, failure.message) == ("environment", "OSError: no disk")
        assert log == ["enter", "setup", "close made", "exit"]

    def test_a_close_that_fails_too_does_not_hide_why(self) -> None:
        failure, _ = failure_of(lambda host: host.open({}, seed=0), setup=fail, close=AttributeError("self.x"))
        assert failure.message == "OSError: no disk"

    def test_close_runs_when_opening_is_cancelled(self) -> None:
        async def use(host: LocalHost) -> None:
            opening = asyncio.create_task(host.open({}, seed=0))
            await asyncio.sleep(0.05)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening

        _, log = hosted(use, setup=lambda: asyncio.sleep(3600))
        assert log == ["enter", "setup", "close made", "exit"]

    def test_a_failing_close_is_the_environments_failure(self) -> None:
        failure, _ = failure_of(judge, close=OSError("busy"))
        assert (failure.boundary, failure.message) == ("environment", "OSError: busy")

    def test_a_close_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("palestra.hosts.local.CLOSE_TIMEOUT_S", 0.05)
        monkeypatch.setattr(Watched, "close", lambda _: asyncio.sleep(3600))
        failure, _ = failure_of(judge)
        assert failure.boundary == "environment"


class TestShared:
    def test_it_is_entered_once_for_episodes_that_open_together_and_exited_at_the_end(self) -> None:
        async def use(host: LocalHost) -> None:
            sessions = await asyncio.gather(*[host.open({}, seed=number) for number in range(8)])
            assert {session.environment.context.shared for session in sessions} == {"index"}

        _, log = hosted(use, shared="index")
        assert (log.count("enter"), log.count("exit")) == (1, 1)
        assert log[0] == "enter"
        assert log[-1] == "exit"

    def test_what_breaks_in_it_is_the_environments_failure_and_is_tried_again(self) -> None:
        async def use(host: LocalHost) -> None:
            for _ in range(2):
                with pytest.raises(Failure, match="OSError: no index") as caught:
                    await host.open({}, seed=0)
                assert caught.value.boundary == "environment"

        _, log = hosted(use, shared=OSError("no index"))
        assert log == ["enter", "enter"]

    def test_an_opening_that_is_cancelled_while_it_enters_leaves_it_usable(self) -> None:
        async def use(host: LocalHost) -> None:
            first = asyncio.create_task(host.open({}, seed=0))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert (await host.open({}, seed=0)).environment.context.shared == "index"

        hosted(use, shared="index")


class TestStepping:
    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (RuntimeError("bug"), "RuntimeError: bug"),
            (None, "TypeError: step returned NoneType, not a Step"),
            ([], "TypeError: step returned list, not a Step"),
            (Step(reward=math.nan), "ValueError: the reward of a step is nan; it must be a finite number"),
            (Step(reward=math.inf), "ValueError: the reward of a step is inf; it must be a finite number"),
        ],
    )
    def test_a_step_that_breaks_is_the_environments_failure(self, step: Any, message: str) -> None:
        async def use(host: LocalHost) -> None:
            await (await host.open({}, seed=0)).step([])

        failure, _ = failure_of(use, step=step)
        assert (failure.boundary, failure.code, failure.message) == ("environment", "environment-error", message)


class TestJudging:
    @pytest.mark.parametrize("value", [True, 1, 1.0, Verdict(1.0)])
    def test_numbers_and_verdicts_are_taken(self, value: Any) -> None:
        verdict, _ = hosted(judge, verdict=value)
        assert verdict == Verdict(1.0)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (ZeroDivisionError("bug"), "ZeroDivisionError: bug"),
            (SystemExit(1), "SystemExit: 1"),
            (None, "TypeError: verify returned NoneType, not a number or a Verdict: None"),
            (math.nan, "ValueError: reward is nan; a reward must be a finite number"),
            (1.5, "ValueError: reward 1.5 is outside the declared range 0.0..1.0"),
            (-0.1, "ValueError: reward -0.1 is outside the declared range 0.0..1.0"),
        ],
    )
    def test_a_verifier_that_breaks_is_a_failure_never_a_zero(self, value: Any, message: str) -> None:
        failure, log = failure_of(judge, verdict=value)
        assert (failure.boundary, failure.code, failure.message) == ("verifier", "verifier-error", message)
        assert log[-2:] == ["close made", "exit"]

    def test_a_judge_that_is_down_stays_the_judges_failure(self) -> None:
        failure, _ = failure_of(judge, verdict=Failure("judge", "down"))
        assert (failure.boundary, failure.code) == ("judge", "judge-error")

    def test_a_deadline_of_grading_is_a_verifier_timeout_that_says_what_was_slow(self) -> None:
        async def spin(environment: Any) -> Any:
            await environment.context.grade(graded.pid)
            return await environment.context.grade(graded.spin, deadline_s=0.1)

        async def sleep(environment: Any) -> Any:
            await environment.context.grade(graded.pid)
            return await environment.context.grade(graded.sleep, 3600, deadline_s=0.05)

        for verdict, words in ((spin, "graded.spin used 0.1 s"), (sleep, "graded.sleep did not answer within 1.2 s")):
            failure, _ = failure_of(judge, verdict=verdict)
            assert (failure.boundary, failure.code) == ("verifier", "verifier-timeout")
            assert words in failure.message

    def test_what_grading_returns_is_the_reward(self) -> None:
        async def grade(environment: Any) -> Any:
            return await environment.context.grade(graded.same, 0.25)

        verdict, _ = hosted(judge, verdict=grade)
        assert verdict.reward == 0.25

    def test_a_worker_that_died_is_a_retryable_failure(self) -> None:
        async def leave(environment: Any) -> Any:
            return await environment.context.grade(graded.leave)

        failure, _ = failure_of(judge, verdict=leave)
        assert (failure.code, failure.retryable) == ("worker-died", True)
