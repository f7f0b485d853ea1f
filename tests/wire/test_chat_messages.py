"""Responses items as chat messages, and chat messages as items."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.errors import Failure
from palestra.core.transcript import Transcript, item_text
from palestra.wire.chat import (
    items_from_message,
    items_from_messages,
    messages_from_items,
)
from palestra.wire.chat_tools import tools_for_chat, tools_from_chat
from palestra.wire.thinking import split_thinking

CALL = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"n": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"n": 1}'}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(*texts: str) -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "role": "assistant", "content": parts}


def reasoning(*texts: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text} for text in texts]}


def shown(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The items as (kind, what they say)."""
    return [
        (item["type"], [part["text"] for part in item["summary"]])
        if item["type"] == "reasoning"
        else (item["type"], item["call_id"], item["name"], item["arguments"])
        if item["type"] == "function_call"
        else (item["type"], item_text(item))
        for item in items
    ]


class TestMessagesFromItems:
    def test_a_tool_round_trip_keeps_its_order(self) -> None:
        items = [user("hi"), reasoning("a", "b"), assistant("I ", "add"), CALL, OUTPUT, assistant("2")]
        assert messages_from_items(items) == [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "<think>a</think><think>b</think>I add", "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "2"},
            {"role": "assistant", "content": "2"},
        ]

    def test_content_is_null_beside_calls_and_empty_without(self) -> None:
        assert messages_from_items([CALL]) == [{"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}]
        assert messages_from_items([assistant("")]) == [{"role": "assistant", "content": ""}]
        assert messages_from_items([reasoning()]) == []

    def test_leading_instructions_become_one_system_message(self) -> None:
        later = {"role": "developer", "content": [{"type": "input_text", "text": "e"}, {"type": "text", "text": "f"}]}
        items = [
            {"role": "system", "content": "b"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "c"}]},
            user("d"),
            later,
        ]
        messages = messages_from_items(items, instructions="a")
        assert messages[0] == {"role": "system", "content": "a\n\nb\n\nc"}
        assert messages[1:] == [user("d"), {"role": "developer", "content": "ef"}]
        replaced = messages_from_items(items, developer_as_system=True)
        assert replaced[-1] == {"role": "system", "content": "ef"}

    def test_texts_and_images_become_parts(self) -> None:
        image = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low", "file_id": None}
        text = {"type": "input_text", "text": "look"}
        assert messages_from_items([user([text])]) == [user("look")]
        assert messages_from_items([user([text, image])])[0]["content"] == [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        ]

    def test_a_tool_output_may_be_a_list_of_parts(self) -> None:
        parts = [{"type": "input_text", "text": "2"}]
        assert messages_from_items([{**OUTPUT, "output": parts}])[0]["content"] == "2"

    @pytest.mark.parametrize(
        ("item", "named"),
        [
            (user([{"type": "input_file", "file_id": "f"}]), "'input_file'"),
            (user([{"type": "input_image", "file_id": "f"}]), "'input_image'"),
            (user([{"type": ["odd"]}]), "['odd']"),
            (user(["text"]), "str"),
            (user(7), "int"),
            ({"role": "assistant", "content": [{"type": "input_image", "image_url": "u"}]}, "'input_image'"),
            ({"type": "web_search_call"}, "'web_search_call'"),
            ({"role": "critic", "content": "x"}, "'critic'"),
            ({}, "without type"),
        ],
    )
    def test_what_chat_has_no_place_for_is_named(self, item: dict[str, Any], named: str) -> None:
        with pytest.raises(Failure) as caught:
            messages_from_items([item])
        assert caught.value.code == "model-rejected-request"
        assert named in caught.value.message

    def test_reasoning_text_is_preferred_to_its_summary(self) -> None:
        item = {**reasoning("short"), "content": [{"type": "reasoning_text", "text": "long"}]}
        assert messages_from_items([item])[0]["content"] == "<think>long</think>"

    def test_token_ids_stay_with_their_turn(self) -> None:
        tokens = {"prompt_token_ids": [1], "generation_token_ids": [2], "generation_log_probs": [-0.5]}
        items = [user("a"), {**assistant("b"), **tokens}, user("c"), assistant("d")]
        with_ids = messages_from_items(items, token_ids=True)
        assert with_ids[1] == {"role": "assistant", "content": "b", **tokens}
        assert with_ids[3] == {"role": "assistant", "content": "d"}
        assert messages_from_items(items)[1] == {"role": "assistant", "content": "b"}


class TestItemsFromMessage:
    @pytest.mark.parametrize(
        ("content", "thoughts", "text"),
        [
            ("<think>a</think>b", ["a"], "b"),
            ("<think>a</think>b<think>c</think>\n\nd", ["a", "c"], "b\n\nd"),
            ("<think>the answer is 7", ["the answer is 7"], ""),
            ("\n<think>a</think><think>b", ["a", "b"], ""),
            ("a</think>b", ["a"], "b"),
            ("a</think>b<think>c</think>d", ["a", "c"], "bd"),
            ("<think>\n\n</think>b", [], "b"),
            ("write <think> first", [], "write <think> first"),
            ("plain", [], "plain"),
        ],
    )
    def test_thinking_is_not_answer(self, content: str, thoughts: list[str], text: str) -> None:
        assert split_thinking(content) == (thoughts, text)

    def test_reasoning_comes_first_then_message_then_calls(self) -> None:
        message = {"reasoning_content": "r", "content": "<think>s</think>t", "tool_calls": [CHAT_CALL]}
        assert shown(items_from_message(message)) == [
            ("reasoning", ["r", "s"]),
            ("message", "t"),
            ("function_call", "call_1", "add", '{"n": 1}'),
        ]

    def test_a_message_is_made_only_of_text_or_of_nothing(self) -> None:
        assert shown(items_from_message({"content": None, "reasoning": "r"})) == [("reasoning", ["r"])]
        assert shown(items_from_message({"content": "\n\n", "tool_calls": [CHAT_CALL]}))[0][0] == "function_call"
        assert shown(items_from_message({"content": None})) == [("message", "")]

    def test_odd_arguments_become_text(self) -> None:
        calls = [{"function": {"name": "add", "arguments": given}} for given in ({"n": "é"}, "", None, "{broken")]
        items = items_from_message({"tool_calls": calls})
        assert [item["arguments"] for item in items] == ['{"n": "é"}', "{}", "{}", "{broken"]

    def test_call_ids_are_never_used_twice(self) -> None:
        before = [user("hi"), {**CALL, "call_id": "0"}, {**OUTPUT, "call_id": "0"}]
        calls = [{"id": given, "function": {"name": "add"}} for given in ("0", None, "x", "x", "")]
        ids = [item["call_id"] for item in items_from_message({"tool_calls": calls}, before)]
        assert ids == ["call_3", "call_4", "x", "call_5", "call_6"]

    def test_content_may_be_a_list_of_parts(self) -> None:
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}
        parts = [thinking, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        assert shown(items_from_message({"content": parts})) == [("reasoning", ["r"]), ("message", "ab")]

    def test_a_refusal_is_a_part_but_no_text(self) -> None:
        (message,) = items_from_message({"content": None, "refusal": "no"})
        assert message["content"] == [{"type": "refusal", "refusal": "no"}]
        assert messages_from_items([message])[0]["content"] == "no"

    @pytest.mark.parametrize(
        "message",
        [
            {"content": 7},
            {"content": ["text"]},
            {"tool_calls": "add"},
            {"tool_calls": [{"function": None}]},
            {"tool_calls": [{"function": {"name": ""}}]},
        ],
    )
    def test_a_malformed_message_is_a_value_error(self, message: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"is|has"):
            items_from_message(message)


class TestToolsForChat:
    def test_strict_and_nulls_are_left_out(self) -> None:
        tool = {"type": "function", "name": "add", "description": None, "parameters": {"a": None}, "strict": True}
        assert tools_for_chat([tool]) == [{"type": "function", "function": {"name": "add", "parameters": {"a": None}}}]

    def test_hosted_tools_are_refused_by_name(self) -> None:
        with pytest.raises(Failure, match="web_search"):
            tools_for_chat([{"type": "web_search"}])


texts = st.text(max_size=20)
input_contents = st.one_of(
    texts, st.none(), st.lists(st.builds(lambda text: {"type": "input_text", "text": text}, texts), max_size=3)
)
outputs = st.one_of(texts, st.lists(st.builds(lambda text: {"type": "input_text", "text": text}, texts), max_size=3))
names = st.sampled_from(["call_1", "call_2"])
items = st.lists(
    st.one_of(
        st.builds(
            lambda role, content: {"role": role, "content": content},
            st.sampled_from(["user", "system", "developer"]),
            input_contents,
        ),
        st.builds(lambda said: assistant(*said), st.lists(texts, max_size=3)),
        st.builds(lambda thought: reasoning(*thought), st.lists(texts, max_size=3)),
        st.builds(lambda name, text: {**CALL, "call_id": name, "arguments": text}, names, texts),
        st.builds(lambda name, output: {**OUTPUT, "call_id": name, "output": output}, names, outputs),
    ),
    max_size=8,
)


def said_by(item: dict[str, Any]) -> list[str]:
    content = item.get("summary", item.get("output", item.get("content", item.get("arguments"))))
    return [content] if isinstance(content, str) else [part["text"] for part in content or []]


def said_in(message: dict[str, Any]) -> str:
    calls = "".join(call["function"]["arguments"] for call in message.get("tool_calls", []))
    return item_text(message) + calls


@given(items)
def test_conversion_keeps_all_text_and_the_shape_of_chat(conversation: list[dict[str, Any]]) -> None:
    messages = messages_from_items(conversation)
    rest = "".join(said_in(message) for message in messages)
    said = [text for item in conversation for text in said_by(item)]
    assert all(text in rest for text in said)
    assert sum(map(len, said)) <= len(rest)
    roles = [message["role"] for message in messages]
    assert all(pair != ("assistant", "assistant") for pair in pairwise(roles))
    assert all(message.get("tool_calls") != [] for message in messages)


@given(st.text(alphabet="ab<think>/ \n", max_size=60))
def test_no_finished_thought_remains_in_the_answer(content: str) -> None:
    thoughts, text = split_thinking(content)
    assert not text.lstrip().startswith("<think>")
    assert all(thought in content for thought in thoughts)


@given(texts, texts)
def test_a_reply_goes_there_and_back(thought: str, answer: str) -> None:
    message = {"role": "assistant", "content": f"<think>{thought}</think>{answer}"}
    back = messages_from_items(items_from_message(message))
    if thought.strip() and answer.strip() and "think>" not in thought + answer:
        assert back == [message]
    assert Transcript((), tuple(items_from_message(message))).reply in message["content"]


WORDS = st.text(st.characters(exclude_characters="<>", exclude_categories=("Cs",)), max_size=8)
TALKERS = st.one_of(
    st.builds(lambda text: {"role": "user", "content": text}, WORDS),
    st.builds(
        lambda texts: {"role": "user", "content": [{"type": "text", "text": text} for text in texts]},
        st.lists(WORDS, min_size=2, max_size=3),
    ),
    st.just({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]}),
    st.builds(lambda text: {"role": "tool", "tool_call_id": "call_1", "content": text}, WORDS),
)
SPOKEN = st.one_of(
    st.builds(lambda thought, text: f"<think>{thought}!</think>{text}!", WORDS, WORDS),
    WORDS.map(lambda text: text + "!"),
)
SPEECHES = st.one_of(
    st.builds(lambda text: {"role": "assistant", "content": text}, SPOKEN),
    st.builds(lambda text: {"role": "assistant", "content": text, "tool_calls": [CHAT_CALL]}, st.none() | SPOKEN),
)


class TestConversationsFromMessages:
    @given(st.lists(st.tuples(TALKERS, SPEECHES), max_size=4))
    def test_a_conversation_comes_back_as_it_was(self, turns: list[Any]) -> None:
        messages = [{"role": "system", "content": "Be brief."}, *(message for turn in turns for message in turn)]
        assert messages_from_items(items_from_messages(messages)) == messages

    def test_tools_come_back_as_they_were(self) -> None:
        tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
        assert tools_for_chat(tools_from_chat(tools)) == tools
        with pytest.raises(ValueError, match="not an object"):
            tools_from_chat([{"type": "function", "name": "add"}])

    @pytest.mark.parametrize(
        "message", [{}, {"role": "robot"}, {"role": "user", "content": 5}, {"role": "user", "content": [{"type": "x"}]}]
    )
    def test_what_is_no_message_is_a_value_error(self, message: Any) -> None:
        with pytest.raises(ValueError, match=r"role|content|part"):
            items_from_messages([message])
