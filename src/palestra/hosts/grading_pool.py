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
from palestra.hosts.grading_worker import HEADER, Request

Result = TypeVar("Result")

CALLS_PER_WORKER = 2000
"""A worker is replaced after so many calls, because symbolic libraries cache without bound."""


class GradingPool:
    """Runs module-level functions in up to `size` worker processes, started when first needed."""

    def __init__(self, size: int | None = None, *, patience_s: float = 30.0) -> None:
        """`patience_s` is how long a call may sleep; see `wall_bound_s`."""
        self.size = size or os.cpu_count() or 1
        self.patience_s = patience_s
        self.slots = asyncio.Semaphore(self.size)
        self.idle: list[Worker] = []
        self.busy: set[Worker] = set()
        self.starting: set[asyncio.Task[Worker]] = set()
        self.closed = False

    def wall_bound_s(self, deadline_s: float) -> float:
        """CPU time is what a deadline bounds, so that a busy machine fails nobody; this bound catches sleepers."""
        return 4 * deadline_s + self.patience_s

    async def call(self, function: Callable[..., Result], *arguments: Any, deadline_s: float) -> Result:
        """The function's result. See `Context.grade` for what is raised."""
        async with self.slots:
            worker = await self.free_worker()
            self.busy.add(worker)
            try:
                succeeded, value = await worker.call(function, arguments, deadline_s, self.wall_bound_s(deadline_s))
            except BaseException:
                # Also when cancelled: the worker may still be in the middle of the call.
                await worker.kill()
                raise
            finally:
                self.busy.discard(worker)
            if worker.calls < CALLS_PER_WORKER and not self.closed:
                self.idle.append(worker)
            else:
                await worker.kill()
        if not succeeded:
            raise value
        return cast("Result", value)

    async def free_worker(self) -> "Worker":
        while not self.closed:
            while self.idle:
                worker = self.idle.pop()
                if worker.process.returncode is None:
                    return worker
            await self.start_worker()
        raise Failure("host", "the grading workers have been closed", retryable=True)

    async def start_worker(self) -> None:
        """Add a worker to the idle ones, also if whoever waits for it is cancelled meanwhile."""
        # asyncio may wait forever for a process whose start was cancelled, so nothing cancels a start.
        start = asyncio.create_task(Worker.start())
        self.starting.add(start)
        start.add_done_callback(self.started)
        await asyncio.shield(start)

    def started(self, start: "asyncio.Task[Worker]") -> None:
        self.starting.discard(start)
        if not start.cancelled() and start.exception() is None:
            self.idle.append(start.result())

    async def close(self) -> None:
        """End all workers."""
        self.closed = True
        await asyncio.gather(*self.starting, return_exceptions=True)
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
        # -P: a random.py in the current folder is none of the worker's business.
        command = [sys.executable, "-P", "-m", "palestra.hosts.grading_worker"]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))

    async def call(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline_s: float, wall_s: float
    ) -> tuple[bool, Any]:
        self.calls += 1
        # The arguments in a pickle of their own: their classes may come from the function's module.
        values = pickle.dumps(arguments)
        request = Request(sys.path, function.__module__, function.__qualname__, values, deadline_s, wall_s)
        data = pickle.dumps(tuple(request))
        name = f"{function.__module__}.{function.__qualname__}"
        late = f"{name} did not answer within {wall_s:g} s and was killed"
        try:
            async with asyncio.timeout(wall_s):
                try:
                    return await self.exchange(data)
                except (asyncio.IncompleteReadError, ConnectionError):
                    status = await self.process.wait()
        except TimeoutError as error:
            raise TimeoutError(late) from error
        if status == -signal.SIGPROF:
            raise TimeoutError(f"{name} used {deadline_s:g} s of CPU time and was killed")
        if status == -signal.SIGALRM:
            raise TimeoutError(late)
        message = f"the worker running {name} ended with status {status}"
        raise Failure("verifier", message, code="worker-died", retryable=True)

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
