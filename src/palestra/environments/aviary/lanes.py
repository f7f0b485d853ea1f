"""Threads with event loops of their own, so that code which blocks never holds up the process's own loop."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")

JOIN_TIMEOUT_S = 2.0
PROBE_S = 0.5


class DaemonThreads(ThreadPoolExecutor):
    """A thread a call, none of which keeps the process from ending: a tool may hang for good."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    # Whoever waits for the call gets it, as with any executor.
                    future.set_exception(error)

        Thread(target=run, daemon=True, name="aviary-tool").start()
        return future


class Lane:
    """One thread and its event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(DaemonThreads(1))
        self.is_stuck = False
        self.thread = Thread(target=self.loop.run_forever, daemon=True, name="aviary-lane")
        self.thread.start()

    async def call(self, work: Callable[[], Coroutine[Any, Any, Result]], *, timeout_s: float) -> Result:
        """The result of a coroutine that runs here. Raises what it raises, and TimeoutError when it took too long."""
        running = asyncio.run_coroutine_threadsafe(self.started(work), self.loop)
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await asyncio.wrap_future(running)
        except TimeoutError:
            if limit.expired():
                self.is_stuck = not await self.answers()
            raise

    async def started(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        # Called here and not by whoever asks: what makes the coroutine may block as well.
        return await work()

    async def answers(self) -> bool:
        """Whether the loop still turns."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_S):
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop))
                return True
        return False

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(JOIN_TIMEOUT_S)
        if not self.thread.is_alive():
            self.loop.close()


class Lanes:
    """Up to `size` lanes, lent in turn; one that got stuck is lent no more."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lanes: list[Lane] = []
        self.retired: list[Lane] = []
        self.lent = 0

    def lend(self) -> Lane:
        self.retired += [lane for lane in self.lanes if lane.is_stuck]
        self.lanes = [lane for lane in self.lanes if not lane.is_stuck]
        self.lent += 1
        if len(self.lanes) < self.size:
            self.lanes.append(Lane())
            return self.lanes[-1]
        return self.lanes[self.lent % self.size]

    def close(self) -> None:
        for lane in (*self.lanes, *self.retired):
            lane.close()
