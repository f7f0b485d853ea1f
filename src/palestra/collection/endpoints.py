"""The endpoints of a run: what all models behind one share, and a model put together with it."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from palestra.collection.config import ModelChoice
from palestra.core.errors import PalestraError
from palestra.core.model import Model
from palestra.models.openai import OpenAIModel
from palestra.rollout.adaptive import AdaptiveLimit, AdaptiveModel
from palestra.rollout.breaker import BreakerPolicy, CircuitBreaker
from palestra.rollout.budget import RetryBudget
from palestra.rollout.guard import GuardedModel
from palestra.rollout.retry import RetryingModel, RetryPolicy

LEAST_BURST = 64
"""Retries that may come together, and calls that outages may take, also where few are under way at a time."""

DEFAULT_BASE_URL = "https://api.openai.com/v1"


@dataclass
class Shared:
    """What all calls to one endpoint have in common."""

    breaker: CircuitBreaker
    budget: RetryBudget
    limit: AdaptiveLimit | None


@dataclass
class Endpoints:
    """Models of OpenAI-compatible endpoints; those behind the same base URL pause, retry and adapt together."""

    patience_s: float = 600.0
    """How long an endpoint that answers nothing is waited for."""
    max_concurrency: int = 64
    is_adaptive: bool = False
    """How many calls are under way follows what the endpoint can take."""
    tell: Callable[[str], None] = lambda text: None
    """Gets a line for people when an endpoint stops answering and when it is back."""
    stop: Callable[[str], None] = lambda reason: None
    """Called when an endpoint is given up, or refuses all calls, with what to mend."""
    shared: dict[str, Shared] = field(default_factory=dict[str, Shared])

    def model(self, choice: ModelChoice, name: str) -> Model:
        """The model `name` as `choice` says, between the calls and the endpoint all that keeps a run from harm."""
        token_ids = choice.spec.startswith("vllm:")
        if token_ids and choice.base_url is None:
            raise PalestraError("usage", f"{choice.spec!r} needs the address of the server", fix="Add --base-url URL.")
        bare = OpenAIModel(
            name,
            base_url=choice.base_url or DEFAULT_BASE_URL,
            api_key=os.environ.get(choice.api_key_env),
            api="chat" if token_ids else choice.api,
            call_timeout_s=choice.call_timeout_s,
            token_ids=token_ids,
        )
        shared = self.of(bare.url)
        # A paused call keeps its slot, so that as many go out after an outage as before it. A call between two tries
        # has none.
        model: Model = GuardedModel(bare, shared.breaker, lambda code: advice(choice, bare.url, code))
        if shared.limit is not None:
            model = AdaptiveModel(model, shared.limit)
        policy = RetryPolicy(max_tries=choice.max_tries, first_delay_s=choice.first_delay_s)
        return RetryingModel(model, policy, Random(), shared.breaker, shared.budget)

    def of(self, url: str) -> Shared:
        """What the calls to one base URL share."""
        if url not in self.shared:
            self.shared[url] = Shared(
                CircuitBreaker(url, BreakerPolicy(patience_s=self.patience_s), self.announce, self.give_up),
                RetryBudget(most=float(max(self.max_concurrency, LEAST_BURST))),
                AdaptiveLimit(maximum=self.max_concurrency) if self.is_adaptive else None,
            )
        return self.shared[url]

    def announce(self, text: str) -> None:
        self.tell(text)

    def give_up(self, error: PalestraError) -> None:
        self.stop(f"{error.message.rstrip('.')}. {error.fix}".removesuffix("."))

    @contextmanager
    def heeded(self, tell: Callable[[str], None], stop: Callable[[str], None]) -> Generator[None]:
        """Let the run in the block know of its endpoints, and end it quietly when one of them is given up.

        What was under way then leaves no line, so that it is owed again; what is stored still gets its report.
        """
        self.tell, self.stop = tell, stop
        try:
            yield
        except PalestraError as error:
            given_up = [shared.breaker.condemned for shared in self.shared.values()]
            if error.code not in {known.code for known in given_up if known is not None}:
                raise


def advice(choice: ModelChoice, url: str, code: str) -> str | None:
    """What to mend when the endpoint refuses every call; None if the error's own fix says it."""
    name = choice.spec.partition(":")[2]
    if code == "model-unauthorized":
        state = "holds a key that it refuses" if os.environ.get(choice.api_key_env) else "is not set"
        return f"Set the environment variable {choice.api_key_env}, which {state}, to a key that is valid at {url}."
    if code == "model-not-found":
        return f"Check the base URL {url} (it usually ends in /v1) and the model name {name!r}."
    if code in ("model-rate-limited", "model-rejected-request"):
        return f"Add credit to the account of the key in {choice.api_key_env}, or use another key."
    return None
