"""Grading workers: whatever a function does, its caller gets the result, its exception, or a clear end in time."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from palestra import Failure
from palestra.core.discovery import find
from palestra.hosts import grading_pool
from palestra.hosts.grading_pool import GradingPool
from tests.hosts import graded


def pooled(use: Callable[[GradingPool], Awaitable[Any]], size: int = 1, patience_s: float = 30.0) -> Any:
    async def run() -> Any:
        pool = GradingPool(size, patience_s=patience_s)
        try:
            return await use(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def graded_by(function: Callable[..., Any], *arguments: Any, deadline_s: float = 10.0) -> Any:
    return pooled(lambda pool: pool.call(function, *arguments, deadline_s=deadline_s))


async def late(function: Callable[..., Any], *arguments: Any) -> str:
    """What is said of a call that sleeps; the worker is warm, so that its start costs nothing."""
    pool = GradingPool(1, patience_s=0.3)
    try:
        await pool.call(graded.pid, deadline_s=10)
        with pytest.raises(TimeoutError) as caught:
            await pool.call(function, *arguments, deadline_s=0.05)
        return str(caught.value)
    finally:
        await pool.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


async def gone(pid: int) -> bool:
    for _ in range(100):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.02)
    return False


class TestResults:
    def test_results_and_exceptions_come_back_with_their_types(self) -> None:
        async def use(pool: GradingPool) -> None:
            assert await pool.call(graded.add, 2, 3, deadline_s=5) == 5
            assert await pool.call(graded.same, graded.Point(3), deadline_s=5) == graded.Point(3)
            with pytest.raises(ValueError, match="straße"):
                await pool.call(graded.raise_value_error, "straße", deadline_s=5)
            with pytest.raises(graded.OwnError) as own:
                await pool.call(graded.raise_own_error, deadline_s=5)
            assert own.value.args == ("code", 5)
            with pytest.raises(Failure) as failure:
                await pool.call(graded.raise_failure, deadline_s=5)
            assert (failure.value.boundary, failure.value.retryable) == ("judge", True)

        pooled(use)

    def test_what_cannot_be_pickled_is_said(self) -> None:
        async def use(pool: GradingPool) -> None:
            with pytest.raises(RuntimeError, match="StubbornError: 1 and 2"):
                await pool.call(graded.raise_stubborn, deadline_s=5)
            with pytest.raises(RuntimeError, match="the result cannot be pickled"):
                await pool.call(graded.lambda_result, deadline_s=5)
            with pytest.raises(Exception, match="pickle"):
                await pool.call(graded.same, lambda: 1, deadline_s=5)
            with pytest.raises(AttributeError, match="lambda"):
                await pool.call(lambda: 1, deadline_s=5)
            assert await pool.call(graded.add, 1, 1, deadline_s=5) == 2

        pooled(use)

    def test_big_values_pass_both_ways(self) -> None:
        value = "é" * 5_000_000
        assert graded_by(graded.same, value) == value

    def test_printing_and_reading_do_not_touch_the_channel(self, capfd: pytest.CaptureFixture[str]) -> None:
        async def use(pool: GradingPool) -> None:
            assert await pool.call(graded.talk, deadline_s=5) == "said"
            assert await pool.call(graded.read_input, deadline_s=5) == ""
            assert await pool.call(graded.add, 1, 1, deadline_s=5) == 2

        pooled(use)
        assert capfd.readouterr().out == ""

    def test_a_worker_is_reused_and_replaced_after_many_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(grading_pool, "CALLS_PER_WORKER", 2)

        async def use(pool: GradingPool) -> list[int]:
            return [await pool.call(graded.pid, deadline_s=5) for _ in range(3)]

        first, second, third = pooled(use)
        assert first == second != third


class TestDeadline:
    @pytest.mark.parametrize("function", [graded.spin, graded.spin_in_native_code])
    def test_a_busy_function_is_killed_by_its_cpu_time(self, function: Callable[[], Any]) -> None:
        with pytest.raises(TimeoutError, match=rf"{function.__name__} used 0\.2 s of CPU time and was killed"):
            graded_by(function, deadline_s=0.2)

    @pytest.mark.parametrize("function", [graded.sleep, graded.sleep_deafly])
    def test_a_sleeper_is_killed_at_the_wall_bound(self, function: Callable[[float], Any]) -> None:
        said = asyncio.run(late(function, 3600))
        assert said == f"tests.hosts.graded.{function.__name__} did not answer within 0.5 s and was killed"

    def test_a_worker_that_closed_its_pipe_and_sleeps_is_killed_too(self) -> None:
        assert "did not answer" in asyncio.run(late(graded.close_everything_and_sleep))

    def test_the_wall_bound_is_four_deadlines_and_the_patience(self) -> None:
        assert GradingPool(1).wall_bound_s(10) == 70

    def test_each_call_has_the_whole_deadline(self) -> None:
        async def use(pool: GradingPool) -> None:
            for _ in range(3):
                assert await pool.call(graded.use_cpu, 0.15, deadline_s=0.3) == 0.15

        pooled(use)

    def test_waiting_for_a_worker_does_not_count(self) -> None:
        async def use(pool: GradingPool) -> None:
            await pool.call(graded.pid, deadline_s=10)
            calls = [pool.call(graded.sleep, 0.3, deadline_s=0.01) for _ in range(4)]
            assert await asyncio.gather(*calls) == [0.3] * 4

        pooled(use, patience_s=0.9)

    def test_after_a_kill_the_next_call_gets_a_new_worker(self) -> None:
        async def use(pool: GradingPool) -> None:
            with pytest.raises(TimeoutError):
                await pool.call(graded.spin, deadline_s=0.05)
            assert await pool.call(graded.add, 1, 1, deadline_s=5) == 2

        pooled(use)


class TestDeath:
    @pytest.mark.parametrize(("function", "status"), [(graded.leave, 7), (graded.exit_politely, 3)])
    def test_a_worker_that_ends_is_a_retryable_failure(self, function: Callable[[], None], status: int) -> None:
        with pytest.raises(Failure) as caught:
            graded_by(function)
        assert (caught.value.code, caught.value.retryable) == ("worker-died", True)
        assert caught.value.message.endswith(f"graded.{function.__name__} ended with status {status}")

    def test_a_worker_that_died_idle_fails_nobody(self) -> None:
        async def use(pool: GradingPool) -> None:
            found = await pool.call(graded.pid, deadline_s=5)
            os.kill(found, signal.SIGKILL)
            await pool.idle[0].process.wait()
            assert await pool.call(graded.pid, deadline_s=5) != found

        pooled(use)

    def test_ctrl_c_at_the_terminal_ends_no_worker(self) -> None:
        async def use(pool: GradingPool) -> None:
            found = await pool.call(graded.pid, deadline_s=5)
            os.kill(found, signal.SIGINT)
            assert await pool.call(graded.pid, deadline_s=5) == found

        pooled(use)

    def test_cancelling_a_call_kills_its_worker(self) -> None:
        async def use(pool: GradingPool) -> None:
            pid = await pool.call(graded.pid, deadline_s=5)
            call = asyncio.create_task(pool.call(graded.sleep, 3600, deadline_s=5))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await gone(pid)
            assert (pool.idle, pool.busy) == ([], set())
            assert await pool.call(graded.add, 1, 1, deadline_s=5) == 2

        pooled(use)

    def test_cancelling_a_call_whose_worker_starts_keeps_the_worker_for_the_next(self) -> None:
        async def use(pool: GradingPool) -> None:
            call = asyncio.create_task(pool.call(graded.pid, deadline_s=5))
            await asyncio.sleep(0.001)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert await pool.call(graded.add, 1, 1, deadline_s=5) == 2
            assert len(pool.idle) + len(pool.starting) <= 2

        pooled(use)

    def test_calls_left_alone_by_a_failing_neighbour_do_not_hang_the_loop(self) -> None:
        async def use(pool: GradingPool) -> None:
            calls = [pool.call(graded.leave, deadline_s=5), pool.call(graded.add, 1, 1, deadline_s=5)]
            with pytest.raises(Failure):
                await asyncio.gather(*calls)

        pooled(use)

    def test_closing_a_busy_pool_ends_the_calls(self) -> None:
        async def use(pool: GradingPool) -> None:
            pid = await pool.call(graded.pid, deadline_s=5)
            call = asyncio.create_task(pool.call(graded.sleep, 3600, deadline_s=5))
            waiting = asyncio.create_task(pool.call(graded.add, 1, 1, deadline_s=5))
            await asyncio.sleep(0.05)
            await pool.close()
            for task in (call, waiting):
                with pytest.raises(Failure) as caught:
                    await task
                assert caught.value.retryable
            assert await gone(pid)
            assert pool.idle == []

        pooled(use)

    def test_closing_while_a_worker_starts_leaves_none_behind(self) -> None:
        async def use(pool: GradingPool) -> None:
            call = asyncio.create_task(pool.call(graded.pid, deadline_s=5))
            await asyncio.sleep(0)
            await pool.close()
            [found] = await asyncio.gather(call, return_exceptions=True)
            assert isinstance(found, Failure) or (isinstance(found, int) and await gone(found))
            assert pool.idle == []

        pooled(use)


class TestConcurrency:
    def test_as_many_calls_run_at_once_as_there_are_workers(self) -> None:
        async def use(pool: GradingPool) -> None:
            await asyncio.gather(*[pool.call(graded.pid, deadline_s=5) for _ in range(2)])
            began = time.monotonic()
            calls = [pool.call(graded.sleep, 0.3, deadline_s=5) for _ in range(4)]
            assert await asyncio.gather(*calls) == [0.3] * 4
            assert 0.55 < time.monotonic() - began < 1.15
            assert len(pool.idle) == 2

        pooled(use, size=2)

    def test_no_worker_is_started_before_it_is_needed(self) -> None:
        async def use(pool: GradingPool) -> None:
            for _ in range(3):
                await pool.call(graded.add, 1, 1, deadline_s=5)
            assert len(pool.idle) == 1

        pooled(use, size=8)

    def test_the_event_loop_goes_on_while_a_function_runs(self) -> None:
        async def use(pool: GradingPool) -> None:
            await pool.call(graded.pid, deadline_s=5)
            call = asyncio.create_task(pool.call(graded.use_cpu, 0.3, deadline_s=5))
            turns = 0
            while not call.done():
                await asyncio.sleep(0.005)
                turns += 1
            assert turns > 10

        pooled(use)


ENVIRONMENT = """
from palestra import Environment, Task
from .judging import judge

class Word(Task):
    word: str

class Mine(Environment[Word]):
    def prompt(self):
        return "q"
    async def verify(self, transcript):
        return await self.context.grade(judge, self.task, transcript.reply)
"""
JUDGING = """
class Odd(Exception):
    pass

def judge(task, reply):
    if reply == "odd":
        raise Odd(task.word)
    return float(reply == task.word)
"""
MANIFEST = """
name = "mine"
summary = "A test."
domain = "other"
licence = "Apache-2.0"
reward = { kind = "binary" }
"""


class TestEnvironmentFolders:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "eine Größe" / "mine"
        folder.mkdir(parents=True)
        (folder / "env.py").write_text(ENVIRONMENT)
        (folder / "judging.py").write_text(JUDGING)
        (folder / "environment.toml").write_text(MANIFEST)
        return folder

    def test_functions_tasks_and_exceptions_of_a_folder_outside_any_package_work(self, folder: Path) -> None:
        environment = find(str(folder)).load()
        module = sys.modules[environment.__module__]
        task = environment.task_type.from_row({"word": "x"})

        async def use(pool: GradingPool) -> None:
            assert await pool.call(module.judge, task, "x", deadline_s=5) == 1.0
            assert await pool.call(graded.same, task, deadline_s=5) == task
            with pytest.raises(sys.modules[module.judge.__module__].Odd, match="x"):
                await pool.call(module.judge, task, "odd", deadline_s=5)

        pooled(use)

    def test_a_module_found_on_a_path_that_was_added_later_works(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "added_later.py").write_text("def f(): return 'found'\n")

        async def use(pool: GradingPool) -> None:
            await pool.call(graded.pid, deadline_s=5)
            monkeypatch.syspath_prepend(tmp_path)
            import added_later  # type: ignore[import-not-found]

            assert await pool.call(added_later.f, deadline_s=5) == "found"

        pooled(use)

    def test_a_file_of_the_current_folder_shadows_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "pickle.py").write_text("raise RuntimeError('shadowed')\n")
        monkeypatch.chdir(tmp_path)
        assert graded_by(graded.add, 1, 1) == 2


def test_a_sleeper_does_not_outlive_a_killed_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import asyncio, sys
from palestra.hosts import grading_pool
from tests.hosts import graded

async def main():
    pool = grading_pool.GradingPool(1, patience_s=0.3)
    print(await pool.call(graded.pid, deadline_s=2), flush=True)
    await pool.call(graded.sleep, 3600, deadline_s=0.05)

asyncio.run(main())
"""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert asyncio.run(ends(pid, within_s=4))


async def ends(pid: int, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if await gone(pid):
            return True
    return False
