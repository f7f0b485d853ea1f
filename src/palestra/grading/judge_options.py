"""The options of every environment that asks a judge, and what its episodes share."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from palestra.core.environment import Options
from palestra.core.model import Sampling
from palestra.grading.judge_cache import JudgeCache
from palestra.grading.judge_prompt import JudgePrompt, equivalence
from palestra.grading.judge_protocol import Choice, ProtocolName

OVERWRITTEN = frozenset({"input", "model", "tools"})
"""Parameters that a judge call has of its own."""


class JudgeParameters(BaseModel):
    """Parameters of each judge call; further ones go to backends that know them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, ge=1)

    def given(self) -> dict[str, Any]:
        """What was set, by name."""
        return {
            name: value
            for name, value in self.model_dump(mode="json", exclude_none=True).items()
            if name not in OVERWRITTEN
        }

    def sampling(self, seed: int) -> Sampling:
        own = {"temperature", "top_p", "max_output_tokens"}
        extra = {name: value for name, value in self.given().items() if name not in own}
        return Sampling(self.temperature, self.top_p, self.max_output_tokens, seed, extra)


class JudgeOptions(Options):
    """How a judge is asked."""

    judge_protocol: ProtocolName = "json"
    """`json`: the judge ends with a JSON field whose name is new for each call. `bracket`: NeMo Gym's fixed labels."""
    judge_roles: tuple[str, ...] = Field(default=("judge",), min_length=1)
    """Models that vote, each named with --role; the majority counts, and a tie is not enough."""
    judge_samples: int = Field(default=1, ge=1, le=101)
    """Votes of each of them; more than one needs a temperature above 0."""
    judge_responses_create_params: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Parameters of the judge calls, such as `{"temperature": 0, "max_output_tokens": 1024}`."""
    judge_max_tries: int = Field(default=3, ge=1, le=20)
    """Replies that are asked for until one holds a readable verdict; then the rollout fails."""
    judge_answer_limit: int = Field(default=32_000, ge=100)
    """Characters of an answer that the judge is shown; the middle of a longer one is left out."""
    judge_endpoint_max_concurrency: int | None = Field(default=64, ge=1)
    """Judge calls of this environment at the same time; null for no limit."""
    judge_cache: str | None = None
    """A folder that keeps readable replies, so that the same question is asked once; several runs may share it."""
    compatible: bool = False
    """Judge as loosely as NeMo Gym does: fixed labels, of which the first one in the judge's reply counts."""

    @field_validator("judge_responses_create_params")
    @classmethod
    def known(cls, value: dict[str, Any]) -> dict[str, Any]:
        JudgeParameters.model_validate(value)
        return value

    @property
    def parameters(self) -> JudgeParameters:
        """`judge_responses_create_params`, read."""
        return JudgeParameters.model_validate(self.judge_responses_create_params)

    @property
    def asks_judge(self) -> bool:
        """Whether a judge is needed at all."""
        return True

    def prompt(self) -> JudgePrompt:
        """What the judge is asked. Raises ValueError for a template that cannot be used."""
        raise NotImplementedError(f"{type(self).__qualname__} has no prompt()")

    def verdicts(self) -> tuple[Choice, ...]:
        """The verdicts that it may give on two answers."""
        return equivalence()


@dataclass
class JudgeResources:
    """What the episodes of a host share."""

    slots: asyncio.Semaphore | None = None
    cache: JudgeCache | None = None


@asynccontextmanager
async def judge_resources(options: JudgeOptions) -> AsyncGenerator[JudgeResources]:
    """For an environment's `shared`: the bound on judge calls and the cache. Raises PalestraError for a bad folder."""
    limit = options.judge_endpoint_max_concurrency
    cache = None if options.judge_cache is None else JudgeCache(Path(options.judge_cache))
    try:
        yield JudgeResources(None if limit is None else asyncio.Semaphore(limit), cache)
    finally:
        if cache is not None:
            cache.close()
