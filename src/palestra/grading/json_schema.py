"""JSON Schema (draft 2020-12, formats not checked), for schemas and values that nobody vouches for.

Schemas come from datasets and values from models, so: nothing a schema refers to is ever fetched, patterns run in
linear time or with a limit on backtracking, and messages are short. A schema may still take long on a value (branches
within branches), which only a worker with a deadline can bound.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from palestra.grading.structured import NoJsonValue, Unreadable, read

BACKTRACKS = 100_000
LONGEST_MESSAGE = 300

SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value maps names to schemas; a name may be that of a keyword."""
PLAIN_VALUES = frozenset({"const", "enum", "default", "examples", "required"})
"""Keywords whose value is data, not a schema."""
REFERENCE = re.compile(r'"\$(?:dynamic)?[rR]ef"')
SURROGATE = re.compile(r"[\ud800-\udfff]")
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
PRIVATE_USE = 0x10F800
"""First of 2048 code points that stand for lone surrogates, which have no UTF-8 form."""


class SchemaError(ValueError):
    """A text that is no JSON Schema: an error of the dataset, not of a reply."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema, ready to judge values."""

    content: Any
    validator: Any
    """None if the schema refers to something that it does not hold."""
    problem: str | None
    has_references: bool
    has_surrogates: bool

    def violation(self, value: Any) -> str | None:
        """Why a JSON value does not satisfy the schema, or None if it does."""
        if self.validator is None:
            return self.problem
        if self.has_surrogates:
            value = without_surrogates(value)
        try:
            if self.validator.is_valid(value):
                return None
        except UnicodeEncodeError:
            value = without_surrogates(value)
            if self.validator.is_valid(value):
                return None
        # Explaining goes through all branches of a choice, and with references these may multiply without end.
        if self.has_references:
            return "the value does not satisfy the schema"
        return explanation(self.validator, value)


def explanation(validator: Any, value: Any) -> str:
    error = next(iter(validator.iter_errors(value)))
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    where = f"at {place[:LONGEST_MESSAGE]}: " if place else ""
    return where + shortened(error.message)


def shortened(message: str) -> str:
    """A message that quotes a value, without the middle of it."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    half = LONGEST_MESSAGE // 2
    return f"{message[:half]} ... {message[-half:]}"


@lru_cache(maxsize=64)
def read_schema(text: str, *, strict: bool = False) -> Schema:
    """The schema in a JSON text; `strict` closes its objects, see `strictified`. Raises SchemaError."""
    import jsonschema_rs as rust

    try:
        content = read(text, "json")
    except (Unreadable, NoJsonValue) as error:
        raise SchemaError(f"the schema cannot be read: {error}") from None
    if not isinstance(content, dict | bool):
        raise SchemaError(f"the schema must be an object or a boolean, got {type(content).__name__}")
    has_surrogates = SURROGATE_ESCAPE.search(text) is not None
    content = undeclared(without_surrogates(content) if has_surrogates else content)
    content = strictified(content) if strict else content
    patterns = rust.FancyRegexOptions(backtrack_limit=BACKTRACKS)
    validator, problem = None, None
    try:
        validator = rust.Draft202012Validator(content, validate_formats=False, offline=True, pattern_options=patterns)
    except rust.ValidationError as error:
        problem = shortened(error.message)
        if not isinstance(error.kind, rust.ValidationErrorKind.Referencing):
            place = "".join(f"/{part}" for part in error.instance_path)
            raise SchemaError(f"the schema is not valid at {place or 'its root'}: {problem}") from None
    return Schema(content, validator, problem, REFERENCE.search(text) is not None, has_surrogates)


def undeclared(schema: Any) -> Any:
    """The schema without the draft it names: all are read as 2020-12."""
    if not isinstance(schema, dict):
        return schema
    return {name: value for name, value in cast("dict[str, Any]", schema).items() if name != "$schema"}


def strictified(schema: Any, *, is_map: bool = False) -> Any:
    """The schema with every object that has `properties` closed: all of them required, no others allowed.

    As NeMo Gym does it: schemas in lists (`anyOf`, `oneOf`, `allOf`, `prefixItems`) stay as they are.
    """
    if not isinstance(schema, dict):
        return schema
    found = {
        name: value if name in PLAIN_VALUES and not is_map else strictified(value, is_map=not is_map and is_named(name))
        for name, value in cast("dict[str, Any]", schema).items()
    }
    if not is_map and isinstance(found.get("properties"), dict):
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found


def is_named(keyword: str) -> bool:
    return keyword in SCHEMAS_BY_NAME


def without_surrogates(value: Any) -> Any:
    """The value with each lone surrogate as a private character of its own, so that it has a UTF-8 form."""
    if isinstance(value, str):
        return SURROGATE.sub(lambda found: chr(PRIVATE_USE + ord(found[0]) - 0xD800), value)
    if isinstance(value, list):
        return [without_surrogates(entry) for entry in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {without_surrogates(name): without_surrogates(entry) for name, entry in pairs}
    return value
