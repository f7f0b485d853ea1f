"""Retries of model calls: bounded, spread out, and as patient as the endpoint asks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from palestra.core.errors import Failure
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.rollout.breaker import CircuitBreaker
from palestra.rollout.budget import RetryBudget


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try a failed call again."""

    max_tries: int = 5
    first_delay_s: float = 0.5
    """The delay before the second try is drawn from [half of this, this]; it doubles with each try."""
    max_delay_s: float = 60.0
    max_wait_s: float = 600.0
    """Seconds that a call may wait between all its tries; how long a try takes is bounded elsewhere."""

    def delay_s(self, tries: int, failure: Failure, random: Random) -> float:
        """Seconds to wait after `tries` failed tries: exponential with jitter, at least what Retry-After says."""
        ceiling = min(self.first_delay_s * 2 ** (tries - 1), self.max_delay_s)
        own = ceiling * (0.5 + random.random() / 2)
        if failure.retry_after_s is None:
            return own
        # Everyone is told the same Retry-After; without jitter on top they would all come back at once.
        return failure.retry_after_s + random.random() * max(min(ceiling, 1.0), failure.retry_after_s / 2)


@dataclass(slots=True)
class Tries:
    """The tries of one call that failed."""

    count: int = 0
    """Without those that an outage took."""
    outages: int = 0
    waited_s: float = 0.0


@dataclass
class RetryingModel:
    """A model whose retryable failures are tried again, within a budget that the calls to its endpoint share.

    A try that an outage took does not count as one; its repetition may overdraw the budget, so that an outage costs no
    rollout, while an endpoint that goes and comes all the time is not asked for ever.
    """

    model: Model
    policy: RetryPolicy
    random: Random
    breaker: CircuitBreaker
    budget: RetryBudget = field(default_factory=RetryBudget)

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
        tries = Tries()
        ticket = self.breaker.expect()
        self.budget.begin()
        try:
            while True:
                openings = self.breaker.openings
                try:
                    return await self.model.respond(items, tools, sampling, trace)
                except Failure as failure:
                    if not await self.may_repeat(tries, failure, openings):
                        raise
        finally:
            self.budget.end()
            self.breaker.unexpect(ticket)

    async def may_repeat(self, tries: Tries, failure: Failure, openings: int) -> bool:
        """Wait before the next try of a call; False, at once or after that, if there is none to be.

        `openings` is how often the endpoint had gone when the try that failed began.
        """
        tries.count += 1
        delay_s = self.policy.delay_s(tries.count, failure, self.random)
        late = tries.waited_s + delay_s > self.policy.max_wait_s
        is_outage = self.breaker.openings > openings
        if not failure.retryable or ((tries.count >= self.policy.max_tries or late) and not is_outage):
            failure.message += f" (tried {tries.count} times)" if tries.count > 1 else ""
            return False
        await asyncio.sleep(delay_s)
        tries.waited_s += delay_s
        # It may have been the first sign of an outage.
        is_outage = self.breaker.openings > openings
        if is_outage and tries.outages < self.policy.max_tries and self.budget.borrow():
            tries.outages += 1
            tries.count -= 1
            tries.waited_s = 0.0
        elif tries.count >= self.policy.max_tries or not await self.granted(failure):
            failure.message += f" (tried {tries.count} times; too many calls fail to try all of them again)"
            return False
        return True

    async def granted(self, failure: Failure) -> bool:
        """Whether the budget allows another try."""
        if failure.code == "model-rate-limited" or failure.retry_after_s is not None:
            # The endpoint wants fewer calls: waiting gives it what it wants.
            return await self.budget.wait()
        return self.budget.take()

    async def close(self) -> None:
        await self.model.close()
