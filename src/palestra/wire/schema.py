"""The file formats as models: an input row, a rollout, a failure, a materialized input; their JSON Schemas are shipped.

A file may hold more than is said here: what a row carries and what a verifier measures stand beside these fields.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from palestra.core.model import Item
from palestra.core.tools import validation_text
from palestra.wire.items import AnyItem, AnyTool, Described, Response
from palestra.wire.records import FailureRecord, MaterializedRecord, RolloutRecord

SCHEMA_FOLDER = Path(__file__).parent / "schemas"


class AgentRef(Described):
    """Which agent plays a row; the name is `<environment>_simple_agent` unless the row says otherwise."""

    type: str = Field(default="responses_api_agents", examples=["responses_api_agents"])
    """Always `responses_api_agents` in files of NeMo Gym."""
    name: str = Field(examples=["mcqa_simple_agent"])
    """The agent's instance; without its suffix `_simple_agent` it names the environment."""


class CreateParams(Described):
    """What the model is asked, with which tools and how it samples: the parameters of the OpenAI Responses API."""

    input: str | list[AnyItem] = Field(examples=["What is 2 + 2?"])
    """The conversation so far. A string is one user message; rollouts always hold a list of items."""
    instructions: str | None = None
    """A system message put before the input."""
    tools: list[AnyTool] | None = None
    """The tools the model may call. A row that has `responses_create_params` brings its own, even none."""
    tool_choice: str | dict[str, Any] | None = Field(default=None, examples=["auto"])
    """`auto`, `none`, `required`, or one tool; passed on to endpoints that know it."""
    parallel_tool_calls: bool | None = None
    """Whether one reply may hold several calls; true if absent."""
    temperature: float | None = Field(default=None, ge=0, le=2, examples=[0.7])
    """0 is greedy. `--temperature` overrides it."""
    top_p: float | None = Field(default=None, ge=0, le=1, examples=[0.95])
    """Share of the probability mass that is sampled from. `--top-p` overrides it."""
    max_output_tokens: int | None = Field(default=None, ge=1, examples=[1024])
    """Tokens of one reply. `--max-output-tokens` overrides it."""
    max_tool_calls: int | None = None
    """Passed on to endpoints that know it."""
    reasoning: dict[str, Any] | None = Field(default=None, examples=[{"effort": "low"}])
    """How a reasoning model thinks, such as `effort`."""
    text: dict[str, Any] | None = None
    """The form of the answer, such as a JSON schema."""
    metadata: dict[str, Any] | None = None
    """Strings by name, returned as they are. NeMo Gym carries JSON for the endpoint in `extra_body`."""
    model: str | None = None
    """Ignored: the command line decides the model."""


class InputRow(Described):
    """One line of a task file. Every further field is the task's own: the verifier's answers, tags, an `id`."""

    responses_create_params: CreateParams | None = None
    """The prompt, if the row brings its own; otherwise the environment makes it from the task's fields."""
    agent_ref: AgentRef | None = None
    """Which agent plays the row. Without it, the environment named on the command line."""


class Placed(Described):
    """The fields that place a line within its run, as NeMo Gym names them."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    agent_ref: AgentRef | None = None
    """Which agent played it."""
    task_index: int | None = Field(default=None, alias="_ng_task_index", strict=True, ge=0)
    """The task's number in the run, from 0; equal rows share it."""
    rollout_index: int | None = Field(default=None, alias="_ng_rollout_index", strict=True, ge=0)
    """Which repeat of the task, from 0."""


class Rollout(Placed):
    """One judged rollout. Every further top-level field is a component or a metric of the verdict.

    Lines of other producers need only the first three fields.
    """

    responses_create_params: CreateParams
    """What the model was asked."""
    response: Response
    """What it said and what came back: the output of all turns in one Response object."""
    reward: float = Field(strict=True, allow_inf_nan=False, examples=[1.0])
    """The verdict. Usually 0 to 1; the environment's manifest states its range."""
    palestra: RolloutRecord | None = None
    """Everything else that is known of the rollout."""


class FailureLine(Placed):
    """One failed rollout: the row as it was, and what broke. It has no reward."""

    responses_create_params: CreateParams | None = None
    """The row's own, if it had any."""
    failure_class: str = Field(alias="_ng_failure_class", examples=["model-timeout"])
    """A code of the error registry."""
    attempt_index: int = Field(alias="_ng_attempt_index", strict=True, ge=0)
    """Which try this was, from 0."""
    palestra: FailureRecord | None = None
    """What broke, and what is known of the rollout."""


class MaterializedInput(Placed):
    """A row exactly as it was dispatched, with the prompt and tools the environment made for it."""

    responses_create_params: CreateParams
    """What the model is asked."""
    palestra: MaterializedRecord | None = None
    """Which rollout it belongs to."""


FORMATS: MappingProxyType[str, type[Described]] = MappingProxyType(
    {"input_row": InputRow, "rollout": Rollout, "failure": FailureLine, "materialized_input": MaterializedInput}
)
"""The lines of the four files, by the name of their schema."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one format; `schemas/<name>.json` holds the same."""
    made = FORMATS[name].model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def schema_text(name: str) -> str:
    return json.dumps(json_schema(name), indent=2) + "\n"


def problems_of(name: str, line: Any) -> list[str]:
    """What is wrong with one line of a format, as texts; empty if it is valid. Raises KeyError for an unknown format.

    Beyond the schema, every tool output of a conversation must follow the call it answers.
    """
    try:
        FORMATS[name].model_validate(line)
    except ValidationError as error:
        return [validation_text(error)]
    params, response = line.get("responses_create_params") or {}, line.get("response") or {}
    asked = params.get("input")
    output = response.get("output", [])
    if output and isinstance(output[0], list):
        # Each transition repeats what came before it, and its items may stand in the input as well.
        return [problem for items in output for problem in unpaired(items)]
    return unpaired([*(asked if isinstance(asked, list) else []), *output])


def unpaired(items: Sequence[Item]) -> list[str]:
    """The tool outputs of a conversation that answer no earlier call, and those that answer one twice."""
    open_calls: set[str] = set()
    problems: list[str] = []
    for position, item in enumerate(items):
        call_id = item.get("call_id")
        if item.get("type") == "function_call":
            open_calls.add(str(call_id))
        elif item.get("type") == "function_call_output":
            if str(call_id) not in open_calls:
                problems.append(f"item {position} is the output of {call_id!r}, which no earlier call has, or twice")
            open_calls.discard(str(call_id))
    return problems
