"""The Chat Completions API: what is sent and what comes back."""

import asyncio
from typing import Any

import pytest

from palestra.core.errors import Failure
from palestra.core.model import Reply, Sampling, Usage
from palestra.core.transcript import Transcript, user_message
from palestra.models.openai import OpenAIModel
from palestra.models.openai_chat import Dialect, chat_request
from tests.simulated_endpoint import SimulatedEndpoint, always, ask, chat_call, chat_completion, in_turn

CHAT = "/v1/chat/completions"
HELLO = [user_message("hello")]
ADD = {"type": "function", "name": "add", "description": "Add.", "parameters": {"type": "object"}, "strict": True}
OUTPUT = {"type": "function_call_output", "call_id": "call_a", "output": "2"}


def by_chat(body: Any, sampling: Sampling | None = None, **asked: Any) -> tuple[Reply, dict[str, Any]]:
    """The reply that this body makes, and the body that was sent for it."""
    reply, endpoint = ask(
        lambda url: OpenAIModel("m", base_url=url, api="chat"), {CHAT: always(body)}, sampling=sampling, **asked
    )
    return reply, endpoint.bodies(CHAT)[0]


def test_only_what_is_set_is_sent() -> None:
    assert by_chat(chat_completion("hi"))[1] == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_parameters_take_their_chat_names() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    extra: dict[str, Any] = {
        "instructions": "Be brief.",
        "reasoning": {"effort": "low"},
        "text": {"format": schema},
        "tool_choice": {"type": "function", "name": "add"},
        "parallel_tool_calls": False,
        "top_k": 5,
        "truncation": "auto",
        "include": ["x"],
        "user": None,
    }
    sampling = Sampling(temperature=0.5, top_p=0.9, max_output_tokens=50, seed=1, extra=extra)
    _, body = by_chat(chat_completion("hi"), sampling, tools=[ADD])
    function = {"name": "add", "description": "Add.", "parameters": {"type": "object"}}
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
        "tools": [{"type": "function", "function": function}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 50,
        "seed": 1,
        "top_k": 5,
        "reasoning_effort": "low",
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
    }


def test_without_tools_nothing_is_said_about_them() -> None:
    sampling = Sampling(extra={"tool_choice": "required", "parallel_tool_calls": True})
    assert set(by_chat(chat_completion("hi"), sampling)[1]) == {"model", "messages"}


def test_json_text_in_metadata_is_unpacked_below_the_named() -> None:
    metadata = {"extra_body": '{"top_k": 1, "min_p": 0.1}', "chat_template_kwargs": '{"thinking": false}', "a": "b"}
    _, body = by_chat(chat_completion("hi"), Sampling(extra={"metadata": metadata, "top_k": 2}))
    assert body["metadata"] == {"a": "b"}
    assert (body["top_k"], body["min_p"], body["chat_template_kwargs"]) == (2, 0.1, {"thinking": False})
    with pytest.raises(Failure, match="extra_body"):
        by_chat(chat_completion("hi"), Sampling(extra={"metadata": {"extra_body": "{"}}))


def test_a_tool_round_trip() -> None:
    first_body = chat_completion(None, finish_reason="tool_calls", tool_calls=[chat_call("add", {"n": 1}, None)])
    handlers = {CHAT: in_turn(first_body, chat_completion("2"))}

    async def talk() -> tuple[Reply, Reply, Any]:
        async with SimulatedEndpoint(handlers) as endpoint:
            model = OpenAIModel("m", base_url=endpoint.base_url, api="chat")
            first = await model.respond(HELLO, [ADD], Sampling())
            output = {**OUTPUT, "call_id": first.items[0]["call_id"]}
            second = await model.respond([*HELLO, *first.items, output], [ADD], Sampling())
            await model.close()
            return first, second, endpoint.bodies(CHAT)[1]["messages"]

    first, second, sent = asyncio.run(talk())
    assert (first.stop_reason, second.stop_reason) == ("tool_calls", "stop")
    assert sent[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [chat_call("add", '{"n": 1}', "call_1")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    ]


@pytest.mark.parametrize(
    ("finish_reason", "stop_reason"),
    [
        *[("length", "max_output_tokens"), ("content_filter", "content_filter")],
        *[("stop", "stop"), ("tool_calls", "stop"), (None, "stop")],
    ],
)
def test_stop_reasons(finish_reason: Any, stop_reason: str) -> None:
    assert by_chat(chat_completion("hi", finish_reason=finish_reason))[0].stop_reason == stop_reason


def test_thoughts_are_no_answer() -> None:
    reply, _ = by_chat(chat_completion("<think>it could be 7", reasoning_content="maybe 7", finish_reason="length"))
    assert [item["type"] for item in reply.items] == ["reasoning"]
    assert Transcript((), reply.items).reply == ""


def test_usage_with_gaps() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": 3}}
    assert by_chat({**chat_completion("hi"), "usage": usage})[0].usage == Usage(5, 0, 3, 0)
    assert by_chat({**chat_completion("hi"), "usage": None})[0].usage == Usage()


def test_logprobs_go_on_the_text() -> None:
    entries = [{"token": "hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}]
    body = chat_completion("hi", choice={"logprobs": {"content": entries}})
    reply, asked = by_chat(body, Sampling(extra={"top_logprobs": 1}))
    assert (asked["logprobs"], asked["top_logprobs"]) == (True, 1)
    assert reply.items[0]["content"][0]["logprobs"] == entries
    assert "logprobs" not in by_chat(body)[0].items[0]["content"][0]


def test_what_only_the_standard_library_can_encode_survives() -> None:
    body = chat_completion("\ud800 hi")
    reply, asked = by_chat(body, items=[user_message("\udfff 1")], sampling=Sampling(extra={"big": 2**70}))
    assert asked["messages"][0]["content"] == "\udfff 1"
    assert asked["big"] == 2**70
    assert Transcript((), reply.items).reply == "\ud800 hi"


def test_openai_itself_is_asked_in_its_own_words() -> None:
    sampling = Sampling(max_output_tokens=5)
    developer = [{"role": "user", "content": "a"}, {"role": "developer", "content": "b"}]
    own = chat_request("m", developer, [], sampling, Dialect(is_openai=True))
    other = chat_request("m", developer, [], sampling, Dialect())
    assert own["max_completion_tokens"] == other["max_tokens"] == 5
    assert (own["messages"][1]["role"], other["messages"][1]["role"]) == ("developer", "system")
