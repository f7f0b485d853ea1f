"""Time limits: of one wait, and of a rollout, whose clock stands still while nobody could work on it."""

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType


class TimeLimit:
    """`with TimeLimit(seconds):` in a task raises TimeoutError when the block has taken so long.

    Like `asyncio.timeout`, at half of its cost: a rollout has several, and they were a tenth of its time.
    """

    __slots__ = ("cancelling", "expired", "handle", "is_open", "loop", "seconds", "task")
    handle: asyncio.TimerHandle

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self.is_open = False

    def __enter__(self) -> "TimeLimit":
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None, "a time limit needs a task that it can end"
        self.task = task
        self.loop = loop
        self.cancelling = task.cancelling()
        self.handle = loop.call_later(self.seconds, self.expire)
        self.is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False
        self.handle.cancel()
        # Whoever else cancelled the task wants it to end, not to hear of a time limit.
        if self.expired and self.task.uncancel() <= self.cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        self.expired = True
        self.task.cancel()


class Deadline(TimeLimit):
    """The time limit of a rollout: its clock can be stopped.

    What runs inside, in this task or in one that it started, finds it in `RUNNING`.
    """

    __slots__ = ("before", "left_s", "stopped_at", "stopped_s", "stops")

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.stopped_s = 0.0
        """Seconds the clock stood still, without the stop that is under way."""
        self.stops = 0

    def __enter__(self) -> "Deadline":
        super().__enter__()
        self.before: Token[Deadline | None] = RUNNING.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        RUNNING.reset(self.before)
        super().__exit__(kind, error, trace)

    def stop(self) -> None:
        """Stop the clock; stops nest."""
        self.stops += 1
        if self.stops == 1:
            self.stopped_at = self.loop.time()
            self.left_s: float = self.handle.when() - self.stopped_at
            self.handle.cancel()

    def go_on(self) -> None:
        self.stops -= 1
        if self.stops == 0:
            self.stopped_s += self.loop.time() - self.stopped_at
            if self.is_open and not self.expired:
                self.handle = self.loop.call_later(self.left_s, self.expire)


RUNNING: ContextVar[Deadline | None] = ContextVar("RUNNING", default=None)
"""The deadline of the rollout that this code works for."""


def stopped_s() -> float:
    """Seconds that the clock of the present rollout stood still."""
    deadline = RUNNING.get()
    return deadline.stopped_s if deadline is not None else 0.0
