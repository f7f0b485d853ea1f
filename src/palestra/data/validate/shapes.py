"""Holding a value to a model, with each error at the place in the row where it is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from palestra.data.validate.rules import Problem

PLACES = (("reward", "reward"), ("agent_ref", "agent-ref"), ("responses_create_params", "params"),
          ("response", "response"), ("palestra", "record"))  # fmt: skip
"""The rule for what is wrong within a field; elsewhere the task's own types decide."""


def shape_problems(model: type[BaseModel], value: Any, whose: str = "") -> list[Problem]:
    """What is wrong with a value by its model. `whose` says in the message who declares the type."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return list(problems_of(error, value, whose))
    return []


def problems_of(error: ValidationError, value: Any, whose: str = "") -> Iterator[Problem]:
    """The problems of one validation, at most one a place; of a union only the branch that went deepest."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for entry in error.errors(include_url=False, include_context=False):
        found.setdefault(place_in(value, entry["loc"], is_missing=entry["type"] == "missing"), []).append(entry)
    for place, entries in found.items():
        if any(len(other) > len(place) and other[: len(place)] == place for other in found):
            continue
        messages = dict.fromkeys(entry["msg"].removeprefix("Value error, ") for entry in entries)
        missing = entries[0]["type"] == "missing"
        message = ("is missing" if missing else " or ".join(messages)) + (f" ({whose})" if whose else "")
        given = entries[0]["input"] if not missing and place else None
        yield Problem(rule_of(place, missing=missing), ".".join(map(str, place)), given, message, given is not None)


def place_in(value: Any, location: Sequence[int | str], *, is_missing: bool) -> tuple[int | str, ...]:
    """The location without the names of union branches, which are no fields of the row."""
    place: list[int | str] = []
    for number, part in enumerate(location):
        is_last = number == len(location) - 1
        if isinstance(value, dict) and (part in value or (is_last and is_missing)):
            place.append(part)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            place.append(part)
            value = value[part]
    return tuple(place)


def rule_of(place: Sequence[int | str], *, missing: bool) -> str:
    """An agent_ref without a name is a wrong one; elsewhere what is missing is a field that is needed."""
    field = place[0] if place else ""
    if missing and field != "agent_ref":
        return "required-field"
    return next((rule for name, rule in PLACES if field == name), "type")
