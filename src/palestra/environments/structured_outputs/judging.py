"""What is said of one reply: the first thing wrong with it, by NeMo Gym's names. Runs in a worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, cast

from palestra.grading.coercion import from_csv, from_xml
from palestra.grading.json_schema import read_schema
from palestra.grading.structured import Format, NoJsonValue, Unreadable, read


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a reply; nothing if `error_type` is None."""

    error_type: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Demands:
    """What a reply has to satisfy, and how it is read."""

    schema_str: str
    form: Format = "json"
    payload_key: str | None = None
    coerces: bool = True
    """Texts of XML and CSV are brought to the schema's types."""
    compatible: bool = False


@cache
def preload() -> None:
    """Import what judging needs, so that it does not count against a deadline."""
    for name in ("jsonschema_rs", "xmltodict", "palestra.grading.structured_yaml"):
        import_module(name)


def check_schema(schema_str: str) -> None:
    """Raises SchemaError if the row's schema is none."""
    read_schema(schema_str, strict=True)


def judge_text(text: str, demands: Demands) -> Finding:
    """What is wrong with a reply that is a document."""
    if not text.strip():
        return Finding("empty_response", "the reply has no text")
    try:
        value = read(text, demands.form, repeated_keys=demands.compatible)
    except Unreadable as error:
        return Finding("parse_error", str(error))
    except NoJsonValue as error:
        return Finding("validation_error", str(error))
    schema = read_schema(demands.schema_str, strict=True).content
    if demands.form == "xml":
        value = from_xml(value, schema, types=demands.coerces)
    elif demands.form == "csv" and demands.coerces:
        value = from_csv(value, schema)
    return judge_value(value, demands)


def judge_arguments(arguments: str, demands: Demands) -> Finding:
    """What is wrong with the arguments of a call."""
    try:
        value = read(arguments, "json", repeated_keys=demands.compatible)
    except (Unreadable, NoJsonValue) as error:
        return Finding("tool_arguments_parse_error", str(error))
    key = demands.payload_key
    if key is None:
        return judge_value(value, demands)
    if not isinstance(value, dict) or key not in value:
        return Finding("missing_tool_payload_key", f"the arguments have no {key!r}")
    given = cast("Mapping[str, Any]", value)
    others = [name for name, entry in given.items() if name != key and entry not in (None, {}, [])]
    if others and not demands.compatible:
        # Whoever fills every key of a tool has not chosen one.
        return Finding("validation_error", f"the arguments also have {others[0][:80]!r}; only {key!r} was to be filled")
    return judge_value(given[key], demands)


def judge_value(value: Any, demands: Demands) -> Finding:
    schema = read_schema(demands.schema_str, strict=True)
    violation = schema.violation(value)
    if violation is None:
        return Finding()
    return Finding("schema_error" if schema.validator is None else "validation_error", violation)
