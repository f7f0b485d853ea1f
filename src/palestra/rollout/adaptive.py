"""Concurrency that follows what the endpoint can take: additive increase, decrease in proportion to the overload."""

import asyncio
from collections import deque
from collections.abc import Sequence

from palestra.core.errors import Failure
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.rollout.breaker import ENDPOINT_CODES


class AdaptiveLimit:
    """How many calls may be under way.

    It grows by one in a window, which is as many calls as the limit allows, and doubles until the first overload. Each
    overloaded call takes half a slot away, at most half of all slots in a window: the decrease is in proportion to the
    overload (as in DCTCP, RFC 8257), so that a fault now and then costs little. Calls sent in an earlier window say
    nothing about the limit of this one.
    """

    def __init__(self, *, initial: int = 16, maximum: int = 1024) -> None:
        self.limit = float(min(initial, maximum))
        self.maximum = maximum
        self.under_way = 0
        self.is_starting = True
        self.window = 0
        self.ended = 0
        self.floor = max(self.limit / 2, 1.0)
        """As far as the limit may fall in this window."""
        self.peak = 0
        """The most calls under way in this window."""
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for a slot; the window that the call belongs to."""
        if self.under_way < int(self.limit) and not self.waiting:
            self.begin()
            return self.window
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise
        return self.window

    def begin(self) -> None:
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)

    def leave(self) -> None:
        self.under_way -= 1
        while self.waiting and self.under_way < int(self.limit):
            turn = self.waiting.popleft()
            if not turn.done():
                self.begin()
                turn.set_result(None)

    def count(self, window: int, *, overloaded: bool) -> None:
        """Take the end of a call into account."""
        if window != self.window:
            return
        self.ended += 1
        if overloaded:
            self.is_starting = False
            # At once: a slot that is refused is free again at once, and would be refused to one call after another.
            self.limit = max(self.limit - 0.5, self.floor)
        if self.ended >= int(self.limit):
            self.end_window()

    def end_window(self) -> None:
        # A limit that is not used was not tested.
        if self.peak * 2 >= int(self.limit):
            self.limit = min(self.limit * 2 if self.is_starting else self.limit + 1, self.maximum)
        self.floor = max(self.limit / 2, 1.0)
        self.window += 1
        self.ended = 0
        self.peak = self.under_way


class AdaptiveModel:
    """A model whose calls share an adaptive limit."""

    def __init__(self, model: Model, limit: AdaptiveLimit) -> None:
        self.model = model
        self.limit = limit

    @property
    def name(self) -> str:
        return self.model.name

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        window = await self.limit.enter()
        try:
            reply = await self.model.respond(items, tools, sampling, trace)
            self.limit.count(window, overloaded=False)
            return reply
        except Failure as failure:
            self.limit.count(window, overloaded=failure.code in ENDPOINT_CODES)
            raise
        finally:
            self.limit.leave()

    async def close(self) -> None:
        await self.model.close()
