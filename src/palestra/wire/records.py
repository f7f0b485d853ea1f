"""The `palestra` object of a run's lines as models: what is known of a rollout beyond NeMo Gym's fields."""

from typing import Any

from pydantic import ConfigDict, Field

from palestra.core.errors import Boundary
from palestra.wire.items import Described

HEX_32 = r"^[0-9a-f]{32}$"


class Identified(Described):
    """What every line of a run says about which rollout it is."""

    key: str = Field(pattern=HEX_32, examples=["7e2d46c2776317c033ab76767e1e5c31"])
    """The identity of the rollout: a hash of environment, task and repeat."""
    environment: str = Field(examples=["mcqa"])
    """The environment that judged it."""
    task_hash: str = Field(pattern=HEX_32, examples=["da6de368ad0564e94c3c8a382201b761"])
    """The identity of the task: a hash of its content."""


class Timing(Described):
    """Seconds spent at each boundary, to the microsecond."""

    open_s: float = Field(ge=0)
    """Opening the episode: `setup`, prompt and tools."""
    model_s: float = Field(ge=0)
    """Waiting for the model, retries included."""
    step_s: float = Field(ge=0)
    """The environment's steps: tools, and what it answers."""
    verify_s: float = Field(ge=0)
    """Judging."""
    total_s: float = Field(ge=0)
    """From start to verdict or failure."""


class Usage(Described):
    """Tokens as the backend counted them, summed over the calls of the rollout."""

    input_tokens: int = Field(ge=0)
    """Tokens read."""
    output_tokens: int = Field(ge=0)
    """Tokens written."""
    cached_tokens: int = Field(default=0, ge=0)
    """Of the tokens read, those that came from a cache."""
    reasoning_tokens: int = Field(default=0, ge=0)
    """Of the tokens written, those that were reasoning."""


class ModelCallRecord(Described):
    """One call of the model."""

    items: tuple[int, int] = Field(examples=[[0, 2]])
    """Which items of `response.output` it wrote: the first, and the one behind the last."""
    input_tokens: int = Field(ge=0)
    """Tokens read."""
    output_tokens: int = Field(ge=0)
    """Tokens written."""
    stop_reason: str = Field(examples=["stop"])
    """Why it stopped: `stop`, `tool_calls`, `max_output_tokens` or `content_filter`."""
    generation_start: int | None = Field(default=None, ge=0)
    """Where in `palestra.tokens` what it wrote begins; absent if the model does not know its tokens."""


class Tokens(Described):
    """Token ids of the whole rollout, once. The three lists have the same length."""

    ids: list[int]
    """Prompt, replies and tool outputs, in order."""
    logprobs: list[float]
    """The natural log-probability of each token the model wrote, at temperature 1; 0 for those it read."""
    mask: list[int]
    """1 where the model wrote the token, 0 where it read it."""


class RunRecord(Identified):
    """What a line of a run says beyond NeMo Gym's fields."""

    version: int = Field(ge=1, examples=[1])
    """Of this object's format."""
    task: dict[str, Any]
    """The row's other fields, as they were."""
    seed: int = Field(ge=0, lt=2**31)
    """The seed of this rollout's environment and sampling."""
    fingerprint: str = Field(examples=["5cefee07422ba38b"])
    """A hash of environment version, options, model, agent and sampling: rollouts that may be mixed share it."""
    sandbox: str | None = Field(default=None, examples=["namespaces"])
    """The boundary in which the rollout's untrusted code ran: `namespaces`, `landlock` or `weak`."""
    started_at: float = Field(examples=[1795533488.227])
    """Unix time, in seconds."""
    timing: Timing
    """Where the time went."""
    crc32: str | None = Field(default=None, pattern=r"^[0-9a-f]{8}$", examples=["0badcafe"])
    """CRC-32 of all bytes of the line before this field, which is the last; `palestra fsck` compares it."""


class RolloutRecord(RunRecord):
    """The `palestra` object of a judged rollout."""

    end_reason: str = Field(examples=["done"])
    """Why the conversation ended: `done`, `max_output_tokens`, `content_filter`, `max_steps`, `max_rollout_tokens` or
    `time_limit`."""
    reason: str | None = None
    """Why the verdict is what it is, in words."""
    components: list[str] | None = None
    """The names of the top-level fields that are weighted parts of the reward and sum to it."""
    shaping: list[str] | None = Field(default=None, examples=[["group", "clip=-2,2"]])
    """The steps of `palestra shape` that made `reward`, in order; `raw_reward` is what the verifier gave."""
    step_rewards: list[float] | None = None
    """The reward of each step, from environments that judge as they go."""
    calls: list[ModelCallRecord]
    """One entry for each call of the model, in order."""
    usage: Usage
    """Tokens read and written."""
    warnings: list[str] | None = None
    """What did not stop the rollout but should be known, such as a `close` that raised."""
    tokens: Tokens | None = None
    """Token ids and log-probabilities, from backends that know them."""


class FailureReport(Described):
    """What broke."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    boundary: Boundary
    """Where it broke."""
    failure_class: str = Field(alias="class", examples=["model-timeout"])
    """A code of the error registry."""
    message: str
    """What was wrong, with which value; at most 4,000 characters."""
    attempt: int = Field(ge=1)
    """Which try this was, from 1, counted over resumes."""
    traceback: str | None = None
    """Where an environment's or verifier's own code raised."""


class FailureRecord(RunRecord):
    """The `palestra` object of a failed rollout."""

    failure: FailureReport
    """What broke."""


class MaterializedRecord(Identified):
    """The `palestra` object of a materialized input."""

    crc32: str | None = Field(default=None, pattern=r"^[0-9a-f]{8}$", examples=["0badcafe"])
    """CRC-32 of all bytes of the line before this field, which is the last."""
