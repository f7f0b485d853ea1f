"""Concurrency that follows what the endpoint can take: additive increase, multiplicative decrease."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from palestra.core.errors import Failure
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema

OVERLOAD_CODES = frozenset({"model-rate-limited", "model-server-error", "model-timeout", "model-unreachable"})


class AdaptiveLimit:
    """How many calls may be under way.

    It grows by one for each `limit` successes and is halved by an overload, at most once in `settle_s` seconds: calls
    that were sent before the cut say nothing about the limit after it (Chiu and Jain 1989, AIMD).
    """

    def __init__(self, *, initial: int = 16, maximum: int = 1024, settle_s: float = 1.0) -> None:
        self.limit = float(initial)
        self.maximum = maximum
        self.settle_s = settle_s
        self.under_way = 0
        self.cut_at = float("-inf")
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        if self.under_way < int(self.limit) and not self.waiting:
            self.under_way += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self.under_way -= 1
        while self.waiting and self.under_way < int(self.limit):
            turn = self.waiting.popleft()
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)

    def succeeded(self) -> None:
        self.limit = min(self.limit + 1 / self.limit, self.maximum)

    def overloaded(self) -> None:
        now = time.monotonic()
        if now - self.cut_at >= self.settle_s:
            self.cut_at = now
            self.limit = max(self.limit / 2, 1.0)


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
        await self.limit.enter()
        try:
            reply = await self.model.respond(items, tools, sampling, trace)
            self.limit.succeeded()
            return reply
        except Failure as failure:
            if failure.code in OVERLOAD_CODES:
                self.limit.overloaded()
            raise
        finally:
            self.limit.leave()

    async def close(self) -> None:
        await self.model.close()
