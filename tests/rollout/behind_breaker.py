"""An endpoint in virtual time behind the same wrappers as in a run, and workers that call it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from palestra import Failure, Model, Reply, Sampling
from palestra.core.errors import PalestraError
from palestra.rollout.adaptive import AdaptiveLimit, AdaptiveModel
from palestra.rollout.breaker import BreakerPolicy, CircuitBreaker
from palestra.rollout.budget import RetryBudget
from palestra.rollout.guard import GuardedModel
from palestra.rollout.retry import RetryingModel, RetryPolicy

REPLY = Reply((), "stop", "m")

CODES = {
    "refused": "model-unreachable",
    "500": "model-server-error",
    "hang": "model-timeout",
    "429": "model-rate-limited",
    "garbage": "model-bad-reply",
}


@dataclass
class Server:
    """Answers after `latency_s`, or fails as `fault` says for the moment and the number of the call."""

    fault: Callable[[float, int], str | Failure | None]
    latency_s: float = 1.0
    timeout_s: float = 60.0
    capacity: int = 10**9
    name: str = "server"
    sent: list[tuple[float, Any]] = field(default_factory=list[tuple[float, Any]])
    """When a call arrived, and from whom."""
    at_once: int = 0
    most_at_once: int = 0

    async def respond(self, items: Any, *_: Any, **__: Any) -> Reply:
        now = asyncio.get_running_loop().time()
        self.sent.append((now, items))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            fault = self.fault(now, len(self.sent) - 1) or ("429" if self.at_once > self.capacity else None)
            if isinstance(fault, Failure):
                raise fault
            if fault == "hang":
                await asyncio.sleep(self.timeout_s)
            if fault is not None:
                raise Failure("model", f"it said {fault}", code=CODES[fault], retryable=True)
            await asyncio.sleep(self.latency_s)
            return REPLY
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        return

    def between(self, start: float, end: float) -> int:
        """Calls that arrived in [start, end)."""
        return sum(start <= when < end for when, _ in self.sent)


@dataclass
class Place:
    """What a run puts around an endpoint, and what came of it."""

    server: Server
    patience_s: float = 600.0
    limit: AdaptiveLimit | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    told: list[str] = field(default_factory=list[str])
    replies: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    error: PalestraError | None = None

    def __post_init__(self) -> None:
        policy = BreakerPolicy(patience_s=self.patience_s)
        self.breaker = CircuitBreaker("http://e/v1", policy, self.told.append, random=Random(1))
        self.budget = RetryBudget()
        self.model = self.wrapped(self.server)

    def wrapped(self, server: Any) -> RetryingModel:
        model: Model = GuardedModel(server, self.breaker, lambda code: f"mend {code}")
        if self.limit is not None:
            model = AdaptiveModel(model, self.limit)
        return RetryingModel(model, self.policy, Random(2), self.breaker, self.budget)

    async def work(self, workers: int, calls: int) -> None:
        """So many calls by so many workers, each one call at a time, as rollouts make them."""
        numbers = iter(range(calls))
        self.budget.most = float(max(workers, 64))

        async def worker() -> None:
            for number in numbers:
                try:
                    await self.model.respond(number, [], Sampling())  # pyright: ignore[reportArgumentType]
                    self.replies += 1
                except Failure as failure:
                    self.failures.append(failure)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(worker())
        except* PalestraError as errors:
            self.error = next(error for error in errors.exceptions if isinstance(error, PalestraError))

    @property
    def retries(self) -> list[float]:
        """When a call arrived that had arrived before."""
        seen = set[Any]()
        return [when for when, who in self.server.sent if who in seen or seen.add(who)]


def down(start: float, end: float, kind: str = "refused") -> Callable[[float, int], str | None]:
    """The endpoint is gone from one moment to another."""
    return lambda now, number: kind if start <= now < end else None


def sometimes(share: float, *kinds: str | Failure, seed: int = 0) -> Callable[[float, int], str | Failure | None]:
    """Faults by the number of the call."""

    def fault(now: float, number: int) -> str | Failure | None:
        random = Random(f"{seed} {number}")
        return random.choice(kinds) if random.random() < share else None

    return fault
