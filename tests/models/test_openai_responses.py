"""The Responses API: what is sent and what comes back."""

import asyncio
from typing import Any

import pytest

from palestra.core.model import Reply, Sampling, Usage
from palestra.core.transcript import Transcript, user_message
from palestra.models.openai import OpenAIModel
from tests.simulated_endpoint import SimulatedEndpoint, always, ask, in_turn, response

RESPONSES = "/v1/responses"
HELLO = [user_message("hello")]
ADD = {"type": "function", "name": "add", "description": "Add.", "parameters": {"type": "object"}, "strict": True}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add", "arguments": "{}", "status": None}
OUTPUT = {"type": "function_call_output", "call_id": "call_a", "output": "2", "id": None, "status": None}


def by_responses(body: Any, sampling: Sampling | None = None, **asked: Any) -> tuple[Reply, dict[str, Any]]:
    """The reply that this body makes, and the body that was sent for it."""
    reply, endpoint = ask(
        lambda url: OpenAIModel("m", base_url=url, api="responses"),
        {RESPONSES: always(body)},
        sampling=sampling,
        **asked,
    )
    return reply, endpoint.bodies(RESPONSES)[0]


def test_only_what_is_set_is_sent() -> None:
    _, body = by_responses(response(text="hi"))
    assert body == {"model": "m", "input": HELLO}


def test_parameters_go_by_name_and_seed_stays() -> None:
    extra = {"reasoning": {"effort": "low"}, "tool_choice": "auto", "user": None, "stream": True}
    sampling = Sampling(temperature=0.0, top_p=0.9, max_output_tokens=50, seed=1, extra=extra)
    _, body = by_responses(response(text="hi"), sampling, tools=[ADD])
    assert body == {
        "model": "m",
        "input": HELLO,
        "tools": [ADD],
        "temperature": 0.0,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "reasoning": {"effort": "low"},
        "tool_choice": "auto",
    }


def test_logprobs_are_included_only_when_asked_for() -> None:
    sampling = Sampling(extra={"top_logprobs": 2, "include": ["reasoning.encrypted_content"]})
    _, body = by_responses(response(text="hi"), sampling)
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert body["top_logprobs"] == 2


def test_the_reply_keeps_its_items_as_they_came() -> None:
    reasoning: dict[str, Any] = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [],
        "encrypted_content": "x",
        "status": None,
    }
    sent = response(
        reasoning,
        text="hi",
        usage={
            "input_tokens": 5,
            "output_tokens": 7,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens_details": {"reasoning_tokens": 2},
        },
    )
    reply, _ = by_responses(sent)
    assert list(reply.items) == sent["output"]
    assert (reply.stop_reason, reply.model, reply.usage) == ("stop", "simulated-1", Usage(5, 7, 3, 2))


def test_a_tool_round_trip() -> None:
    handlers = {RESPONSES: in_turn(response(CALL), response(text="2"))}

    async def talk() -> tuple[Reply, Reply, Any]:
        async with SimulatedEndpoint(handlers) as endpoint:
            model = OpenAIModel("m", base_url=endpoint.base_url + "/")
            first = await model.respond(HELLO, [ADD], Sampling())
            second = await model.respond([*HELLO, *first.items, OUTPUT], [ADD], Sampling())
            await model.close()
            return first, second, endpoint.bodies(RESPONSES)[1]["input"]

    first, second, sent = asyncio.run(talk())
    assert (first.stop_reason, second.stop_reason) == ("tool_calls", "stop")
    assert sent == [
        *HELLO,
        {key: value for key, value in CALL.items() if key != "status"},
        {"type": "function_call_output", "call_id": "call_a", "output": "2"},
    ]


def test_items_of_other_backends_are_sent_clean() -> None:
    tokens = {"prompt_token_ids": [1], "generation_token_ids": [2], "generation_log_probs": [-0.5]}
    items = [{**CALL, "id": "call_a", **tokens}, OUTPUT]
    _, body = by_responses(response(text="hi"), items=items)
    assert body["input"][0] == {"type": "function_call", "call_id": "call_a", "name": "add", "arguments": "{}"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete"}, "max_output_tokens"),
        ({"status": None}, "stop"),
    ],
)
def test_stop_reasons(fields: dict[str, Any], reason: str) -> None:
    assert by_responses(response(text="hi", **fields))[0].stop_reason == reason


def test_saying_nothing_is_an_answer() -> None:
    reply, _ = by_responses(response())
    assert Transcript((), reply.items).reply == ""
    assert reply.items[0]["role"] == "assistant"
