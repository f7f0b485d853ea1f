"""Tools: their schema comes from signature and docstring, and whatever a model sends is answered with text."""

import asyncio
import json
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from palestra import Environment, Failure, PalestraError, Task, tool
from palestra.core.tools import answered, read_docstring, run_named, tools_of


class Unit(Enum):
    CELSIUS = "c"
    KELVIN = "k"


class Place(BaseModel):
    city: str
    title: str
    """A property that is called like a keyword."""


class ClosedPlace(BaseModel):
    model_config = ConfigDict(extra="forbid")

    city: str


class Weather:
    """Everything a signature can say."""

    @tool
    def everything(  # noqa: PLR0917
        self,
        text: str,
        whole: int,
        number: float,
        flag: bool,
        words: list[str],
        table: dict[str, int],
        choice: Literal["a", "b"],
        unit: Unit,
        place: Place,
        either: int | str,
        anything: Any,
        *,
        maybe: str | None = None,
        many: list[Place] | None = None,
        limit: Annotated[int, Field(ge=1, description="From the annotation.")] = 5,
    ) -> str:
        """Do everything.

        It takes two lines
        and a paragraph.

        Args:
            text: The first line
                and the second: with a colon.

                And another paragraph.
            whole (int, optional): A whole number.
            number (dict(str, int)): Nested brackets.
            flag:
                On a line of its own.
            words:

        Returns:
            text: never taken for an argument.
        """
        return "done"

    @tool
    def simple(self, city: str, days: list[int]) -> str:
        return city

    @tool
    def without_arguments(self) -> str:
        """Take nothing."""
        return "nothing"


TOOLS = tools_of(Weather)


def schema_of(name: str) -> dict[str, Any]:
    return TOOLS[name].schema["parameters"]


class TestSchema:
    def test_description_and_entries_come_from_a_google_docstring(self) -> None:
        assert TOOLS["everything"].schema["description"] == "Do everything.\n\nIt takes two lines\nand a paragraph."
        properties = schema_of("everything")["properties"]
        words = {name: properties[name]["description"] for name in ("text", "whole", "number", "flag", "words")}
        assert words == {
            "text": "The first line and the second: with a colon. And another paragraph.",
            "whole": "A whole number.",
            "number": "Nested brackets.",
            "flag": "On a line of its own.",
            "words": "",
        }

    def test_every_type_has_its_json_schema(self) -> None:
        schema = schema_of("everything")
        properties = schema["properties"]
        assert [properties[name]["type"] for name in ("text", "whole", "number", "flag")] == [
            "string",
            "integer",
            "number",
            "boolean",
        ]
        assert properties["words"]["items"] == {"type": "string"}
        assert properties["table"]["additionalProperties"] == {"type": "integer"}
        assert properties["choice"]["enum"] == ["a", "b"]
        assert schema["$defs"]["Unit"]["enum"] == ["c", "k"]
        assert properties["place"]["$ref"] == "#/$defs/Place"
        assert properties["either"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
        assert "type" not in properties["anything"]
        assert properties["maybe"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
        assert (properties["limit"]["default"], properties["limit"]["minimum"]) == (5, 1)

    def test_defaults_make_an_argument_optional(self) -> None:
        required = schema_of("everything")["required"]
        assert {"text", "anything"} <= set(required)
        assert not {"maybe", "many", "limit"} & set(required)

    def test_a_description_in_the_annotation_counts_where_the_docstring_has_none(self) -> None:
        assert schema_of("everything")["properties"]["limit"]["description"] == "From the annotation."

    def test_titles_are_dropped_but_not_a_property_of_that_name(self) -> None:
        place = schema_of("everything")["$defs"]["Place"]
        assert set(place["properties"]) == {"city", "title"}
        assert "title" not in place
        assert "title" not in schema_of("simple")["properties"]["city"]

    def test_a_default_that_holds_a_title_is_kept(self) -> None:
        class Book:
            @tool
            def read(self, book: dict[str, str] = {"title": "Emma"}) -> str:  # noqa: B006
                return book["title"]

        assert tools_of(Book)["read"].schema["parameters"]["properties"]["book"]["default"] == {"title": "Emma"}

    def test_a_tool_without_arguments_has_an_empty_closed_object(self) -> None:
        assert schema_of("without_arguments") == {
            "type": "object",
            "properties": {},
            "required": [],
            "additionalProperties": False,
        }

    def test_strict_is_claimed_only_for_what_strict_decoding_accepts(self) -> None:
        class Kinds:
            @tool
            def closed(self, place: ClosedPlace, either: int | None, many: list[ClosedPlace]) -> None: ...

            @tool
            def open_object(self, place: Place) -> None: ...

            @tool
            def free_keys(self, table: dict[str, int]) -> None: ...

            @tool
            def untyped(self, anything: Any) -> None: ...

            @tool
            def untyped_list(self, things: list[Any]) -> None: ...

            @tool
            def pair(self, pair: tuple[int, str]) -> None: ...

            @tool
            def optional(self, days: int = 1) -> None: ...

        strict = {name: found.schema["strict"] for name, found in tools_of(Kinds).items()}
        assert strict.pop("closed")
        assert not any(strict.values()), strict
        assert TOOLS["simple"].schema["strict"]
        assert TOOLS["without_arguments"].schema["strict"]

    def test_parameters_may_have_names_that_pydantic_reserves(self) -> None:
        class Reserved:
            @tool
            def use(self, copy: str, schema: int, model_config: str, _x: bool, argument_0: int = 3) -> str:
                return f"{copy} {schema} {model_config} {_x} {argument_0}"

        found = tools_of(Reserved)["use"]
        assert list(found.schema["parameters"]["properties"]) == ["copy", "schema", "model_config", "_x", "argument_0"]
        sent = {"copy": "a", "schema": 1, "model_config": "m", "_x": True}
        assert found.parse(json.dumps(sent)) == {**sent, "argument_0": 3}

    def test_a_parameter_without_annotation_is_an_error_of_the_author(self) -> None:
        class Bad:
            @tool
            def use(self, city) -> str:  # type: ignore[no-untyped-def]
                return city

        with pytest.raises(TypeError, match="tool 'use': parameter 'city' has no type annotation"):
            tools_of(Bad)

    def test_parameters_that_cannot_be_given_by_name_are_errors_of_the_author(self) -> None:
        def positional(self: Any, city: str, /) -> None: ...
        def rest(self: Any, *cities: str) -> None: ...
        def keywords(self: Any, **cities: str) -> None: ...

        for method in (positional, rest, keywords):
            with pytest.raises(TypeError, match="cannot be given by name"):
                tools_of(type("Bad", (), {"use": tool(method)}))

    def test_a_type_without_schema_is_an_error_of_the_author(self) -> None:
        class Bad:
            @tool
            def use(self, when: Path, what: type(lambda: 0)) -> str:  # type: ignore[valid-type]
                return str(what)

        with pytest.raises(TypeError, match="tool 'use'"):
            tools_of(Bad)

    def test_static_and_class_methods_are_refused(self) -> None:
        class Bad:
            @tool
            @staticmethod
            def use(city: str) -> str:
                return city

        with pytest.raises(TypeError, match="must be a plain method"):
            tools_of(Bad)

    def test_tools_of_base_classes_come_first_and_an_override_brings_its_own_signature(self) -> None:
        class Base:
            @tool
            def first(self, a: int) -> None: ...

            @tool
            def second(self) -> None: ...

        class Derived(Base):
            def first(self, a: int, b: str) -> None: ...  # type: ignore[override]

            @tool
            def third(self) -> None: ...

        found = tools_of(Derived)
        assert list(found) == ["first", "second", "third"]
        assert list(found["first"].schema["parameters"]["properties"]) == ["a", "b"]
        assert list(tools_of(Base)["first"].schema["parameters"]["properties"]) == ["a"]


class TestDocstrings:
    def test_args_in_running_text_begin_no_section(self) -> None:
        assert read_docstring("Kwargs: and Args: are words.") == ("Kwargs: and Args: are words.", {})

    def test_a_section_ends_where_the_indentation_does(self) -> None:
        text = "Do.\n\nArgs:\n    a: One.\n    b: Two.\nRaises:\n    c: no argument."
        assert read_docstring(text) == ("Do.", {"a": "One.", "b": "Two."})

    def test_no_docstring_is_an_empty_description(self) -> None:
        assert read_docstring("") == ("", {})

    @settings(deadline=None)
    @given(st.text())
    def test_any_text_can_be_read(self, text: str) -> None:
        description, entries = read_docstring(text + "\nArgs:\n" + text)
        assert isinstance(description, str)
        assert all(isinstance(words, str) for words in entries.values())


class Caller:
    """What a tool can do to its caller."""

    @tool
    def get(self, city: str) -> str:
        return city

    @tool
    def count(self, n: float = 1.0, things: list[str] = []) -> Any:  # noqa: B006
        things.append("x")
        return {"n": n, "things": things}

    @tool
    def greet(self, place: Place, unit: Unit = Unit.KELVIN) -> Place:
        assert isinstance(place, Place)
        assert isinstance(unit, Unit)
        return place

    @tool
    async def later(self) -> str:
        await asyncio.sleep(0)
        return "later"

    @tool
    def fails(self) -> None:
        raise KeyError("no such key")

    @tool
    def unwritable(self) -> Any:
        return {("a", "tuple"): 1}

    @tool
    def circle(self) -> Any:
        found: list[Any] = []
        found.append(found)
        return found

    @tool
    def failure(self) -> None:
        raise Failure("judge", "down")

    @tool
    def unnamed_role(self) -> None:
        raise PalestraError("usage", "the environment asks for a 'user' model")


def call(name: Any, arguments: Any = "{}", **more: Any) -> str:
    item = {"type": "function_call", "call_id": "c", "name": name, "arguments": arguments, **more}
    output = asyncio.run(answered(item, partial(run_named, Caller(), tools_of(Caller))))
    assert output["type"] == "function_call_output"
    assert output["call_id"] == item["call_id"]
    return output["output"]


def error_of(text: str) -> str:
    return json.loads(text)["error"]


class TestDispatch:
    def test_a_string_is_sent_as_it_is_and_anything_else_as_compact_json(self) -> None:
        assert call("get", '{"city":"Zürich"}') == "Zürich"
        assert call("count", '{"n":2}') == '{"n":2.0,"things":["x"]}'
        assert call("greet", '{"place":{"city":"x","title":"y"}}') == '{"city":"x","title":"y"}'
        assert call("later", "") == "later"

    def test_a_lone_surrogate_reaches_the_tool_and_comes_back(self) -> None:
        assert call("get", '{"city":"\\ud800"}') == "\ud800"

    def test_defaults_are_not_shared_between_calls(self) -> None:
        assert [json.loads(call("count"))["things"] for _ in range(2)] == [["x"], ["x"]]

    def test_arguments_sent_as_an_object_are_taken(self) -> None:
        assert call("get", {"city": "x"}) == "x"

    @pytest.mark.parametrize(
        ("name", "arguments", "expected"),
        [
            ("get", '{"city": ', "Invalid tool call arguments: JSONDecodeError"),
            ("get", "[1]", "expected a JSON object, got list"),
            ("get", "", "city: Field required"),
            ("get", None, "city: Field required"),
            ("get", '{"city": 5}', "city: Input should be a valid string (got '5')"),
            ("get", '{"town": "x"}', "town: Extra inputs are not permitted"),
            ("get", "[" * 100_000, "Invalid tool call arguments"),
            ("get", json.dumps({"city": "x" * 1_000_000}), "characters, at most 1000000"),
            ("get", '{"city": "\\u0000"}', "U+0000"),
            ("count", '{"n": NaN}', "not a finite number"),
            ("count", '{"n": "inf"}', "finite number"),
            ("count", '{"n": 1e999}', "1e999 is not a finite number"),
            ("count", '{"n": ' + "9" * 5000 + "}", "Invalid tool call arguments"),
            ("fails", "{}", "KeyError: 'no such key'"),
            ("unwritable", "{}", "TypeError"),
            ("circle", "{}", "ValueError"),
            ("gett", "{}", "Unknown tool 'gett'. Did you mean 'get'? Available tools: circle"),
            ("__class__", "{}", "Unknown tool '__class__'"),
            ("get\r\nX: 1", "{}", "Unknown tool 'get\\r\\nX: 1'"),
            (None, "{}", "Unknown tool ''"),
            (5, "{}", "Unknown tool '5'"),
            ("x" * 10_000, "{}", "Unknown tool 'xxx"),
        ],
    )
    def test_what_is_wrong_with_a_call_is_said_to_the_model(self, name: Any, arguments: Any, expected: str) -> None:
        said = error_of(call(name, arguments))
        assert expected in said
        assert len(said) < 2500
        assert "\n" not in said

    def test_an_escaped_backslash_before_u0000_is_no_nul(self) -> None:
        assert call("get", json.dumps({"city": "\\u0000"})) == "\\u0000"
        assert "U+0000" in error_of(call("get", json.dumps({"city": "\\\u0000"})))

    @pytest.mark.parametrize("call_id", [None, "", 5, ["x"]])
    def test_a_call_that_cannot_be_answered_is_not_run(self, call_id: Any) -> None:
        assert "no call_id" in error_of(call("get", '{"city":"x"}', call_id=call_id))

    def test_a_caller_in_this_process_may_leave_the_id_out(self) -> None:
        item = {"type": "function_call", "name": "get", "arguments": '{"city":"x"}'}
        output = asyncio.run(answered(item, partial(run_named, Caller(), tools_of(Caller))))
        assert output == {"type": "function_call_output", "call_id": None, "output": "x"}

    def test_a_failure_and_an_error_of_the_user_escape(self) -> None:
        with pytest.raises(Failure):
            call("failure")
        with pytest.raises(PalestraError):
            call("unnamed_role")

    @settings(deadline=None, max_examples=40)
    @given(st.text(), st.text() | st.dictionaries(st.text(), st.integers()))
    def test_nothing_a_model_sends_raises(self, name: str, arguments: Any) -> None:
        call(name, arguments)
        call("greet", arguments)


class City(Task):
    pass


class Cities(Environment[City]):
    @tool
    def get(self, city: str) -> str:
        return city


def test_the_corpus_of_broken_calls_is_answered_with_errors(shared: Path) -> None:
    lines = (shared / "data" / "corpus" / "structured_bad.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "tool_call" in row]
    assert rows
    for row in rows:
        item = {"type": "function_call", "call_id": "c", **row["tool_call"]}
        assert row["must"] == "error_to_model"
        output = asyncio.run(answered(item, partial(run_named, object.__new__(Cities), Cities.tools)))
        assert error_of(output["output"]), row["id"]
