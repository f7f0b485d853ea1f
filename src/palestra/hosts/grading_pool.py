"""Killable worker processes for grading that is slow or can hang."""

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any, TypeVar, cast

from palestra.core.errors import Failure
from palestra.hosts.grading_worker import HEADER

Result = TypeVar("Result")

CALLS_PER_WORKER = 2000
"""A worker is replaced after so many calls, because symbolic libraries cache without bound."""


class GradingPool:
    """Runs module-level functions in up to `size` worker processes, started when first needed."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or os.cpu_count() or 1
        self.slots = asyncio.Semaphore(self.size)
        self.idle: list[Worker] = []
        self.busy: set[Worker] = set()

    async def call(self, function: Callable[..., Result], *arguments: Any, deadline_s: float) -> Result:
        """The function's result. See `Context.grade` for what is raised."""
        async with self.slots:
            worker = self.idle.pop() if self.idle else await Worker.start()
            self.busy.add(worker)
            try:
                succeeded, value = await worker.call(function, arguments, deadline_s)
            except BaseException:
                # Also when cancelled: the worker may still be in the middle of the call.
                await worker.kill()
                raise
            finally:
                self.busy.discard(worker)
            if worker.calls < CALLS_PER_WORKER:
                self.idle.append(worker)
            else:
                await worker.kill()
        if not succeeded:
            raise value
        return cast("Result", value)

    async def close(self) -> None:
        """End all workers."""
        for worker in [*self.idle, *self.busy]:
            await worker.kill()
        self.idle.clear()


class Worker:
    """One worker process and its two pipes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.calls = 0

    @classmethod
    async def start(cls) -> "Worker":
        command = [sys.executable, "-m", "palestra.hosts.grading_worker"]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))

    async def call(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline_s: float
    ) -> tuple[bool, Any]:
        self.calls += 1
        request = pickle.dumps((function.__module__, function.__qualname__, arguments, deadline_s))
        # CPU time is what the deadline bounds, so that a busy machine fails nobody; the wall bound catches sleepers.
        wall_s = 4 * deadline_s + 30
        try:
            async with asyncio.timeout(wall_s):
                return await self.exchange(request)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            status = await self.process.wait()
            name = f"{function.__module__}.{function.__qualname__}"
            if status == -signal.SIGPROF:
                raise TimeoutError(f"{name} used {deadline_s:g} s of CPU time and was killed") from error
            message = f"the worker running {name} ended with status {status}"
            raise Failure("verifier", message, code="worker-died", retryable=True) from error

    async def exchange(self, request: bytes) -> tuple[bool, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(HEADER.pack(len(request)) + request)
        await stdin.drain()
        (length,) = HEADER.unpack(await stdout.readexactly(HEADER.size))
        return pickle.loads(await stdout.readexactly(length))

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
