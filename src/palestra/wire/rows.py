"""Rows as NeMo Gym writes them: `responses_create_params`, `agent_ref` and what they mean for a rollout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palestra.core.environment import Environment
from palestra.core.errors import Failure
from palestra.core.model import Item, Sampling, ToolSchema
from palestra.core.transcript import user_message

PARAMS = "responses_create_params"
AGENT_REF = "agent_ref"
TASK_INDEX = "_ng_task_index"
ROLLOUT_INDEX = "_ng_rollout_index"
ATTEMPT_INDEX = "_ng_attempt_index"
FAILURE_CLASS = "_ng_failure_class"
AGENT_SUFFIX = "_simple_agent"

OPTIONAL_PARAMS = (
    "background", "include", "instructions", "max_output_tokens", "max_tool_calls", "top_logprobs", "metadata",
    "model", "previous_response_id", "user", "prompt", "reasoning", "text", "service_tier", "store", "temperature",
    "top_p", "truncation", "stream",
)  # fmt: skip
"""Fields of `responses_create_params` that are null unless a row sets them."""
KNOWN_PARAMS = frozenset({*OPTIONAL_PARAMS, "input", "parallel_tool_calls", "tool_choice", "tools"})
"""All that `responses_create_params` may hold; servers of NeMo Gym refuse a row with another."""

NOT_SAMPLING = frozenset({"input", "instructions", "tools", "model", "stream"})
SET_HERE = ("temperature", "top_p", "max_output_tokens")
"""Sampling that a command line may set, in the order of `Sampling`."""
NOT_EXTRA = NOT_SAMPLING.union(SET_HERE, ("seed",))


@dataclass(frozen=True, slots=True)
class Opening:
    """What an episode starts with."""

    prompt: tuple[Item, ...]
    tools: tuple[ToolSchema, ...]


def materialize(row: Mapping[str, Any], environment: Environment[Any]) -> Opening:
    """The prompt and tools of an episode.

    A row that carries `responses_create_params` brings its own input, instructions and tools, even empty ones;
    otherwise the environment's `prompt()` and `@tool` methods make them. Some environments add theirs to the row's.
    Raises Failure if the row is malformed.
    """
    params = row.get(PARAMS)
    if params is None:
        return own_opening(environment)
    opening = opening_of_params(params)
    return joined(opening, own_opening(environment)) if environment.adds_to_rows else opening


def own_opening(environment: Environment[Any]) -> Opening:
    """What an environment starts an episode with where the row says nothing."""
    asked = environment.prompt()
    prompt = [user_message(asked)] if isinstance(asked, str) else asked
    return Opening(tuple(prompt), tuple(environment.tool_schemas()))


def joined(opening: Opening, added: Opening) -> Opening:
    """Both, one after the other. A row that was dispatched before holds what is added already."""
    prompt = opening.prompt
    if not added.prompt or prompt[-len(added.prompt) :] != added.prompt:
        prompt = (*prompt, *added.prompt)
    names = {tool.get("name") for tool in added.tools}
    return Opening(prompt, (*[tool for tool in opening.tools if tool.get("name") not in names], *added.tools))


def opening_of_params(params: Any) -> Opening:
    """What a row's `responses_create_params` start an episode with. Raises Failure if they are malformed."""
    if not isinstance(params, dict) or "input" not in params:
        raise malformed(PARAMS, "an object with an `input`", params)
    instructions, tools = params.get("instructions"), params.get("tools") or []
    if instructions is not None and not isinstance(instructions, str):
        raise malformed(f"{PARAMS}.instructions", "a string", instructions)
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise malformed(f"{PARAMS}.tools", "a list of objects", tools)
    head = [{"type": "message", "role": "system", "content": instructions}] if instructions else []
    return Opening((*head, *input_items(params["input"])), tuple(tools))


def malformed(place: str, expected: str, value: Any) -> Failure:
    return Failure("environment", f"{place} must be {expected}, got {str(value)[:100]!r}", code="task-invalid")


def input_items(value: Any) -> list[Item]:
    """The input of `responses_create_params` as items; a string is one user message. Raises Failure."""
    if isinstance(value, str):
        return [user_message(value)]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise malformed(f"{PARAMS}.input", "a string or a list of items", value)
    return value


def sampling_of(row: Mapping[str, Any], override: Sampling, *, seed: int) -> Sampling:
    """The row's sampling with what the command line set on top, and the rollout's seed."""
    params = row.get(PARAMS)
    if not isinstance(params, dict):
        return Sampling(override.temperature, override.top_p, override.max_output_tokens, seed, override.extra)
    extra = {name: value for name, value in params.items() if name not in NOT_EXTRA and value is not None}

    def either(name: str) -> Any:
        set_here = getattr(override, name)
        return params.get(name) if set_here is None else set_here

    return Sampling(*map(either, SET_HERE), seed=seed, extra={**extra, **override.extra})


def create_params(
    row: Mapping[str, Any], prompt: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling
) -> dict[str, Any]:
    """The `responses_create_params` of a finished rollout: the row's own, or what the environment made."""
    own = row.get(PARAMS)
    if isinstance(own, dict):
        # The prompt without its instructions, which stand beside the input.
        spoken = prompt[1:] if own.get("instructions") else prompt
        params: dict[str, Any] = {**own, "input": list(spoken), "tools": list(tools)}
    else:
        params = {"input": list(prompt), "tools": list(tools)}
    if sampling.temperature is not None:
        params["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        params["top_p"] = sampling.top_p
    if sampling.max_output_tokens is not None:
        params["max_output_tokens"] = sampling.max_output_tokens
    return params


def agent_name(row: Mapping[str, Any]) -> str | None:
    """The agent instance that a row names, if any."""
    reference = row.get(AGENT_REF)
    name = reference.get("name") if isinstance(reference, dict) else None
    return name if isinstance(name, str) else None


def agent_reference(environment: str) -> dict[str, str]:
    """The `agent_ref` of rows that name none."""
    return {"type": "responses_api_agents", "name": f"{environment}{AGENT_SUFFIX}"}
