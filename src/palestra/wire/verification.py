"""What a resources server is sent and what it answers: the bodies of /seed_session and /verify."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from palestra.core.session import Step
from palestra.core.verdict import Verdict
from palestra.wire.items import Response
from palestra.wire.response import BLANK
from palestra.wire.rows import FAILURE_CLASS, OPTIONAL_PARAMS, PARAMS

COMPONENTS = "reward_components"
REASON = "palestra_reason"
"""The reason of a verdict, in words; no field of NeMo Gym's."""
ENV_ID = "env_id"
"""What clients of an environment that steps by itself name their episode by."""
SEED_HEADER = "x-palestra-seed"
"""The seed of an episode that is opened, for rollouts that can be made again."""
OWN_PROMPT_HEADER = "x-palestra-own-prompt"
"""Set where the prompt of a row is the environment's own: it may read replies to that one by another rule."""
FAILURE_HEADER = "x-palestra-failure"
"""On an answer that is an error: `boundary/code` of the Failure it was."""
VERSION_HEADER = "x-palestra"
"""On each answer of an environment server of this project: the version of what it says beyond NeMo Gym's protocol."""
PROTOCOL_VERSION = "1"
JUDGE_FAILED = "judge_failed"
JUDGE_ERROR = "_ng_failure_judge_error"

NULLS = MappingProxyType({**dict.fromkeys(BLANK), "parallel_tool_calls": True, "tool_choice": "auto", "tools": ()})


class CreateParams(BaseModel):
    """`responses_create_params`, to the names; a server of NeMo Gym refuses all others."""

    model_config = ConfigDict(extra="forbid")

    input: str | list[dict[str, Any]]
    background: bool | None = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    top_logprobs: int | None = None
    metadata: dict[str, str] | None = None
    model: str | None = None
    previous_response_id: str | None = None
    user: str | None = None
    parallel_tool_calls: bool = True
    prompt: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority"] | None = None
    store: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = Field(default_factory=list)
    truncation: Literal["auto", "disabled"] | None = None
    stream: Literal[False] | None = None


class Body(BaseModel):
    """A row: what else it holds is the environment's."""

    model_config = ConfigDict(extra="allow")


class SeedBody(Body):
    """A row, or as much of one as the client has."""

    responses_create_params: CreateParams | None = None


class RunBody(Body):
    """A row to be played."""

    responses_create_params: CreateParams


class VerifyBody(RunBody):
    """A row with the response of the whole conversation."""

    response: Response


SEED_BODY = TypeAdapter(SeedBody)
RUN_BODY = TypeAdapter(RunBody)
VERIFY_BODY = TypeAdapter(VerifyBody)
PARAMS_BODY = TypeAdapter(CreateParams)


def problems_of(body: Any, kind: TypeAdapter[Any]) -> list[dict[str, Any]]:
    """What is wrong with a body, as the `detail` of a 422; empty if nothing is."""
    try:
        kind.validate_python(body)
    except ValidationError as error:
        return details(error)
    return []


def details(error: ValidationError) -> list[dict[str, Any]]:
    """The entries of a validation error as FastAPI writes them: `{"type", "loc": ["body", ...], "msg", "input"}`."""
    entries = error.errors(include_url=False, include_context=False)
    return [{**entry, "loc": ["body", *entry["loc"]]} for entry in entries]


def with_defaults(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with all fields of its `responses_create_params` written out; servers may read any of them."""
    own = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": list[Any](), **row[PARAMS]}
    return {**row, PARAMS: {**dict.fromkeys(OPTIONAL_PARAMS), **own}}


def judged_body(body: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The answer to /verify: what was judged, the reward, and what explains it.

    As on NeMo Gym's servers the row's own fields are not repeated.
    """
    answer: dict[str, Any] = {
        PARAMS: with_defaults(body)[PARAMS],
        "response": {**NULLS, **body["response"]},
        "reward": verdict.reward,
        **verdict.components,
        **verdict.metrics,
    }
    if verdict.components:
        answer[COMPONENTS] = dict(verdict.components)
    if verdict.reason is not None:
        answer[REASON] = verdict.reason
    return answer


def judge_failed_body(body: Mapping[str, Any], message: str) -> dict[str, Any]:
    """The answer to /verify when the judge broke: NeMo Gym's clients know such a row by its failure class.

    They read the reward as missing, whatever it is.
    """
    return {**with_defaults(body), "reward": 0.0, FAILURE_CLASS: JUDGE_FAILED, JUDGE_ERROR: message}


def stepped_body(step: Step) -> dict[str, Any]:
    """The answer to /step, as NeMo Gym's aviary server gives it; `has_reward` is false where the 0 stands for none."""
    reward = 0.0 if step.reward is None else step.reward
    return {"obs": list(step.items), "reward": reward, "done": step.done, "has_reward": step.reward is not None}
