"""Synchronous code in an agent: it runs in a thread, and what it waits for is awaited in the agent's own task."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Outcome = TypeVar("Outcome")


class Bridge(Generic[Outcome]):
    """Runs a function in a thread of its own, used once.

    The thread gets none of the event loop's executor, whose few threads others wait for, and never blocks the loop.
    Its waits are awaited by the task that called `run`: time limits and cancellation hold for them, and end them.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.requests: asyncio.Queue[tuple[Callable[[], Awaitable[Any]], Future[Any]] | None] = asyncio.Queue()
        self.outcome: Future[Outcome] = Future()
        self.lock = threading.Lock()
        self.pending: Future[Any] | None = None
        self.is_closed = False

    async def run(self, function: Callable[[], Outcome]) -> Outcome:
        """The function's result. Raises what it raises."""
        context = contextvars.copy_context()
        # A thread that is stuck in code of its own must not keep the process from ending.
        threading.Thread(target=context.run, args=(self.work, function), name="palestra-bridge", daemon=True).start()
        try:
            while (request := await self.requests.get()) is not None:
                await fulfil(*request)
        finally:
            self.close()
        return self.outcome.result()

    def wait(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """In the thread: the result of a coroutine. Raises what it raises, CancelledError when `run` has ended."""
        answer: Future[Result] = Future()
        with self.lock:
            if self.is_closed:
                raise CancelledError
            self.pending = answer
            self.loop.call_soon_threadsafe(self.requests.put_nowait, (work, answer))
        return answer.result()

    def work(self, function: Callable[[], Outcome]) -> None:
        try:
            self.outcome.set_result(function())
        except BaseException as error:
            # Raised again where the result is asked for.
            self.outcome.set_exception(error)
        with self.lock, suppress(RuntimeError):
            # A loop that was closed waits for nothing.
            self.loop.call_soon_threadsafe(self.requests.put_nowait, None)

    def close(self) -> None:
        """End the wait that is under way and refuse further ones."""
        with self.lock:
            self.is_closed = True
            if self.pending is not None:
                self.pending.cancel()


async def fulfil(work: Callable[[], Awaitable[Any]], answer: "Future[Any]") -> None:
    try:
        answer.set_result(await work())
    except Exception as error:
        answer.set_exception(error)
