"""One aviary environment on a lane, with messages and tools in the Responses form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aviary.core import Environment as AviaryEnvironment
from aviary.core import Message, Tool, ToolCall, ToolRequestMessage, ToolResponseMessage
from aviary.tools.base import ToolCallFunction

from palestra.core.model import Item, ToolSchema
from palestra.core.tools import is_strict
from palestra.core.transcript import ENV_STATE

from .lanes import Lane


@dataclass(frozen=True, slots=True)
class Request:
    """A call whose arguments were read."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    """What an environment answered to an action."""

    items: tuple[Item, ...]
    reward: float
    done: bool


class Episode:
    """The environment of one task, used once."""

    def __init__(self, environment: AviaryEnvironment[Any], lane: Lane, timeout_s: float) -> None:
        self.environment = environment
        self.lane = lane
        self.timeout_s = timeout_s

    async def reset(self) -> tuple[list[Item], list[ToolSchema]]:
        """The first observations and the tools."""
        messages, tools = await self.lane.call(self.environment.reset, timeout_s=self.timeout_s)
        return [item for message in messages for item in items_of(message)], [schema_of(tool) for tool in tools]

    async def step(self, requests: Sequence[Request]) -> Observed:
        """Act. Raises what the environment raises, and TimeoutError."""
        action = ToolRequestMessage(tool_calls=[tool_call(request) for request in requests])
        environment = self.environment
        messages, reward, done, truncated = await self.lane.call(
            lambda: environment.step(action), timeout_s=self.timeout_s
        )
        items = [item for message in messages for item in items_of(message)]
        return Observed(tuple(items), float(reward), bool(done or truncated))

    async def close(self) -> None:
        await self.lane.call(self.environment.close, timeout_s=self.timeout_s)


def tool_call(request: Request) -> ToolCall:
    function = ToolCallFunction(name=request.name, arguments=dict(request.arguments))
    return ToolCall(id=request.call_id, function=function)


def schema_of(tool: Tool) -> ToolSchema:
    """A tool as a Responses function tool. `strict` where strict decoding can follow the schema."""
    parameters = tool.info.parameters
    known = parameters.model_dump(exclude_none=True) if parameters is not None else {}
    schema = {"type": "object", "properties": {}, "required": [], **known, "additionalProperties": False}
    return {
        "type": "function",
        "name": tool.info.name,
        "description": tool.info.description,
        "parameters": schema,
        "strict": is_strict(schema),
    }


def items_of(message: Message) -> list[Item]:
    """A message as items. Of content in parts only the texts are kept, each as a message."""
    if isinstance(message, ToolResponseMessage):
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    marks = {ENV_STATE: True} if (message.info or {}).get(ENV_STATE) else {}
    texts = text_parts(message.content or "")
    return [{"type": "message", "role": message.role, "content": text, **marks} for text in texts]


def text_parts(content: str) -> list[str]:
    """The texts of content that is a JSON list of parts; other content as it is, also if it happens to be JSON."""
    if not content.lstrip().startswith("["):
        return [content]
    try:
        parts = json.loads(content)
    except (ValueError, RecursionError):
        return [content]
    if not parts or not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
        return [content]
    return [str(part.get("text", "")) for part in parts if part["type"] == "text"]
