"""Reading structured text (JSON, YAML, XML, TOML, CSV) as a JSON value: strictly, and within bounds.

What these formats leave open is refused, since it lets a text mean two things: a key given twice, a number that is not
finite, text after the value. Nothing is fetched, and no entity, alias or merge can make a small text large. Reading may
still take seconds on a hostile text: call it in a worker.
"""

import csv
import io
import json
import math
import re
import tomllib
from collections.abc import Callable, Collection, Sequence
from types import MappingProxyType
from typing import Any, Literal, NoReturn, cast

Format = Literal["json", "yaml", "xml", "toml", "csv"]

MAX_CHARACTERS = 2_000_000
MAX_DEPTH = 100
"""Levels of arrays and objects within each other."""
MAX_VALUES = 200_000
"""Counted with every alias resolved: what a reader of the value would have to go through."""

TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
TOO_LARGE = f"it holds more than {MAX_VALUES} values"

TOML_STRING = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*+'''
    r"""|'''(?:[^']|'(?!''))*+(?:'''|\Z)|'[^'\n]*+'?""",
    re.DOTALL,
)
"""Strings and comments. Each alternative takes what it began, closed or not, so that searching is linear."""
BETWEEN_TOML_KEYS = re.compile(r"[=\n,\[\]{}]")


class Unreadable(ValueError):
    """A text that is not of its format, or is beyond the bounds."""


class NoJsonValue(ValueError):
    """A text of its format that says something JSON cannot: a date, bytes, a key that is no text."""


def read(text: str, form: Format, *, repeated_keys: bool = False) -> Any:
    """The value of a text, which JSON could hold too.

    `repeated_keys` lets the last of several equal keys of JSON, YAML and CSV count, as common libraries do.
    Raises Unreadable or NoJsonValue with the reason.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"the text has {len(text)} characters; {MAX_CHARACTERS} are read")
    try:
        value = READERS[form](text, repeated_keys)
    except RecursionError as error:
        raise Unreadable(TOO_DEEP) from error
    require_json(value)
    return value


def require_json(value: Any) -> None:
    """Raises NoJsonValue if a value is not one of JSON's, Unreadable if it is too deep or too large. Linear."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    count = 0
    while waiting:
        entry, depth = waiting.pop()
        count += 1
        if isinstance(entry, dict | list):
            if depth >= MAX_DEPTH:
                raise Unreadable(TOO_DEEP)
            inner = parts_of(cast("dict[Any, Any] | list[Any]", entry))
            if count + len(inner) + len(waiting) > MAX_VALUES:
                raise Unreadable(TOO_LARGE)
            waiting += [(part, depth + 1) for part in inner]
        elif isinstance(entry, float):
            if not math.isfinite(entry):
                raise Unreadable(f"{entry} is not a finite number")
        elif entry is not None and not isinstance(entry, str | int):
            raise NoJsonValue(f"{str(entry)[:80]!r} is read as a {type(entry).__name__}, which JSON does not have")


def parts_of(value: dict[Any, Any] | list[Any]) -> Collection[Any]:
    """The values within an array or object, whose keys must be texts."""
    if isinstance(value, list):
        return value
    for key in value:
        if not isinstance(key, str):
            raise NoJsonValue(f"the key {str(key)[:80]!r} is read as a {type(key).__name__}; JSON has only texts")
    return value.values()


def read_json(text: str, repeated_keys: bool) -> Any:
    pairs = None if repeated_keys else unique
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    except ValueError as error:
        raise Unreadable(f"it is not JSON: {error}") from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeat = first_repeat([name for name, _ in pairs])
        raise ValueError(f"the key {repeat[:80]!r} is given twice")
    return found


def first_repeat(names: Sequence[str]) -> str:
    """The first name that has occurred before; the names must not all differ."""
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def read_yaml(text: str, repeated_keys: bool) -> Any:
    from palestra.grading.structured_yaml import load

    return load(text, repeated_keys=repeated_keys)


def read_toml(text: str, _: bool) -> Any:
    # tomllib needs memory quadratic in how many parts a key has.
    if any(part.count(".") > MAX_DEPTH for part in BETWEEN_TOML_KEYS.split(TOML_STRING.sub("s", text))):
        raise Unreadable(TOO_DEEP)
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise Unreadable(f"it is not TOML: {error}") from error


def read_xml(text: str, _: bool) -> Any:
    """As xmltodict reads it: `{root: content}`, attributes as `@name`, repeated elements as arrays."""
    from pyexpat import ExpatError

    import xmltodict

    try:
        return xmltodict.parse(text, disable_entities=True)
    except (ExpatError, ValueError) as error:
        raise Unreadable(f"it is not XML: {error}") from error


def read_csv(text: str, repeated_keys: bool) -> Any:
    """The rows below the header, as objects of texts."""
    try:
        header, *lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line] or [[]]
    except csv.Error as error:
        raise Unreadable(f"it is not CSV: {error}") from error
    if not repeated_keys:
        if len(set(header)) < len(header):
            raise Unreadable(f"the column {first_repeat(header)[:80]!r} is given twice")
        if not lines:
            raise Unreadable("the table has no row below its header")
    if len(lines) * len(header) > MAX_VALUES:
        raise Unreadable(TOO_LARGE)
    for number, line in enumerate(lines, 1):
        if len(line) != len(header):
            raise Unreadable(f"row {number} has {len(line)} cells; the header has {len(header)}")
    return [dict(zip(header, line, strict=True)) for line in lines]


READERS: MappingProxyType[str, Callable[[str, bool], Any]] = MappingProxyType(
    {"json": read_json, "yaml": read_yaml, "toml": read_toml, "xml": read_xml, "csv": read_csv}
)
