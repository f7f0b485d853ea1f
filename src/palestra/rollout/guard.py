"""A model whose calls heed the state of its endpoint."""

import asyncio
from collections.abc import Callable, Sequence

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.rollout.breaker import CircuitBreaker


class GuardedModel:
    """A model behind a circuit breaker: while its endpoint is gone, calls wait, and a probe that fails waits again.

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
        while True:
            is_probe = False if breaker.let_in() else await breaker.enter()
            try:
                loop = asyncio.get_running_loop()
                began = loop.time()
                try:
                    reply = await self.model.respond(items, tools, sampling, trace)
                finally:
                    breaker.leave(is_probe=is_probe)
                breaker.answered(loop.time() - began)
                return reply
            except Failure as failure:
                if failure.fatal:
                    breaker.condemn(PalestraError(failure.code, failure.message, fix=self.advice(failure.code)))
                    breaker.require_hope()
                breaker.failed(failure)
                if not (is_probe and breaker.is_open and failure.retryable):
                    raise

    async def close(self) -> None:
        await self.model.close()
