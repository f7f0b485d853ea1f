"""Tasks of our own: a random schema, an instance that satisfies it, and the instance told as plain facts."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from palestra.grading.structured import Format

from .things import THINGS


@dataclass(frozen=True, slots=True)
class Level:
    """What tasks of one difficulty are made of."""

    forms: tuple[Format, ...]
    fields: tuple[int, int]
    """How many fields a thing has, at least and at most."""
    lists: bool = False
    depth: int = 0
    """Levels of things within things."""
    tool_share: float = 0.0
    """Of the JSON tasks, that ask for a tool call."""


LEVELS = (
    Level(("json",), (3, 4)),
    Level(("json", "yaml", "toml", "csv"), (4, 6), lists=True),
    Level(("json", "yaml", "toml", "csv", "xml"), (4, 6), lists=True, depth=1),
    Level(("json", "json", "yaml", "toml", "csv", "xml"), (5, 7), lists=True, depth=2, tool_share=0.6),
)
ORDINALS = ("first", "second", "third", "fourth")
PAYLOAD_KEYS = (None, "record", "extraction", "result")


@dataclass(frozen=True, slots=True)
class Made:
    """A schema and a value that satisfies it."""

    schema: dict[str, Any]
    value: Any


@dataclass(frozen=True, slots=True)
class Subject:
    """What a task is about."""

    name: str
    form: Format
    made: Made


def write_row(seed: str, level: Level) -> dict[str, Any]:
    """The task of one seed."""
    random = Random(seed)
    subject = draw(random, level)
    row = {
        "document": "\n".join(facts(subject.made.value, (subject.name,))),
        "schema_str": json.dumps(subject.made.schema),
        "schema_type": subject.form,
    }
    if subject.form == "json" and random.random() < level.tool_share:
        return tool_row(random, row, subject, level)
    return row


def draw(random: Random, level: Level) -> Subject:
    form = random.choice(level.forms)
    name = random.choice(list(THINGS))
    made = make_table(random, name, level) if form == "csv" else make_thing(random, name, level, form)
    return Subject(name, form, made)


def make_table(random: Random, name: str, level: Level) -> Made:
    """Flat rows of the same columns."""
    flat = [field for field, kind in THINGS[name].items() if kind.is_flat]
    columns = random.sample(flat, min(len(flat), random.randint(*level.fields)))
    kinds = {column: THINGS[name][column] for column in columns}
    rows = [{column: kind.draw(random) for column, kind in kinds.items()} for _ in range(random.randint(2, 4))]
    items = closed({column: dict(kind.schema) for column, kind in kinds.items()})
    return Made({"type": "array", "items": items, "minItems": len(rows), "maxItems": len(rows)}, rows)


def make_thing(random: Random, name: str, level: Level, form: Format, depth: int = 0) -> Made:
    """One thing, with others inside it as the level allows."""
    possible = [field for field, kind in THINGS[name].items() if kind.is_flat or level.lists]
    fields = random.sample(possible, min(len(possible), random.randint(*level.fields) - depth))
    schemas: dict[str, Any] = {}
    value: dict[str, Any] = {}
    for field in fields:
        kind = THINGS[name][field]
        schemas[field], value[field] = dict(kind.schema), kind.draw(random)
        # TOML has no null, and in XML an empty element may be a text.
        if depth and form in ("json", "yaml") and kind.schema["type"] == "number" and random.random() < 0.5:
            schemas[field]["type"] = ["number", "null"]
            value[field] = random.choice([None, value[field]])
    if depth < level.depth:
        inner_name = random.choice([other for other in THINGS if other != name])
        inner = make_thing(random, inner_name, level, form, depth + 1)
        schemas[inner_name], value[inner_name] = inner.schema, inner.value
    if depth == 0 and level.depth > 1:
        listed = random.choice([other for other in THINGS if other not in (name, *value)])
        table = make_table(random, listed, LEVELS[0])
        schemas[f"{listed}_list"], value[f"{listed}_list"] = table.schema, table.value
    return Made(closed(schemas), value)


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def facts(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The value as sentences, one a leaf; nothing of the format's syntax is in them."""
    if isinstance(value, dict):
        for field, entry in value.items():
            yield from facts(entry, (*path, field))
    elif isinstance(value, list) and isinstance(value[0], dict):
        for ordinal, entry in zip(ORDINALS, value, strict=False):
            yield from facts(entry, (*path[:-1], f"{ordinal} {path[-1].removesuffix('_list')}"))
    else:
        where = ", ".join(map(spoken, path))
        yield f"{where[0].upper()}{where[1:]}: {' and '.join(value) if isinstance(value, list) else told(value)}."


def told(value: Any) -> str:
    words: Mapping[Any, str] = {None: "not known", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def spoken(name: str) -> str:
    return name.removeprefix("is_").removeprefix("has_").replace("_", " ")


def tool_row(random: Random, row: dict[str, Any], subject: Subject, level: Level) -> dict[str, Any]:
    """The row with tools to choose from, of which one takes the schema."""
    name, schema = subject.name, subject.made.schema
    key = random.choice(PAYLOAD_KEYS)
    others = random.sample([other for other in THINGS if other != name], random.randint(2, 4))
    made = {other: make_thing(random, other, level, "json").schema for other in others}
    tools = [tool(other, parameters, key) for other, parameters in {**made, name: schema}.items()]
    random.shuffle(tools)
    request = "Call the one tool that records these facts, once, with all of them."
    params = {
        "input": [{"role": "user", "content": f"{row['document']}\n\n{request}"}],
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": False,
    }
    return {
        **row,
        "response_mode": "tool_call",
        "tool_name": f"record_{name}",
        "tool_payload_key": key,
        "responses_create_params": params,
    }


def tool(name: str, schema: dict[str, Any], key: str | None) -> dict[str, Any]:
    return {
        "type": "function",
        "name": f"record_{name}",
        "description": f"Record the facts of one {spoken(name)}.",
        "parameters": schema if key is None else closed({key: schema}),
        # Strict decoding takes neither bounds nor patterns everywhere.
        "strict": False,
    }
