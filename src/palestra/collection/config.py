"""Everything one `collect` is told, in one frozen model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palestra.core.model import Sampling

EVERY_ENVIRONMENT = "*"
"""The key of settings that hold for all environments of a run."""


class ModelChoice(BaseModel):
    """A model and where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: str
    """`openai:NAME`, `vllm:NAME`, `embedded`, `scripted:FILE` or `replay:FILE`."""
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the API key; the key itself is never configured."""
    api: Literal["auto", "responses", "chat"] = "auto"
    call_timeout_s: float = Field(default=600.0, gt=0)
    max_tries: int = Field(default=5, ge=1)
    first_delay_s: float = Field(default=0.5, gt=0)
    """The longest wait before the second try of a call; it doubles with each further one."""


class SamplingChoice(BaseModel):
    """Sampling set for a run; it overrides what rows say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, ge=1)

    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.max_output_tokens)


class CollectConfig(BaseModel):
    """What to collect, from which model, how, and where to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environments: tuple[str, ...] = Field(min_length=1)
    """Names, folders or module:Class."""
    output: Path
    model: ModelChoice
    roles: dict[str, ModelChoice] = Field(default_factory=dict)
    input: Path | None = None
    """Rows to play; without it the environments' own tasks."""
    split: str | None = None
    generate: int | None = Field(default=None, ge=1)
    """So many tasks from each environment's generator instead."""
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Options by environment name, or for all of them under `*`."""
    sampling: dict[str, SamplingChoice] = Field(default_factory=dict)
    """Sampling by environment name, or for all of them under `*`."""
    host_url: str | None = None
    """A NeMo Gym resources server that runs the environment, instead of this process."""
    agent: str | None = None
    max_steps: int | None = Field(default=100, ge=1)
    max_rollout_tokens: int | None = Field(default=None, ge=1)
    time_limit_s: float | None = Field(default=None, gt=0)
    repeats: int = Field(default=1, ge=1)
    limit: int | None = Field(default=None, ge=1)
    """The first so many rows of the input, or of each environment."""
    concurrency: int | Literal["auto"] = 64
    seed: int = Field(default=0, ge=0, lt=2**31)
    rollout_timeout_s: float = Field(default=1800.0, gt=0)
    run_timeout_s: float | None = Field(default=None, gt=0)
    disk_patience_s: float = Field(default=3600.0, ge=0)
    """How long a run waits for a disk that takes nothing more, before it ends."""
    endpoint_patience_s: float = Field(default=600.0, gt=0)
    """How long an endpoint that answers nothing is waited for, before the run stops."""
    attempts: int = Field(default=3, ge=1, le=63)
    """How often a rollout is tried, counted over resumes."""
    max_failure_rate: float = Field(default=0.1, ge=0, le=1)
    resume: bool = False
    fork: bool = False

    @model_validator(mode="after")
    def consistent(self) -> "CollectConfig":
        chosen = [name for name in ("input", "split", "generate") if getattr(self, name) is not None]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} exclude each other: each says where the tasks come from")
        if self.resume and self.fork:
            raise ValueError("resume and fork exclude each other")
        if self.concurrency != "auto" and self.concurrency < 1:
            raise ValueError(f"concurrency must be at least 1 or auto, got {self.concurrency}")
        return self

    def options_of(self, environment: str) -> dict[str, Any]:
        return {**self.options.get(EVERY_ENVIRONMENT, {}), **self.options.get(environment, {})}

    def sampling_of(self, environment: str) -> Sampling:
        merged: Mapping[str, Any] = {
            **self.sampling.get(EVERY_ENVIRONMENT, SamplingChoice()).model_dump(exclude_none=True),
            **self.sampling.get(environment, SamplingChoice()).model_dump(exclude_none=True),
        }
        return SamplingChoice(**merged).sampling()
