"""A model whose calls heed the state of its endpoint."""

import asyncio
from collections.abc import Callable, Sequence

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.rollout.breaker import CircuitBreaker

OUTAGES_OF_A_CALL = 3
"""After so many outages a call is not sent again by itself: it may be what brings the endpoint down."""


class GuardedModel:
    """A model behind a circuit breaker: what an outage took is sent again when the endpoint is back.

    A failure that no other call can escape (a refused key) ends the run: it and all later calls raise PalestraError,
    whose fix comes from `advice`, by the failure's code.
    """

    def __init__(self, model: Model, breaker: CircuitBreaker, advice: Callable[[str], str | None]) -> None:
        self.model = model
        self.breaker = breaker
        self.advice = advice

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
        breaker = self.breaker
        outages = set[int]()
        while True:
            is_probe = await breaker.enter()
            try:
                began = asyncio.get_running_loop().time()
                try:
                    reply = await self.model.respond(items, tools, sampling, trace)
                finally:
                    breaker.leave(is_probe=is_probe)
                breaker.answered(asyncio.get_running_loop().time() - began)
                return reply
            except Failure as failure:
                if failure.fatal:
                    breaker.condemn(PalestraError(failure.code, failure.message, fix=self.advice(failure.code)))
                    breaker.require_hope()
                breaker.failed(failure)
                if not breaker.is_open or not failure.retryable:
                    raise
                outages.add(breaker.openings)
                if len(outages) > OUTAGES_OF_A_CALL:
                    raise

    async def close(self) -> None:
        await self.model.close()
