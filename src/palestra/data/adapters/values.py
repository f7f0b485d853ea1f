"""Fields of a task out of columns."""

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from palestra.data.adapters.mapping import FieldRule, looked_up

TRUE, FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def field_value(row: Mapping[str, Any], rule: str | FieldRule) -> Any:
    """Raises ValueError if the row has no such value."""
    if isinstance(rule, str):
        return looked_up(row, rule)
    value = looked_up(row, rule.column)
    if rule.pattern is not None:
        found = rule.pattern.search(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"column {rule.column!r} does not match {rule.pattern.pattern!r}: {str(value)[:80]!r}")
        value = found[1] if rule.pattern.groups else found[0]
    return converted(value, rule.type) if rule.type else value


def converted(value: Any, kind: str) -> Any:
    """A value as `kind`; a text is read, anything else has to be of the kind already. Raises ValueError."""
    try:
        return CONVERSIONS[kind](value)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(value)[:80]!r} is no {kind}") from error


def integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value")
    return value if isinstance(value, int) else int(value.replace(",", "").strip())


def number(value: Any) -> int | float:
    if isinstance(value, bool):
        raise TypeError("a truth value")
    if isinstance(value, int | float):
        return value
    text = value.replace(",", "").strip()
    try:
        return int(text)
    except ValueError:
        found = float(text)
    if not math.isfinite(found):
        raise ValueError("not finite")
    return found


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in TRUE | FALSE:
        raise ValueError("no truth value")
    return text in TRUE


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def from_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


CONVERSIONS: MappingProxyType[str, Callable[[Any], Any]] = MappingProxyType(
    {"text": text, "integer": integer, "number": number, "boolean": boolean, "json": from_json}
)
