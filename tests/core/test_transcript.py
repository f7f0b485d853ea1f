"""Transcripts read what real endpoints send, well-formed or not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra import Transcript
from palestra.core.transcript import (
    Call,
    argument_text,
    assistant_message,
    content_text,
    is_assistant_message,
    is_from_model,
    output_text,
    split_turns,
    user_message,
)


def transcript(*output: Any) -> Transcript:
    return Transcript((user_message("q"),), output)


def call(call_id: Any = "c", name: Any = "f", arguments: Any = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def result(text: Any, call_id: Any = "c") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


class TestReply:
    def test_the_reply_is_the_last_assistant_message_alone(self) -> None:
        found = transcript(
            assistant_message("one"), user_message("no"), assistant_message("two"), {"type": "reasoning", "summary": []}
        )
        assert (found.reply, found.text) == ("two", "onetwo")

    def test_no_assistant_message_is_an_empty_reply(self) -> None:
        assert transcript().reply == ""
        assert transcript(call(), result("42")).reply == ""

    def test_reasoning_is_never_reply_text(self) -> None:
        reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "42"}], "role": "assistant"}
        assert transcript({**reasoning, "content": [{"type": "reasoning_text", "text": "42"}]}).text == ""

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (None, ""),
            ("plain", "plain"),
            ([], ""),
            ([{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}], "ab"),
            ([{"type": "refusal", "refusal": "no"}], ""),
            ([{"type": "output_text"}, None, 5, "x", {"text": None}, {"text": "y"}], "y"),
            (5, ""),
            ({"text": "a"}, ""),
        ],
    )
    def test_content_of_any_form_is_read(self, content: Any, text: str) -> None:
        assert transcript({"type": "message", "role": "assistant", "content": content}).reply == text

    @pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": "message"}])
    def test_a_message_needs_no_type(self, kind: dict[str, Any]) -> None:
        assert transcript({**kind, "role": "assistant", "content": "x"}).reply == "x"

    @pytest.mark.parametrize("kind", [5, ["message"], {"a": 1}, "Message", "web_search_call"])
    def test_an_item_of_another_type_is_no_message(self, kind: Any) -> None:
        assert transcript({"type": kind, "role": "assistant", "content": "x"}).reply == ""


class TestCalls:
    def test_each_call_has_its_output(self) -> None:
        found = transcript(call("a", "f", '{"x":1}'), call("b", "g"), result("B", "b"), result("A", "a"), call("c"))
        assert found.calls == (Call("f", '{"x":1}', "A"), Call("g", "{}", "B"), Call("f", "{}", None))
        assert found.calls_of("g") == (Call("g", "{}", "B"),)

    @pytest.mark.parametrize("call_id", ["same", None, 5, ["x"], {"a": 1}])
    def test_calls_that_share_an_id_get_their_outputs_in_order(self, call_id: Any) -> None:
        found = transcript(
            call(call_id, "f"), result("first", call_id), call(call_id, "g"), result("second", call_id), call(call_id)
        )
        assert [entry.output for entry in found.calls] == ["first", "second", None]

    def test_calls_without_id_are_matched_too(self) -> None:
        bare: dict[str, Any] = {"type": "function_call"}
        assert transcript(bare, {"type": "function_call_output", "output": "x"}).calls == (Call("", "{}", "x"),)

    @pytest.mark.parametrize(
        ("arguments", "parsed"),
        [('{"a":1}', {"a": 1}), ("", {}), ("{", None), ("[1]", None), ("null", None), ("[" * 100_000, None)],
    )
    def test_arguments_are_an_object_or_nothing(self, arguments: str, parsed: Any) -> None:
        assert transcript(call(arguments=arguments)).calls[0].parsed() == parsed

    def test_arguments_of_other_types_become_text(self) -> None:
        assert argument_text(call(arguments={"a": "é"})) == '{"a": "\\u00e9"}'
        assert argument_text(call(arguments=None)) == "{}"
        assert argument_text({"type": "function_call"}) == "{}"

    def test_outputs_of_other_types_become_text(self) -> None:
        assert output_text(result([{"type": "input_text", "text": "a"}])) == "a"
        assert output_text(result({"a": 1})) == '{"a": 1}'
        assert output_text(result(None)) == ""


class TestTurns:
    def test_turns_are_what_was_said_and_what_came_back(self) -> None:
        said = [{"type": "reasoning", "summary": []}, call("a"), call("b")]
        back = [result("A", "a"), result("B", "b"), user_message("go on")]
        end = [assistant_message("done")]
        assert split_turns([*said, *back, *end]) == [(said, back), (end, [])]
        assert split_turns([]) == []

    def test_what_the_environment_says_first_is_a_turn_without_a_reply(self) -> None:
        assert split_turns([user_message("hi"), assistant_message("yes")]) == [
            ([], [user_message("hi")]),
            ([assistant_message("yes")], []),
        ]

    @pytest.mark.parametrize("kind", [None, 5, ["x"]])
    def test_odd_types_do_not_break_turns(self, kind: Any) -> None:
        assert len(split_turns([{"type": kind, "role": "assistant"}, {"type": kind, "role": "user"}])) >= 1
        assert is_from_model({"type": None, "role": "assistant"})
        assert not is_from_model({"type": None, "role": "user"})


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning"]) | VALUES,
        "role": st.sampled_from(["assistant", "user"]) | VALUES,
        "content": st.lists(st.dictionaries(st.sampled_from(["type", "text"]), VALUES) | VALUES) | VALUES,
        "call_id": VALUES,
        "name": VALUES,
        "arguments": VALUES | st.dictionaries(st.text(max_size=2), VALUES, max_size=2),
        "output": VALUES | st.dictionaries(st.text(max_size=2), VALUES, max_size=2),
    },
)


@settings(deadline=None)
@given(st.lists(ITEMS, max_size=6))
def test_no_items_break_a_transcript(items: list[dict[str, Any]]) -> None:
    found = transcript(*items)
    assert found.text.endswith(found.reply)
    assert all(isinstance(entry.name + entry.arguments, str) for entry in found.calls)
    assert [item for turn in split_turns(items) for part in turn for item in part] == items
    for item in items:
        assert isinstance(is_assistant_message(item), bool)
        assert isinstance(content_text(item.get("content")), str)
