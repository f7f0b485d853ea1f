"""Markdown tables, and what can be read from a class about its fields."""

import ast
import dataclasses
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

PLAIN_TYPES = types.MappingProxyType(
    {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", Any: "any"}
)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; empty if there is no row."""
    lines = [line(row) for row in rows]
    return [line(header), "|" + "---|" * len(header), *lines] if lines else []


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def anchored(name: str, anchor: str) -> str:
    """A name as code that can be linked to."""
    return f"`{name}`{{#{anchor}}}"


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def attribute_docstrings(model: type) -> dict[str, str]:
    """The texts that stand below the fields of a class and its bases, by field."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not base.__module__.startswith("palestra"):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text(text):
                found[field.target.id] = inspect.cleandoc(text.value.value)
    return found


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def fields_of(model: type) -> dict[str, tuple[Any, Any]]:
    """Annotation and default of each field of a pydantic model or a dataclass; `...` where there is no default."""
    if issubclass(model, BaseModel):
        return {name: (field.annotation, default_of(field)) for name, field in model.model_fields.items()}
    hints = typing.get_type_hints(model)
    return {
        field.name: (hints[field.name], ... if field.default is dataclasses.MISSING else field.default)
        for field in dataclasses.fields(model)
    }


def default_of(field: FieldInfo) -> Any:
    return ... if field.is_required() else field.get_default(call_default_factory=True)


def type_text(annotation: Any) -> str:
    """A type in a reader's words."""
    if annotation in PLAIN_TYPES:
        return PLAIN_TYPES[annotation]
    return composed_text(annotation) or f"`{annotation.__name__}`"


def composed_text(annotation: Any) -> str | None:
    """A type that is made of others; None if it is not."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_text(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(argument) for argument in arguments if argument is not type(None))
    if origin is tuple and ... not in arguments:
        return f"list of {len(arguments)}: {', '.join(map(type_text, arguments))}"
    if origin in (list, tuple):
        return f"list of {type_text(arguments[0])}"
    return f"{type_text(arguments[1])} by name" if origin is dict else None


def default_text(value: Any) -> str:
    if value is ...:
        return "required"
    if value is None or value in ({}, (), [], ""):
        return "none"
    return value_text(value)


def value_text(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str | Path) else f"`{json.dumps(to_jsonable_python(value))}`"
