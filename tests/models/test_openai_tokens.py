"""Token ids from each place where endpoints put them, and the check that a rollout's tokens stay what they were."""

from collections.abc import Mapping
from typing import Any

import pytest

from palestra.core.errors import Failure
from palestra.core.model import CallTokens, Reply, Sampling, TokenTrace
from palestra.core.transcript import assistant_message, user_message
from palestra.models.openai import OpenAIModel
from tests.simulated_endpoint import Answer, Handler, SimulatedEndpoint, always, ask, chat_completion

CHAT = "/v1/chat/completions"
TOKENIZE = "/tokenize"
TALK = [user_message("a"), assistant_message("b"), user_message("c")]
TOKENS = CallTokens((1, 2, 3), (4, 5), (-0.1, -0.2))
ENTRIES = [{"token": "token_id:4", "logprob": -0.1}, {"token": "token_id:5", "logprob": -0.2}]
WORDS = [{**entry, "token": "word"} for entry in ENTRIES]
BUNDLE: dict[str, Any] = {
    "prompt_token_ids": [1, 2, 3],
    "generation_token_ids": ["4", "5"],
    "generation_log_probs": [-0.1, -0.2],
}


def bundled(**changes: Any) -> dict[str, Any]:
    return chat_completion("hi", **{**BUNDLE, **changes})


ON_THE_MESSAGE = chat_completion("hi", choice={"token_ids": [9], "logprobs": {"content": WORDS}}, **BUNDLE)
ON_THE_CHOICE = {
    **chat_completion("hi", choice={"token_ids": [4, 5], "logprobs": {"content": WORDS}}),
    "prompt_token_ids": [1, 2, 3],
}
AS_WORDS = {**chat_completion("hi", choice={"token_ids": None, "logprobs": {"content": ENTRIES}})}


def tokens_of(
    body: Any, trace: TokenTrace | None = None, handlers: Mapping[str, Handler] | None = None, **sampling: Any
) -> tuple[Reply, SimulatedEndpoint]:
    return ask(
        lambda url: OpenAIModel("m", base_url=url, token_ids=True),
        {CHAT: always(body), **(handlers or {})},
        TALK,
        sampling=Sampling(**sampling),
        trace=trace,
    )


@pytest.mark.parametrize("body", [ON_THE_MESSAGE, ON_THE_CHOICE], ids=["message", "choice"])
def test_ids_in_the_reply_need_no_second_request(body: Any) -> None:
    reply, endpoint = tokens_of(body)
    assert reply.tokens == TOKENS
    assert [request["path"] for request in endpoint.requests] == [CHAT]


def test_ids_are_asked_for_in_every_way() -> None:
    body = tokens_of(ON_THE_CHOICE)[1].requests[0]["body"]
    assert (body["logprobs"], body["return_tokens_as_token_ids"], body["return_token_ids"]) == (True, True, True)


def test_ids_written_as_tokens_need_the_prompt_tokenized() -> None:
    kwargs = {"enable_thinking": False}
    tokenize = {TOKENIZE: always({"tokens": [1, 2, 3]})}
    reply, endpoint = tokens_of(AS_WORDS, handlers=tokenize, extra={"chat_template_kwargs": kwargs})
    assert reply.tokens == TOKENS
    sent = endpoint.bodies(CHAT)[0]
    assert endpoint.bodies(TOKENIZE) == [{"model": "m", "messages": sent["messages"], "chat_template_kwargs": kwargs}]


@pytest.mark.parametrize(
    "body",
    [
        chat_completion("hi"),
        bundled(generation_log_probs=None),
        bundled(generation_log_probs=[-0.1]),
        bundled(generation_log_probs=[-0.1, None]),
        bundled(prompt_token_ids=[]),
        bundled(prompt_token_ids=[1, -2]),
        {**ON_THE_CHOICE, **chat_completion("hi", choice={"token_ids": [4], "logprobs": {"content": WORDS}})},
        {**AS_WORDS, **chat_completion("hi", choice={"logprobs": {"content": WORDS}})},
        AS_WORDS,
    ],
    ids=["none", "part", "short", "null", "no prompt", "negative", "choice short", "words", "no /tokenize"],
)
def test_an_incomplete_bundle_is_a_failure(body: Any) -> None:
    with pytest.raises(Failure) as caught:
        tokens_of(body)
    assert (caught.value.code, caught.value.retryable) == ("model-bad-reply", False)


def test_a_tokenize_that_fails_is_judged_like_any_call() -> None:
    with pytest.raises(Failure) as caught:
        tokens_of(AS_WORDS, handlers={TOKENIZE: always(Answer("", status=503))})
    assert (caught.value.code, caught.value.retryable) == ("model-server-error", True)


def test_a_rollout_goes_on_from_its_own_tokens() -> None:
    trace = TokenTrace([1, 2], [0.0, -0.3], bytearray((0, 1)))
    reply, endpoint = tokens_of(ON_THE_CHOICE, trace)
    assert reply.tokens == TOKENS
    assert endpoint.bodies(CHAT)[0]["messages"] == [
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "content": "b",
            "prompt_token_ids": [1],
            "generation_token_ids": [2],
            "generation_log_probs": [-0.3],
        },
        {"role": "user", "content": "c"},
    ]


def test_without_token_ids_none_are_told() -> None:
    reply, _ = ask(
        lambda url: OpenAIModel("m", base_url=url, api="chat"),
        {CHAT: always(ON_THE_CHOICE)},
        TALK,
        trace=TokenTrace([7], [0.0], bytearray(1)),
    )
    assert reply.tokens is None
