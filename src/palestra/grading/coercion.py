"""Formats whose values are all texts (XML, CSV), brought to the types that a JSON Schema names."""

import re
from typing import Any, cast

MAX_HOPS = 20
"""References that are followed from one schema to another."""

INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}.items()
TYPE_NAMES = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (type(None), "null"))


def from_xml(document: Any, schema: Any, *, types: bool = True) -> Any:
    """What xmltodict read, as a value of the schema's types: the content of the root element, converted if `types`.

    An array is a repeated element, or an element around repeated ones. An empty element is an empty text, array or
    object, or null. What does not read as its type stays a text, so that the schema refuses it.
    """
    content = without_root(document, schema)
    return typed_element(content, schema, schema) if types else content


def without_root(document: Any, schema: Any) -> Any:
    """The content of the root element; the document itself if its root is the only property of the schema."""
    content = as_object(document)
    if not content or set(properties_of(schema)) == set(content):
        return document
    return next(iter(content.values()))


def typed_element(value: Any, schema: Any, root: Any) -> Any:
    schema = resolved(schema, root)
    kinds = kinds_of(schema)
    if "array" in kinds:
        items = as_object(schema).get("items", True)
        return [typed_element(entry, items, root) for entry in entries_of(value, resolved(items, root))]
    if isinstance(value, dict):
        properties = properties_of(schema)
        return {
            name: typed_element(entry, properties.get(name, True), root) for name, entry in as_object(value).items()
        }
    if value is None and "object" in kinds:
        return {}
    if value is None:
        return "" if "string" in kinds or not kinds else None if "null" in kinds else ""
    return scalar(value, kinds) if isinstance(value, str) else value


def entries_of(value: Any, items: Any) -> list[Any]:
    if value is None:
        return []
    if len(as_object(value)) == 1:
        name, content = next(iter(as_object(value).items()))
        # One object of one field looks the same; only the schema tells.
        if name not in properties_of(items):
            value = content
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def from_csv(rows: list[dict[str, str]], schema: Any) -> Any:
    """The rows of a table, as objects of the types of an array's items. An empty cell is null where that is allowed."""
    items = resolved(as_object(schema).get("items", True), schema)
    properties = {name: kinds_of(resolved(entry, schema)) for name, entry in properties_of(items).items()}
    return [{name: cell(text, properties.get(name, set())) for name, text in row.items()} for row in rows]


def cell(text: str, kinds: set[str]) -> Any:
    return None if not text and "null" in kinds else scalar(text, kinds)


def scalar(text: str, kinds: set[str]) -> Any:
    """The text as the first of the allowed types that it reads as, or as it is."""
    if "string" in kinds:
        return text
    plain = text.strip()
    for word, value in BOOLEANS:
        if "boolean" in kinds and plain.lower() == word:
            return value
    if kinds & {"integer", "number"} and INTEGER.fullmatch(plain):
        return int(plain)
    if kinds & {"integer", "number"} and len(plain) <= 400 and NUMBER.fullmatch(plain):
        return float(plain)
    return None if "null" in kinds and plain in ("", "null") else text


def kinds_of(schema: Any) -> set[str]:
    """The types that a schema allows by `type`, or else by its `enum` or `const`; empty if it names none."""
    found = as_object(schema)
    if "type" in found:
        kinds = found["type"]
        return {str(kind) for kind in cast("list[Any]", kinds)} if isinstance(kinds, list) else {str(kinds)}
    allowed = found.get("enum", [found["const"]] if "const" in found else [])
    return {name for value in allowed for kind, name in TYPE_NAMES if type(value) is kind}


def properties_of(schema: Any) -> dict[str, Any]:
    return as_object(as_object(schema).get("properties"))


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one: a boolean schema says nothing of properties."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def resolved(schema: Any, root: Any) -> Any:
    """The schema that a `#/...` reference leads to; what leads nowhere, or in circles, allows anything."""
    for _ in range(MAX_HOPS):
        reference = as_object(schema).get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        schema = root
        for part in reference.split("/")[1:]:
            schema = as_object(schema).get(part.replace("~1", "/").replace("~0", "~"), True)
    return True
