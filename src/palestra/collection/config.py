"""Everything one `collect` is told, in one frozen model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from palestra.core.model import Sampling
from palestra.core.sandbox import SandboxPolicy

EVERY_ENVIRONMENT = "*"
"""The key of settings that hold for all environments of a run."""


class ModelChoice(BaseModel):
    """A model and where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: str = Field(examples=["openai:gpt-4.1-mini"])
    """`openai:NAME`, `vllm:NAME`, `embedded`, `scripted:FILE` or `replay:FILE`."""
    base_url: str | None = Field(default=None, examples=["http://127.0.0.1:8000/v1"])
    """Where an OpenAI-compatible endpoint is, usually ending in /v1; without it the backend's usual address."""
    api_key_env: str = Field(default="OPENAI_API_KEY", examples=["MY_API_KEY"])
    """The environment variable that holds the API key; the key itself is never configured."""
    api: Literal["auto", "responses", "chat"] = Field(default="auto", examples=["chat"])
    """Which API the endpoint speaks; `auto` finds out with the first call."""
    call_timeout_s: float = Field(default=600.0, gt=0, examples=[120.0])
    """A model call that takes longer fails with `model-timeout`."""
    max_tries: int = Field(default=5, ge=1, examples=[3])
    """Tries of one model call, the first included."""
    first_delay_s: float = Field(default=0.5, gt=0, examples=[1.0])
    """The longest wait before the second try of a call; it doubles with each further one."""


class SamplingChoice(BaseModel):
    """Sampling set for a run; it overrides what rows say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float | None = Field(default=None, ge=0, le=2, examples=[0.7])
    """0 is greedy, at most 2."""
    top_p: float | None = Field(default=None, gt=0, le=1, examples=[0.95])
    """The share of the probability mass that is sampled from, in (0, 1]."""
    max_output_tokens: int | None = Field(default=None, ge=1, examples=[1024])
    """Tokens of one reply, not of the whole rollout."""

    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.max_output_tokens)


class CollectConfig(BaseModel):
    """What to collect, from which model, how, and where to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environments: tuple[str, ...] = Field(min_length=1, examples=[["mcqa", "./letter_count"]])
    """Names, folders or module:Class."""
    output: Path = Field(examples=["rollouts.jsonl"])
    """The rollouts file; failures, inputs and metrics are written beside it."""
    model: ModelChoice = Field(examples=[{"spec": "embedded"}])
    """The model that plays."""
    roles: dict[str, ModelChoice] = Field(
        default_factory=dict,
        examples=[{"judge": {"spec": "openai:gpt-4.1-mini", "base_url": "https://api.openai.com/v1"}}],
    )
    """Further models by the role that environments know them by, such as a judge."""
    input: Path | None = Field(default=None, examples=["tasks.jsonl"])
    """Rows to play; without it the environments' own tasks."""
    split: str | None = Field(default=None, examples=["example"])
    """A split of the environments' own tasks: `train` is their train.jsonl, `example` the first of tasks.jsonl."""
    generate: int | None = Field(default=None, ge=1, examples=[100])
    """So many tasks from each environment's generator instead."""
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, examples=[{"mcqa": {"grading_mode": "lenient_boxed"}}]
    )
    """Options by environment name, or for all of them under `*`."""
    sampling: dict[str, SamplingChoice] = Field(default_factory=dict, examples=[{"*": {"temperature": 0.7}}])
    """Sampling by environment name, or for all of them under `*`; it overrides what rows say."""
    host_url: str | None = Field(default=None, examples=["http://127.0.0.1:12000"])
    """A NeMo Gym resources server that runs the environment, instead of this process."""
    sandbox: SandboxPolicy = Field(default="strong", examples=["weak"])
    """The boundary around code that environments run for a model: `strong` refuses to start without one, `weak` does
    with limits alone and is recorded as such."""
    agent: str | None = Field(default=None, examples=["tool_loop"])
    """The loop between model and environment: `tool_loop`, which NeMo Gym calls `simple_agent`, `latest_state_loop`,
    which hides earlier states of an environment that repeats its state, or `mini_swe_agent`; without it the one that
    the environment names."""
    max_steps: int | None = Field(default=100, ge=1, examples=[20])
    """Model calls in one rollout; what was said until then is judged."""
    max_rollout_tokens: int | None = Field(default=None, ge=1, examples=[8192])
    """Tokens the model may write in one rollout, checked between calls; what was said until then is judged."""
    time_limit_s: float | None = Field(default=None, gt=0, examples=[300.0])
    """Seconds of one rollout, checked between calls; what was said until then is judged."""
    repeats: int = Field(default=1, ge=1, examples=[4])
    """Rollouts of each task."""
    limit: int | None = Field(default=None, ge=1, examples=[16])
    """The first so many rows of the input, or of each environment."""
    concurrency: int | Literal["auto"] = Field(default=64, examples=["auto"])
    """Rollouts at work at the same time; `auto` finds what the endpoint bears."""
    seed: int = Field(default=0, ge=0, lt=2**31, examples=[7])
    """Decides generated tasks, the environments' random choices and sampling."""
    rollout_timeout_s: float = Field(default=1800.0, gt=0, examples=[600.0])
    """A rollout that takes longer fails with `rollout-timeout`."""
    run_timeout_s: float | None = Field(default=None, gt=0, examples=[3600.0])
    """The run stops cleanly after this; `resume` continues it."""
    disk_patience_s: float = Field(default=3600.0, ge=0, examples=[600.0])
    """How long a run waits for a disk that takes nothing more, before it ends."""
    endpoint_patience_s: float = Field(default=600.0, gt=0, examples=[60.0])
    """How long an endpoint that answers nothing is waited for, before the run stops."""
    attempts: int = Field(default=3, ge=1, le=63, examples=[5])
    """How often a rollout is tried, counted over resumes."""
    max_failure_rate: float = Field(default=0.1, ge=0, le=1, examples=[0.02])
    """If a larger share of the rollouts fails, the run's exit code is 1."""
    resume: bool = Field(default=False, examples=[True])
    """Continue the output where it stopped."""
    fork: bool = Field(default=False, examples=[True])
    """Leave an existing output alone and write beside it."""

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
