"""Tools are methods: their schema comes from signature and docstring, their errors are text for the model."""

import inspect
import json
import math
import re
import textwrap
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from palestra.core.errors import Failure, PalestraError, describe, suggestion
from palestra.core.model import Item, ToolSchema
from palestra.core.transcript import argument_text

Method = TypeVar("Method", bound=Callable[..., Any])

MAX_ARGUMENT_CHARACTERS = 1_000_000
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of U+0000 in JSON text. Files, processes and databases choke on it, and no answer needs it."""

SCHEMA_OF_EACH = ("properties", "$defs")
"""Keywords whose value maps names to schemas."""
PLAIN_VALUES = ("default", "enum", "const", "examples", "required", "discriminator")
"""Keywords whose value is data, not a schema."""
NOT_STRICT = ("oneOf", "allOf", "prefixItems", "patternProperties", "uniqueItems")
TYPED = ("type", "$ref", "anyOf", "enum", "const")


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
        if NUL.search(text):
            raise ValueError("Invalid tool call arguments: a text holds the character U+0000")
        try:
            value = ARGUMENTS.decode(text or "{}")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Invalid tool call arguments: {describe(error)}") from error
        if not isinstance(value, dict):
            raise ValueError(f"Invalid tool call arguments: expected a JSON object, got {type(value).__name__}")
        try:
            parsed = self.arguments.model_validate(value)
        except ValidationError as error:
            raise ValueError(f"Invalid tool call arguments: {validation_text(error)}") from error
        return {str(field.alias): getattr(parsed, name) for name, field in type(parsed).model_fields.items()}


def finite(text: str) -> float:
    """A number of JSON text. Raises ValueError for NaN, Infinity, and what is too large for a float."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


ARGUMENTS = json.JSONDecoder(parse_constant=finite, parse_float=finite)


def tools_of(environment: type) -> dict[str, Tool]:
    """The `@tool` methods of a class, base classes first, in the order they are written.

    A method that overrides a tool is one too, with its own signature.
    """
    found: dict[str, Tool] = {}
    for base in reversed(environment.__mro__):
        for name, member in vars(base).items():
            if getattr(member, "palestra_tool", False) or (name in found and inspect.isfunction(member)):
                found[name] = build(name, member)
    return found


def build(name: str, method: Callable[..., Any]) -> Tool:
    """The tool of one method.

    Raises TypeError if a parameter is not annotated, cannot be given by name, or has no JSON schema.
    """
    if not inspect.isfunction(method):
        raise TypeError(f"tool {name!r} must be a plain method, not a {type(method).__name__}")
    description, parameter_descriptions = read_docstring(inspect.getdoc(method) or "")
    hints = get_type_hints(method, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"tool {name!r}: parameter {str(parameter)!r} cannot be given by name")
        if parameter.name not in hints:
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} has no type annotation")
        default = ... if parameter.default is parameter.empty else parameter.default
        words = parameter_descriptions.get(parameter.name)
        # An alias, because pydantic reserves names (`copy`, `schema`, `_x`) that a parameter may have.
        details = Field(alias=parameter.name, description=words) if words else Field(alias=parameter.name)
        fields[f"argument_{len(fields)}"] = (Annotated[hints[parameter.name], details], default)
    try:
        arguments = create_model(name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)
        return Tool(name, tool_schema(name, description, arguments), arguments)
    except PydanticUserError as error:
        raise TypeError(f"tool {name!r}: {describe(error)}") from error


def tool_schema(name: str, description: str, arguments: type[BaseModel]) -> ToolSchema:
    parameters = without_titles(arguments.model_json_schema())
    for schema in parameters.setdefault("properties", {}).values():
        schema.setdefault("description", "")
    parameters.setdefault("required", [])
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        "strict": is_strict(parameters),
    }


def is_strict(schema: dict[str, Any]) -> bool:
    """Whether strict decoding can follow a schema: all is typed, objects are closed and all their properties required.

    Endpoints refuse a request whose tool says `strict` and is not.
    """
    if not any(name in schema for name in TYPED) or any(name in schema for name in NOT_STRICT):
        return False
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False
        or set(schema.get("required", ())) != set(schema.get("properties", ()))
    ):
        return False
    if schema.get("type") == "array" and "items" not in schema:
        return False
    parts = [part for name in SCHEMA_OF_EACH for part in schema.get(name, {}).values()]
    parts += [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
    return all(is_strict(part) for part in parts)


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The description and the text of each entry of a Google style `Args:` section."""
    description, *rest = re.split(r"^Args:[ \t]*$", inspect.cleandoc(text), maxsplit=1, flags=re.MULTILINE)
    indented = re.match(r"(?:[ \t]+.*\n|[ \t]*\n)*", "\n".join(rest) + "\n")
    section = textwrap.dedent(indented[0] if indented else "")
    entries = re.findall(r"^(\w+)(?: ?\(.*?\))?:[ ]*(.*(?:\n(?:[ \t]+.*)?)*)", section, flags=re.MULTILINE)
    return description.strip(), {name: " ".join(words.split()) for name, words in entries}


def without_titles(schema: Any) -> Any:
    """A JSON schema without the titles pydantic adds; a property that is called `title` stays."""
    if isinstance(schema, list):
        return [without_titles(entry) for entry in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for name, value in cast("dict[str, Any]", schema).items():
        if name in SCHEMA_OF_EACH:
            found[name] = {key: without_titles(entry) for key, entry in value.items()}
        elif name in PLAIN_VALUES:
            found[name] = value
        elif name != "title" or not isinstance(value, str):
            found[name] = without_titles(value)
    return found


async def answered(call: Item, run_tool: Callable[[str, str], Awaitable[str]]) -> Item:
    """The output item of one function call; `run_tool` turns the name and the arguments' JSON text into its text.

    Unknown tools, bad arguments and exceptions become text for the model; only a Failure (a judge that is down, a
    worker that died) and a PalestraError (a role that was not named) escape.
    """
    call_id = call.get("call_id", "left out")
    if not isinstance(call_id, str) or not call_id:
        text = error_text("Invalid tool call: it has no call_id, so nothing can be said to answer it.")
    else:
        text = await run_tool(str(call.get("name") or ""), argument_text(call))
    return {"type": "function_call_output", "call_id": call.get("call_id"), "output": text}


async def run_named(environment: object, tools: Mapping[str, Tool], name: str, arguments: str) -> str:
    """What the tool of a name says to arguments, or that there is no such tool."""
    if name not in tools:
        known = ", ".join(sorted(tools)) or "none"
        return error_text(f"Unknown tool {name[:100]!r}.{suggestion(name[:100], tools)} Available tools: {known}.")
    return await run(getattr(environment, name), tools[name], arguments)


async def run(method: Callable[..., Any], entry: Tool, arguments: str) -> str:
    try:
        keywords = entry.parse(arguments)
    except ValueError as error:
        return error_text(str(error))
    try:
        value = method(**keywords)
        # Looked at first, as finding out whether a text can be awaited costs more than most tools.
        if not isinstance(value, str) and inspect.isawaitable(value):
            value = await value
        return value if isinstance(value, str) else compact_json(value)
    except (Failure, PalestraError):
        raise
    except Exception as error:
        return error_text(describe(error))


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
        f"{'.'.join(map(str, entry['loc']))}: {entry['msg']} (got {str(entry['input'])[:80]!r})"
        if entry["loc"]
        # What holds between fields says itself what it is about; all of the fields would only bury it.
        else entry["msg"].removeprefix("Value error, ")
        for entry in error.errors(include_url=False)
    ]
    return "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
