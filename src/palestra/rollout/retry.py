"""Retries of model calls: bounded, spread out, and as patient as the endpoint asks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from palestra.core.errors import Failure
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try a failed call again."""

    max_tries: int = 5
    first_delay_s: float = 0.5
    """The delay before the second try is drawn from [half of this, this]; it doubles with each try."""
    max_delay_s: float = 60.0
    max_total_s: float = 600.0
    """No try starts later than this after the first."""

    def delay_s(self, tries: int, failure: Failure, random: Random) -> float:
        """Seconds to wait after `tries` failed tries: exponential with jitter, at least what Retry-After says."""
        ceiling = min(self.first_delay_s * 2 ** (tries - 1), self.max_delay_s)
        own = ceiling * (0.5 + random.random() / 2)
        if failure.retry_after_s is None:
            return own
        # Everyone is told the same Retry-After; without jitter on top they would all come back at once.
        return failure.retry_after_s + random.random() * min(ceiling, 1.0 + failure.retry_after_s)


class RetryingModel:
    """A model whose retryable failures are tried again."""

    def __init__(self, model: Model, policy: RetryPolicy, random: Random) -> None:
        self.model = model
        self.policy = policy
        self.random = random

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
        clock = asyncio.get_running_loop().time
        began = clock()
        tries = 0
        while True:
            tries += 1
            try:
                return await self.model.respond(items, tools, sampling, trace)
            except Failure as failure:
                delay_s = self.policy.delay_s(tries, failure, self.random)
                late = clock() - began + delay_s > self.policy.max_total_s
                if not failure.retryable or tries >= self.policy.max_tries or late:
                    failure.message += f" (tried {tries} times)" if tries > 1 else ""
                    raise
                await asyncio.sleep(delay_s)

    async def close(self) -> None:
        await self.model.close()
