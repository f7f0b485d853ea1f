"""How much may be tried again: a share of what is asked, so that retries cannot multiply the load of an endpoint."""

import asyncio
from collections import deque
from dataclasses import dataclass

STALLED_S = 0.5
"""Nothing was asked for so long: what waits for a token is not going to get one."""


@dataclass
class RetryBudget:
    """A token bucket: each first call adds `ratio` tokens, each retry takes one.

    Over a run there are at most `reserve` + `ratio` * first calls + `most` retries.
    """

    ratio: float = 0.5
    reserve: float = 10.0
    """What is there at the start, so that small runs can retry."""
    most: float = 1024.0
    """At most so many tokens are kept, and at most so many can be borrowed: the calls that can be under way at once."""

    def __post_init__(self) -> None:
        self.tokens = self.reserve
        self.at_work = 0
        """Calls that are not waiting for a token."""
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.stalled: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A call is made for the first time."""
        self.tokens += self.ratio
        if self.tokens > self.most:
            self.tokens = min(self.tokens, max(self.most, self.reserve))
        self.works()
        while self.waiting and self.tokens >= 1:
            self.serve(self.waiting.popleft())

    def end(self) -> None:
        """A call is over, however it ended."""
        self.rests()

    def take(self) -> bool:
        """Take a token if there is one."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def borrow(self) -> bool:
        """Take a token even if there is none, for a call that failed through no fault of its own."""
        if self.tokens <= -self.most:
            return False
        self.tokens -= 1
        return True

    async def wait(self) -> bool:
        """Take a token as soon as there is one; False if nobody is at work whose calls could bring one."""
        if self.take():
            return True
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        self.rests()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.tokens += 1
            raise
        finally:
            self.works()

    def serve(self, turn: "asyncio.Future[bool]") -> None:
        if not turn.done():
            turn.set_result(self.take())

    def works(self) -> None:
        self.at_work += 1
        if self.stalled is not None:
            self.stalled.cancel()
            self.stalled = None

    def rests(self) -> None:
        self.at_work -= 1
        if self.at_work == 0 and self.waiting:
            self.stalled = asyncio.get_running_loop().call_later(STALLED_S, self.refuse)

    def refuse(self) -> None:
        """The longest waiting one goes without; what its rollout gives way to may bring tokens for the others."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(False)
                return
