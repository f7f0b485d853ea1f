"""What is wrong with one row that is JSON: a task, a rollout or a failure."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from palestra.core.discovery import Source
from palestra.core.errors import suggestion
from palestra.core.task import BOOKKEEPING, Task
from palestra.core.tools import is_strict
from palestra.core.transcript import content_text
from palestra.data.validate.rules import Problem
from palestra.data.validate.shapes import shape_problems
from palestra.wire.rows import AGENT_SUFFIX, FAILURE_CLASS, KNOWN_PARAMS, PARAMS, agent_name
from palestra.wire.schema import FORMATS, unpaired

Kind: TypeAlias = Literal["task", "rollout", "failure", "materialized_input"]
SCHEMAS: MappingProxyType[Kind, str] = MappingProxyType(
    {"task": "input_row", "rollout": "rollout", "failure": "failure", "materialized_input": "materialized_input"}
)
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Demands:
    """What rows are held to beyond the format."""

    source: Source | None = None
    """The environment whose tasks they are."""
    task_type: type[Task] = field(default=Task)

    @classmethod
    def of(cls, source: Source | None) -> "Demands":
        """Raises PalestraError if the environment cannot be loaded."""
        return cls() if source is None else cls(source, source.load().task_type)


def kind_of(row: Mapping[str, Any]) -> Kind:
    """What a row is, by the fields that only its kind has."""
    if FAILURE_CLASS in row and "response" not in row:
        return "failure"
    if "response" in row or "reward" in row:
        return "rollout"
    own = row.get("palestra")
    return "materialized_input" if isinstance(own, dict) and "key" in own else "task"


def row_problems(row: Mapping[str, Any], kind: Kind, demands: Demands) -> Iterator[Problem]:
    """Everything that is wrong with a row."""
    problems = shape_problems(FORMATS[SCHEMAS[kind]], row)
    yield from problems
    broken = {problem.field.partition(".")[0] for problem in problems}
    if isinstance(params := row.get(PARAMS), dict):
        yield from unknown_params(params)
        if PARAMS not in broken:
            yield from prompt_problems(params, ends=kind == "task")
            yield from tool_problems(params.get("tools") or [])
            if "response" not in broken:
                yield from conversation_problems(row, params)
    elif kind == "task" and PARAMS not in broken and demands.source is None:
        yield Problem("no-params", PARAMS, None, "the row has none", has_value=False)
    if kind == "rollout":
        yield from rollout_problems(row, demands, has_reward="reward" not in broken)
    yield from task_problems(row, demands)


def unknown_params(params: Mapping[str, Any]) -> Iterator[Problem]:
    for name in sorted(params.keys() - KNOWN_PARAMS):
        message = f"is no field of the Responses API.{suggestion(name, sorted(KNOWN_PARAMS))}"
        yield Problem("params", f"{PARAMS}.{name}", params[name], message)
    if params.get("stream"):
        yield Problem("params", f"{PARAMS}.stream", params["stream"], "must be false or absent")


def prompt_problems(params: Mapping[str, Any], *, ends: bool) -> Iterator[Problem]:
    asked = params["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if not items:
        yield Problem("prompt-absent", f"{PARAMS}.input", asked, "is empty")
        return
    said = [item for item in items if item.get("type", "message") != "message" or content_text(item["content"]).strip()]
    if not said and not any(isinstance(item.get("content"), list) and item["content"] for item in items):
        yield Problem("prompt", f"{PARAMS}.input", asked, "says nothing")
    elif ends and items[-1].get("role") == "assistant":
        yield Problem("prompt-end", f"{PARAMS}.input.{len(items) - 1}", items[-1], "is the assistant's")


def tool_problems(tools: list[Mapping[str, Any]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, tool in enumerate(tools):
        if tool.get("type") != "function":
            continue
        place, name, parameters = f"{PARAMS}.tools.{number}", tool.get("name"), tool.get("parameters")
        if not isinstance(name, str) or TOOL_NAME.fullmatch(name) is None:
            yield Problem("tools", f"{place}.name", name, "is no name of a function")
        elif name in seen:
            yield Problem("tools", f"{place}.name", name, "is the name of an earlier tool")
        else:
            seen.add(name)
        if parameters is not None and parameters.get("type") != "object":
            yield Problem("tools", f"{place}.parameters", parameters, "must have the type object")
        elif tool.get("strict") and parameters is not None and not is_strict(parameters):
            yield Problem("tools-strict", f"{place}.strict", True, "the parameters cannot be decoded strictly")


def conversation_problems(row: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[Problem]:
    asked = params["input"] if isinstance(params["input"], list) else []
    response = row.get("response")
    output = response.get("output") if isinstance(response, dict) else None
    output = output if isinstance(output, list) else []
    # Each transition repeats what came before it, so each is a conversation of its own.
    conversations = output if output and isinstance(output[0], list) else [[*asked, *output]]
    for conversation in conversations:
        for problem in unpaired(conversation):
            yield Problem(
                "conversation", "response.output" if output else f"{PARAMS}.input", None, problem, has_value=False
            )


def rollout_problems(row: Mapping[str, Any], demands: Demands, *, has_reward: bool) -> Iterator[Problem]:
    failure = row.get(FAILURE_CLASS)
    own = row.get("palestra")
    if failure is not None or (isinstance(own, dict) and "failure" in own):
        yield Problem("failure", FAILURE_CLASS, failure, "the rollout failed and has a reward")
    if not has_reward:
        return
    reward = row["reward"]
    if demands.source is not None and math.isfinite(reward) and "raw_reward" not in row:
        declared = demands.source.manifest.reward
        if not declared.minimum <= reward <= declared.maximum:
            message = f"is not in [{declared.minimum}, {declared.maximum}], the range of {demands.source.name}"
            yield Problem("reward-range", "reward", reward, message)


def task_problems(row: Mapping[str, Any], demands: Demands) -> Iterator[Problem]:
    if demands.source is None:
        return
    name = agent_name(row)
    if name is not None and name.removesuffix(AGENT_SUFFIX) != demands.source.name:
        yield Problem("agent-unknown", "agent_ref.name", name, f"is no agent of {demands.source.name}")
    task = task_of(row)
    for problem in shape_problems(demands.task_type, task, f"{demands.source.name}'s task"):
        # What the format says of these fields is said already.
        if problem.rule in ("type", "required-field"):
            yield problem


def task_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The task's fields; lines of Palestra keep them apart, those of other producers beside the rest."""
    own = row.get("palestra")
    kept = own.get("task") if isinstance(own, dict) else None
    fields = {name: value for name, value in row.items() if name not in BOOKKEEPING}
    return {**fields, **kept} if isinstance(kept, dict) else fields
