"""Whatever JSON arrives, from a file or from an endpoint, it is read or refused, never stumbled over."""

import re
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from palestra.core.errors import Failure
from palestra.core.model import Sampling
from palestra.models.openai_chat import Dialect, chat_reply, chat_request
from palestra.models.openai_errors import lacks_route, retry_after_s, status_failure
from palestra.models.openai_http import Endpoint
from palestra.models.openai_responses import responses_reply, responses_request
from palestra.models.openai_tokens import reply_tokens, with_prompt
from palestra.transport.connection import Answer
from palestra.wire.chat import messages_from_items
from palestra.wire.encoding import encode

KEYS = st.sampled_from(
    re.findall(
        r"\w+",
        """choices message content tool_calls function name arguments id type text thinking refusal reasoning output
        error status usage logprobs token logprob token_ids prompt_token_ids generation_token_ids generation_log_probs
        role summary call_id finish_reason incomplete_details image_url format schema effort detail code""",
    )
)
WORDS = st.sampled_from(
    ["assistant", "user", "system", "function_call", "function_call_output", "reasoning", "message", "input_text"]
) | st.sampled_from(
    ["input_image", "json_schema", "text", "token_id:7", "7", "length", "<think>", "</think>", "{", ""]
)  # fmt: skip
EXTRAS = st.sampled_from(
    ["text", "reasoning", "metadata", "instructions", "include", "top_logprobs", "tool_choice", "logprobs"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
OBJECTS: st.SearchStrategy[Any] = st.dictionaries(KEYS, JSON, max_size=6)


@given(OBJECTS, JSON)
@example({"choices": [{"message": {"content": [{"type": ["text"], "text": []}]}}]}, 0)
def test_any_completion_is_a_reply_or_a_value_error(message: Any, rest: Any) -> None:
    for completion in (rest, message, {"choices": [rest]}, {"choices": [{**message, "message": message}]}):
        with suppress(ValueError):
            chat_reply(completion, "m", [], with_logprobs=True)
        if isinstance(completion, dict):
            with suppress(ValueError):
                reply_tokens(completion)
            with suppress(ValueError):
                with_prompt(completion, rest)


@given(OBJECTS, JSON)
def test_any_response_is_a_reply_or_a_value_error(item: Any, rest: Any) -> None:
    for response in (rest, item, {"output": [item]}, {"output": [{"type": "message", **item}], "usage": rest}):
        with suppress(ValueError):
            responses_reply(response, "m")


@given(st.lists(OBJECTS, max_size=3), st.dictionaries(EXTRAS, JSON))
def test_any_items_are_a_request_or_a_failure(items: Any, extra: Any) -> None:
    encode(responses_request("m", items, [], Sampling(extra=extra)))
    with suppress(Failure):
        encode(chat_request("m", items, [], Sampling(extra=extra), Dialect(token_ids=True)))
    with suppress(Failure):
        messages_from_items(items, instructions="i", developer_as_system=True)


@given(st.integers(300, 599), JSON | st.binary(max_size=20), st.text(max_size=20))
def test_any_refusal_is_a_failure(status: int, body: Any, wait: str) -> None:
    endpoint = Endpoint("http://127.0.0.1", "a-key", call_timeout_s=1.0)
    answer = Answer(status, [(b"Retry-After", wait.encode())], body if isinstance(body, bytes) else encode(body))
    assert status_failure(answer, endpoint).boundary in ("model", "limit")
    assert lacks_route(answer) in (True, False)
    assert 0 <= (retry_after_s(answer) or 0) <= 300
