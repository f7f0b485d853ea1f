"""Token ids and log-probabilities of a chat completion, from whichever place an endpoint puts them."""

import math
from collections.abc import Sequence
from typing import Any

from palestra.core.errors import Failure
from palestra.core.model import CallTokens, TokenTrace
from palestra.models.chat import TOKEN_FIELDS, Message
from palestra.models.openai_chat import first_choice
from palestra.models.openai_json import as_list, as_object, as_objects, given, member

WRITTEN_ID = "token_id:"
TOKENIZED_FIELDS = ("model", "messages", "tools", "chat_template_kwargs")


def reply_tokens(completion: dict[str, Any]) -> CallTokens | None:
    """The tokens of the first choice; None if only the prompt's are missing, which `/tokenize` tells.

    In order: all three lists on the message; the prompt's ids on the completion and the reply's on the choice; the
    reply's written as tokens (`token_id:7`). ValueError if something is missing or of unequal length.
    """
    message = as_object(first_choice(completion).get("message"), "the message")
    if any(message.get(key) is not None for key in TOKEN_FIELDS):
        prompt, ids, logprobs = (as_list(message.get(key), key) for key in TOKEN_FIELDS)
        return _checked(prompt, ids, logprobs)
    prompt = completion.get("prompt_token_ids")
    return None if prompt is None else with_prompt(completion, prompt)


def with_prompt(completion: dict[str, Any], prompt: Any) -> CallTokens:
    """The tokens of the first choice, told beside the message, after this prompt."""
    choice = first_choice(completion)
    entries = as_objects(member(choice.get("logprobs"), "content"), "logprobs.content")
    ids = choice.get("token_ids")
    if ids is None:
        ids = [_written_id(entry.get("token")) for entry in entries]
    logprobs = [entry.get("logprob") for entry in entries]
    return _checked(as_list(prompt, "the prompt's tokens"), as_list(ids, "token_ids"), logprobs)


def tokenize_request(asked: dict[str, Any]) -> dict[str, Any]:
    """The body of `/tokenize` for the prompt of this chat request."""
    return given({key: asked.get(key) for key in TOKENIZED_FIELDS})


def remembering(messages: Sequence[Message], trace: TokenTrace | None) -> list[Message]:
    """The messages with the rollout's tokens on the last assistant one, for endpoints that continue from tokens."""
    last = next((place for place in reversed(range(len(messages))) if messages[place]["role"] == "assistant"), None)
    if trace is None or last is None or not trace.mask or not trace.mask[-1]:
        return list(messages)
    start = max((place + 1 for place, wrote in enumerate(trace.mask) if not wrote), default=0)
    parts = (trace.ids[:start], trace.ids[start:], trace.logprobs[start:])
    carrier = {**messages[last], **dict(zip(TOKEN_FIELDS, map(list, parts), strict=True))}
    return [*messages[:last], carrier, *messages[last + 1 :]]


def check_drift(trace: TokenTrace | None, tokens: CallTokens) -> None:
    """Failure `token-drift` if the prompt does not start with the tokens of the rollout so far."""
    if trace is None or tokens.prompt_ids[: len(trace.ids)] == trace.ids:
        return
    shared = zip(trace.ids, tokens.prompt_ids, strict=False)
    place = next((place for place, (old, new) in enumerate(shared) if old != new), len(tokens.prompt_ids))
    now = tokens.prompt_ids[place] if place < len(tokens.prompt_ids) else "the end"
    message = f"the prompt departs from the rollout at position {place}: token {trace.ids[place]} became {now}"
    raise Failure("model", message, code="token-drift")


def _checked(prompt: Sequence[Any], ids: Sequence[Any], logprobs: Sequence[Any]) -> CallTokens:
    if not prompt:
        raise ValueError("the prompt's tokens are empty")
    if len(ids) != len(logprobs):
        raise ValueError(f"{len(ids)} token ids but {len(logprobs)} log-probabilities")
    return CallTokens(tuple(map(_id, prompt)), tuple(map(_id, ids)), tuple(map(_logprob, logprobs)))


def _id(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a token id")
    return value


def _logprob(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a log-probability")
    return float(value)


def _written_id(token: Any) -> str:
    if not isinstance(token, str) or not token.startswith(WRITTEN_ID):
        raise ValueError("there are no token ids")
    return token.removeprefix(WRITTEN_ID)
