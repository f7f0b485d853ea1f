"""The time a rollout may take: a deadline whose clock stands still while nobody could work on the rollout."""

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType


class Deadline:
    """`async with Deadline(seconds):` raises TimeoutError when the block was at work for so long.

    Like `asyncio.timeout`, but its clock can be stopped. What runs inside, in this task or in one that it started,
    finds it in `RUNNING`.
    """

    def __init__(self, seconds: float) -> None:
        self.timeout = asyncio.timeout(seconds)
        self.stopped_s = 0.0
        """Seconds the clock stood still, without the stop that is under way."""
        self.stops = 0
        self.is_open = False

    async def __aenter__(self) -> "Deadline":
        await self.timeout.__aenter__()
        self.is_open = True
        self.before: Token[Deadline | None] = RUNNING.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False
        RUNNING.reset(self.before)
        await self.timeout.__aexit__(kind, error, trace)

    def stop(self) -> None:
        """Stop the clock; stops nest."""
        self.stops += 1
        if self.stops == 1:
            self.stopped_at = asyncio.get_running_loop().time()
            if self.can_move:
                self.ends_at = self.timeout.when() or 0.0
                self.timeout.reschedule(None)

    def go_on(self) -> None:
        self.stops -= 1
        if self.stops == 0:
            stood_s = asyncio.get_running_loop().time() - self.stopped_at
            self.stopped_s += stood_s
            if self.can_move:
                self.timeout.reschedule(self.ends_at + stood_s)

    @property
    def can_move(self) -> bool:
        return self.is_open and not self.timeout.expired()


RUNNING: ContextVar[Deadline | None] = ContextVar("RUNNING", default=None)
"""The deadline of the rollout that this code works for."""


def stopped_s() -> float:
    """Seconds that the clock of the present rollout stood still."""
    deadline = RUNNING.get()
    return deadline.stopped_s if deadline is not None else 0.0
