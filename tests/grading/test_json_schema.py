"""Schemas are judged as draft 2020-12 says, and none of them can reach out or hang."""

import json
from pathlib import Path

import pytest

from palestra.grading.json_schema import SchemaError, read_schema, strictified

DISAGREES = {
    (
        "vocabulary",
        "schema that uses custom metaschema with with no validation vocabulary",
        "no validation: invalid number, but it still validates",
    ): "the schema's own metaschema is not looked at",
}
"""Required tests of the public suite with which we disagree, without those of remote references."""
REMOTE = "localhost:1234"
"""What the suite's remote references need a server for."""


def test_it_agrees_with_the_public_suite(shared: Path) -> None:
    found: set[tuple[str, str, str]] = set()
    total = 0
    for path in sorted((shared / "data/real/json_schema_suite/draft2020-12").glob("*.json")):
        for group in json.loads(path.read_text()):
            text = json.dumps(group["schema"])
            remote = REMOTE in text and read_schema(text).validator is None
            for test in () if remote or path.stem == "refRemote" else group["tests"]:
                total += 1
                valid = read_schema(text).violation(test["data"]) is None
                if valid != test["valid"]:
                    found.add((path.stem, group["description"], test["description"]))
    assert total > 1200
    assert found == set(DISAGREES)


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ('{"type": "foo"}', "at /type"),
        ('{"type": ', "not JSON"),
        ('{"type": "object", "type": "array"}', "given twice"),
        ('{"pattern": "("}', "at /pattern"),
        ('{"pattern": "((((a{100}){100}){100}){100}){100}"}', "at /pattern"),
        ('{"properties": {"a": {"required": {"item": ["b"]}}}}', "at /properties/a/required"),
        ("[" * 100_000, "nested more than"),
        ('"{}"', "got str"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(schema: str, part: str) -> None:
    with pytest.raises(SchemaError) as caught:
        read_schema(schema)
    assert part in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "other.json", "#/$defs/none"])
def test_a_reference_outside_is_never_followed(target: str) -> None:
    schema = read_schema(json.dumps({"$ref": target}))
    assert schema.violation({}) is not None


def test_what_a_schema_says_is_said_shortly() -> None:
    schema = read_schema('{"properties": {"a": {"items": {"type": "integer"}}}, "required": ["a"]}')
    assert schema.violation({"a": [1, 2.0]}) is None
    assert schema.violation({"a": [1, "x"]}) == 'at .a[1]: "x" is not of type "integer"'
    assert schema.violation({}) == '"a" is a required property'
    assert len(schema.violation({"a": ["x" * 100_000]}) or "") < 400


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, True, False),
        ({"type": "string", "format": "date"}, "nope", True),
        ({"type": "string", "nullable": True}, None, False),
        ({"type": "integer", "maximum": 5}, 10**400, False),
        ({"maxLength": 1}, "\ud800", True),
        ({"const": "\ud800"}, "\ud800", True),
        ({"const": "\ud800"}, "\ud801", False),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"\ud800": 1}, False),
        ({"properties": {"\ud800": {"type": "integer"}}, "additionalProperties": False}, {"\ud800": 1}, True),
        ({"properties": {"\ud800": {"type": "integer"}}}, {"\ud800": "x"}, False),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": 3}, 3, False),
        ({"pattern": "^(a+)+$"}, "a" * 40 + "b", False),
        ({"pattern": r"^(?=a)(a+)+\1$"}, "a" * 40 + "b", False),
        ({"patternProperties": {"^(x+x+)+y$": {"type": "integer"}}}, {"x" * 40: "x"}, True),
        (False, {}, False),
        (True, {}, True),
    ],
)
def test_edges(schema: object, value: object, valid: bool) -> None:
    assert (read_schema(json.dumps(schema)).violation(value) is None) is valid


def test_branches_that_multiply_cost_no_memory_to_refuse() -> None:
    branch = {"type": "object", "properties": {"n": {"$ref": "#/$defs/t"}}}
    kinds = [{**branch, "required": ["n", "z"]}, {**branch, "required": ["n", "y"]}, {"type": "null"}]
    schema = read_schema(json.dumps({"$defs": {"t": {"anyOf": kinds}}, "$ref": "#/$defs/t"}))
    value = None
    for _ in range(24):
        value = {"n": value}
    assert schema.violation(value) == "the value does not satisfy the schema"


def test_closing_a_schema_closes_its_objects_and_nothing_in_lists() -> None:
    inner = {"properties": {"b": {}}}
    schema = {
        "properties": {"a": inner, "properties": {"type": "string"}, "e": {"const": inner}},
        "anyOf": [inner],
        "$defs": {"required": inner},
    }
    closed = {"properties": {"b": {}}, "required": ["b"], "additionalProperties": False}
    assert strictified(schema) == {
        "properties": {"a": closed, "properties": {"type": "string"}, "e": {"const": inner}},
        "anyOf": [inner],
        "$defs": {"required": closed},
        "required": ["a", "properties", "e"],
        "additionalProperties": False,
    }
    assert strictified({"properties": {"a": {}}, "required": {"item": "a"}, "additionalProperties": "false"}) == {
        "properties": {"a": {}}, "required": ["a"], "additionalProperties": False,
    }  # fmt: skip
