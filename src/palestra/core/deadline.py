"""Time limits: of one wait, and of a rollout, whose clock stands still while nobody could work on it."""

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType


class TimeLimits:
    """Time limits of one length, `seconds`: `with limits.limit():` in a task raises TimeoutError when the block has
    taken so long.

    Like `asyncio.timeout`, but all blocks that are under way share one timer of the event loop: a rollout has several
    limits, and starting and stopping a timer for each was a tenth of its time.
    """

    __slots__ = ("loop", "seconds", "timer", "under_way")
    loop: asyncio.AbstractEventLoop

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.under_way: dict[TimeLimit, None] = {}
        """In the order in which they are due, as they are all of one length."""
        self.timer: asyncio.TimerHandle | None = None

    def limit(self) -> "TimeLimit":
        """A limit for one block."""
        return TimeLimit(self)

    def deadline(self) -> "Deadline":
        """A limit for one block whose clock can be stopped."""
        return Deadline(self)

    def watch(self, limit: "TimeLimit") -> None:
        if self.timer is None or self.loop is not limit.loop:
            if self.under_way and self.loop is not limit.loop:
                # What a loop left unfinished when it ended can be ended by nobody.
                self.under_way.clear()
            self.loop = limit.loop
            self.timer = limit.loop.call_at(limit.due, self.expire)
        self.under_way[limit] = None

    def expire(self) -> None:
        """End the blocks whose time is over, and look again when the next one's is."""
        self.timer = None
        while self.under_way:
            limit = next(iter(self.under_way))
            if limit.due > limit.loop.time():
                self.timer = limit.loop.call_at(limit.due, self.expire)
                break
            del self.under_way[limit]
            limit.expire()


class TimeLimit:
    """The time limit of one block, used once."""

    __slots__ = ("cancelling", "due", "expired", "limits", "loop", "task")

    def __init__(self, limits: TimeLimits) -> None:
        self.limits = limits
        self.expired = False

    def __enter__(self) -> "TimeLimit":
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.limits.under_way.pop(self, None)
        if self.expired:
            self.raise_timeout(kind, error)

    def begin(self) -> None:
        self.loop = loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None, "a time limit needs a task that it can end"
        self.task = task
        self.cancelling = task.cancelling()
        self.due = loop.time() + self.limits.seconds
        self.limits.watch(self)

    def raise_timeout(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        # Whoever else cancelled the task wants it to end, not to hear of a time limit.
        if self.task.uncancel() <= self.cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        self.expired = True
        self.task.cancel()


class Deadline(TimeLimit):
    """The time limit of a rollout: its clock can be stopped.

    What runs inside, in this task or in one that it started, finds it in `RUNNING`.
    """

    __slots__ = ("before", "is_open", "left_s", "own_timer", "stopped_at", "stopped_s", "stops")

    def __init__(self, limits: TimeLimits) -> None:
        self.limits = limits
        self.expired = False
        self.is_open = False
        self.stopped_s = 0.0
        """Seconds the clock stood still, without the stop that is under way."""
        self.stops = 0
        self.own_timer: asyncio.TimerHandle | None = None
        """Once its clock stood still it is due in no order with others."""

    def __enter__(self) -> "Deadline":
        self.begin()
        self.is_open = True
        self.before: Token[Deadline | None] = RUNNING.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        RUNNING.reset(self.before)
        self.is_open = False
        self.leave()
        if self.expired:
            self.raise_timeout(kind, error)

    def leave(self) -> None:
        """Be due no more."""
        self.limits.under_way.pop(self, None)
        if self.own_timer is not None:
            self.own_timer.cancel()

    def stop(self) -> None:
        """Stop the clock; stops nest."""
        self.stops += 1
        if self.stops == 1:
            self.stopped_at = self.loop.time()
            self.left_s: float = self.due - self.stopped_at
            self.leave()

    def go_on(self) -> None:
        self.stops -= 1
        if self.stops == 0:
            now = self.loop.time()
            self.stopped_s += now - self.stopped_at
            if self.is_open and not self.expired:
                self.due = now + self.left_s
                self.own_timer = self.loop.call_at(self.due, self.expire)


RUNNING: ContextVar[Deadline | None] = ContextVar("RUNNING", default=None)
"""The deadline of the rollout that this code works for."""


def stopped_s() -> float:
    """Seconds that the clock of the present rollout stood still."""
    deadline = RUNNING.get()
    return deadline.stopped_s if deadline is not None else 0.0
