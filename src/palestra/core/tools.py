"""Tools are methods: their schema comes from signature and docstring, their errors are text for the model."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from palestra.core.errors import Failure, describe, suggestion
from palestra.core.model import Item, ToolSchema
from palestra.core.transcript import argument_text

Method = TypeVar("Method", bound=Callable[..., Any])

MAX_ARGUMENT_CHARACTERS = 1_000_000


def tool(method: Method) -> Method:
    """Offer a method to the model as a tool.

    Name, description and JSON schema come from the method's name, docstring (Google style `Args:`) and annotations.
    The result is sent back as text: a string as it is, anything else as compact JSON. What it raises is sent back
    as text too.
    """
    method.__dict__["palestra_tool"] = True
    return method


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of an environment class."""

    name: str
    schema: ToolSchema
    arguments: type[BaseModel]

    def parse(self, text: str) -> dict[str, Any]:
        """The arguments as keyword arguments of the method. Raises ValueError with a text for the model."""
        if len(text) > MAX_ARGUMENT_CHARACTERS:
            raise ValueError(f"Invalid tool call arguments: {len(text)} characters, at most {MAX_ARGUMENT_CHARACTERS}")
        try:
            value = json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Invalid tool call arguments: {describe(error)}") from error
        if not isinstance(value, dict):
            raise ValueError(f"Invalid tool call arguments: expected a JSON object, got {type(value).__name__}")
        try:
            parsed = self.arguments.model_validate(value)
        except ValidationError as error:
            raise ValueError(f"Invalid tool call arguments: {validation_text(error)}") from error
        return {name: getattr(parsed, name) for name in type(parsed).model_fields}


def tools_of(environment: type) -> dict[str, Tool]:
    """The `@tool` methods of a class, base classes first, in the order they are written."""
    found: dict[str, Tool] = {}
    for base in reversed(environment.__mro__):
        for name, member in vars(base).items():
            if getattr(member, "palestra_tool", False):
                found[name] = build(name, member)
    return found


def build(name: str, method: Callable[..., Any]) -> Tool:
    """The tool of one method. Raises TypeError if a parameter is not annotated or has no JSON schema."""
    description, parameter_descriptions = read_docstring(inspect.getdoc(method) or "")
    hints = get_type_hints(method, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.name not in hints:
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} has no type annotation")
        default = ... if parameter.default is parameter.empty else parameter.default
        field = Field(default, description=parameter_descriptions.get(parameter.name, ""))
        fields[parameter.name] = (hints[parameter.name], field)
    arguments = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    parameters = without_titles(arguments.model_json_schema())
    parameters.setdefault("properties", {})
    parameters.setdefault("required", [])
    schema: ToolSchema = {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        # Strict decoding needs every property to be required.
        "strict": len(parameters["required"]) == len(parameters["properties"]),
    }
    return Tool(name, schema, arguments)


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The description and the text of each entry of a Google style `Args:` section."""
    description, _, rest = text.partition("Args:")
    section = re.split(r"^\w[\w ]*:\s*$", inspect.cleandoc(rest), maxsplit=1, flags=re.MULTILINE)[0]
    entries = re.findall(r"^(\w+)(?: ?\([^)]*\))?:[ ]*(.*(?:\n[ \t]+.*)*)", section, flags=re.MULTILINE)
    return description.strip(), {name: " ".join(words.split()) for name, words in entries}


def without_titles(schema: Any) -> Any:
    """A JSON schema without the titles pydantic adds; a property that is called `title` stays."""
    if isinstance(schema, list):
        return [without_titles(entry) for entry in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    schema = cast("dict[str, Any]", schema)
    return {
        name: {key: without_titles(entry) for key, entry in value.items()}
        if name in ("properties", "$defs")
        else without_titles(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }


async def answer(environment: object, tools: Mapping[str, Tool], call: Item) -> Item:
    """Run one function call on an environment and give its output item.

    Unknown tools, bad arguments and exceptions become text for the model; only a Failure (a judge that is down, a
    worker that died) escapes.
    """
    name = str(call.get("name") or "")
    if name not in tools:
        known = ", ".join(sorted(tools)) or "none"
        text = error_text(f"Unknown tool {name[:100]!r}.{suggestion(name[:100], tools)} Available tools: {known}.")
    else:
        text = await run(getattr(environment, name), tools[name], argument_text(call))
    return {"type": "function_call_output", "call_id": call.get("call_id"), "output": text}


async def run(method: Callable[..., Any], entry: Tool, arguments: str) -> str:
    try:
        keywords = entry.parse(arguments)
    except ValueError as error:
        return error_text(str(error))
    try:
        value = method(**keywords)
        if inspect.isawaitable(value):
            value = await value
    except Failure:
        raise
    except Exception as error:
        return error_text(describe(error))
    return value if isinstance(value, str) else compact_json(value)


def error_text(message: str) -> str:
    return compact_json({"error": message})


def compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)


def plain(value: Any) -> Any:
    """A value that json does not know, as one it does."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def validation_text(error: ValidationError) -> str:
    """A pydantic error as `field: what is wrong (got value)`, at most five of them, in one line."""
    lines = [
        f"{'.'.join(str(part) for part in entry['loc']) or 'row'}: {entry['msg']} (got {str(entry['input'])[:80]!r})"
        for entry in error.errors(include_url=False)
    ]
    return "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
