"""Formats are read strictly, in bounded time and memory, and nothing is fetched."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
import xmltodict
import yaml
from hypothesis import given
from hypothesis import strategies as st

from palestra.grading.coercion import from_csv, from_xml
from palestra.grading.structured import MAX_VALUES, NoJsonValue, Unreadable, read

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "m0: &m0 {a: 1, b: 2}\n" + "".join(
    f"m{n + 1}: &m{n + 1}\n  <<: [{', '.join([f'*m{n}'] * 20)}]\n" for n in range(12)
)
BOMBS = [
    ("yaml", LAUGHS),
    ("yaml", "&a [*a]"),
    ("yaml", "[" * 100_000 + "]" * 100_000),
    ("yaml", "- " * 100_000),
    ("yaml", "- a\n" * 400_000),
    ("yaml", "a: &a 1\n" + "".join(f"b{n}: *a\n" for n in range(2000))),
    ("json", "[" * 100_000 + "]" * 100_000),
    ("json", '{"a":' * 100_000 + "1" + "}" * 100_000),
    ("json", "[" * 1_000_000),
    ("json", "9" * 100_000),
    ("json", "[" + "1," * MAX_VALUES + "1]"),
    ("json", " " * 2_000_001),
    ("toml", ".".join("a" * 200_000) + " = 1"),
    ("toml", "a = " + "[" * 100_000),
    ("toml", 'a = """' + '\\"""' * 300_000),
    ("toml", "[" + ".".join("a" * 200_000) + "]"),
    ("xml", "<a>" * 100_000 + "</a>" * 100_000),
    ("xml", "<r>" + "<a/>" * 250_000 + "</r>"),
    ("xml", '<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>'),
    ("xml", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    ("xml", '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]><a/>'),
    ("csv", ",".join("abcdefghij") + "\n" + "1,2,3,4,5,6,7,8,9,0\n" * 50_000),
    ("csv", "a\n" + "x" * 200_000),
]


@pytest.mark.parametrize(("form", "text"), BOMBS)
def test_what_would_take_much_is_refused_soon(form: Any, text: str) -> None:
    began = time.process_time()
    with pytest.raises(Unreadable):
        read(text, form)
    assert time.process_time() - began < 3


def test_merges_of_merges_stay_small() -> None:
    assert read(MERGES, "yaml")["m12"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("json", '{"a": 1, "b": 2, "a": 3}', "the key 'a' is given twice"),
        ("json", "[NaN]", "NaN is not a number of JSON"),
        ("json", "[-Infinity]", "-Infinity"),
        ("json", "[1e999]", "inf is not a finite number"),
        ("json", "\ufeff{}", "not JSON"),
        ("json", "{} {}", "not JSON"),
        ("yaml", "a: 1\na: 2", "the key 'a' is given twice"),
        ("yaml", "a: .nan", "not a finite number"),
        ("yaml", "a: 1\n---\nb: 1", "more than one document"),
        ("yaml", "!!python/object/apply:os.system [ls]", "not YAML"),
        ("yaml", "? [a]\n: 1", "not YAML"),
        ("yaml", "a: [", "not YAML"),
        ("toml", "a = nan", "not a finite number"),
        ("toml", "a = 1\na = 2", "not TOML"),
        ("xml", "<a/><b/>", "not XML"),
        ("xml", "text", "not XML"),
        ("xml", "<a>\ud800</a>", "not XML"),
        ("csv", "a,a\n1,2", "the column 'a' is given twice"),
        ("csv", "a,b\n1,2,3", "row 1 has 3 cells"),
        ("csv", "a,b\n1,2\n3", "row 2 has 1 cells"),
        ("csv", 'a\n"b"c', "not CSV"),
        ("csv", "a,b", "no row below its header"),
        ("csv", "", "no row below its header"),
    ],
)
def test_what_is_not_the_format_says_why(form: Any, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(text, form)


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("yaml", "a: 2020-01-01", "'2020-01-01' is read as a date"),
        ("yaml", "1: a", "the key '1' is read as a int"),
        ("yaml", "!!set {a}", "read as a set"),
        ("yaml", "a: !!binary aGk=", "read as a bytes"),
        ("toml", "a = 07:30:00", "read as a time"),
    ],
)
def test_what_json_cannot_say_says_so(form: Any, text: str, said: str) -> None:
    with pytest.raises(NoJsonValue, match=said):
        read(text, form)


def test_equal_keys_count_last_only_where_that_is_asked_for() -> None:
    assert read('{"a": 1, "a": 2}', "json", repeated_keys=True) == {"a": 2}
    assert read("a: 1\na: 2", "yaml", repeated_keys=True) == {"a": 2}
    assert read("a,a\n1,2", "csv", repeated_keys=True) == [{"a": "2"}]
    assert read("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2", "yaml") == {"x": {"a": 1}, "y": {"a": 2}}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(blacklist_categories=["Cs", "Cc"])), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON_VALUES)
def test_what_was_written_is_read(value: Any) -> None:
    assert read(json.dumps(value), "json") == value
    assert read(yaml.safe_dump(value, allow_unicode=True), "yaml") == value


@given(st.sampled_from(["json", "yaml", "xml", "toml", "csv"]), st.text() | st.text("[]{}<>/&*:-=,.\"'\n abc1"))
def test_no_text_breaks_a_reader(form: Any, text: str) -> None:
    with suppress(Unreadable, NoJsonValue):
        json.dumps(read(text, form), allow_nan=False)


SCHEMA = {
    "properties": {
        "i": {"type": "integer"},
        "n": {"type": ["number", "null"]},
        "b": {"type": "boolean"},
        "s": {"type": "string"},
        "l": {"type": "array", "items": {"$ref": "#/$defs/point"}},
        "t": {"type": "array", "items": {"type": "string"}},
        "e": {"enum": [1, 2]},
        "o": {"type": "object"},
    },
    "$defs": {"point": {"type": "object", "properties": {"x": {"type": "integer"}}}, "loop": {"$ref": "#/$defs/loop"}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<r><i> 12 </i></r>", {"i": 12}),
        ("<r><i>1.5</i></r>", {"i": 1.5}),
        ("<r><i>1_000</i></r>", {"i": "1_000"}),
        ("<r><i>\u0663</i></r>", {"i": "\u0663"}),
        ("<r><n/></r>", {"n": None}),
        ("<r><n>-2.5e3</n></r>", {"n": -2500.0}),
        ("<r><n>nan</n></r>", {"n": "nan"}),
        ("<r><b>TRUE</b></r>", {"b": True}),
        ("<r><b>0</b></r>", {"b": False}),
        ("<r><b>yes</b></r>", {"b": "yes"}),
        ("<r><s>12</s></r>", {"s": "12"}),
        ("<r><s/></r>", {"s": ""}),
        ("<r><o/></r>", {"o": {}}),
        ("<r><e>2</e></r>", {"e": 2}),
        ("<r><t/></r>", {"t": []}),
        ("<r><t>a</t></r>", {"t": ["a"]}),
        ("<r><t>a</t><t>b</t></r>", {"t": ["a", "b"]}),
        ("<r><t><any>a</any><any>b</any></t></r>", {"t": ["a", "b"]}),
        ("<r><l><x>1</x></l></r>", {"l": [{"x": 1}]}),
        ("<r><l><p><x>1</x></p><p><x>2</x></p></l></r>", {"l": [{"x": 1}, {"x": 2}]}),
        ("<r/>", ""),
    ],
)
def test_xml_becomes_the_types_of_the_schema(text: str, value: Any) -> None:
    assert from_xml(xmltodict.parse(text), SCHEMA) == value


def test_the_root_element_stays_where_the_schema_names_it() -> None:
    wrapped = {"type": "object", "properties": {"r": SCHEMA}}
    assert from_xml({"r": {"i": "1"}}, wrapped) == {"r": {"i": 1}}
    assert from_xml({"r": {"i": "1"}}, SCHEMA, types=False) == {"i": "1"}
    assert from_xml({"r": "1"}, {"$ref": "#/$defs/loop", **SCHEMA}) == "1"
    assert from_xml({"r": "1"}, False) == "1"


def test_csv_becomes_the_types_of_the_schema() -> None:
    schema = {"type": "array", "items": SCHEMA}
    rows = [{"i": "1", "n": "", "b": "false", "s": "", "z": "1"}]
    assert from_csv(rows, schema) == [{"i": 1, "n": None, "b": False, "s": "", "z": "1"}]
    assert from_csv(rows, {"type": "object"}) == rows
