"""Token ids and log-probabilities of a chat completion, from whichever place an endpoint puts them."""

from collections.abc import Sequence
from typing import Any

from palestra.core.model import CallTokens, TokenTrace
from palestra.models.openai_chat import first_choice
from palestra.wire.chat import Message
from palestra.wire.decoded import as_object, as_objects, given, member
from palestra.wire.tokens import call_tokens, carried_tokens, with_tokens

WRITTEN_ID = "token_id:"
TOKENIZED_FIELDS = ("model", "messages", "tools", "chat_template_kwargs")


def reply_tokens(completion: dict[str, Any]) -> CallTokens | None:
    """The tokens of the first choice; None if only the prompt's are missing, which `/tokenize` tells.

    In order: all three lists on the message; the prompt's ids on the completion and the reply's on the choice; the
    reply's written as tokens (`token_id:7`). ValueError if something is missing or of unequal length.
    """
    tokens = carried_tokens(as_object(first_choice(completion).get("message"), "the message"))
    if tokens is not None:
        return tokens
    prompt = completion.get("prompt_token_ids")
    return None if prompt is None else with_prompt(completion, prompt)


def with_prompt(completion: dict[str, Any], prompt: Any) -> CallTokens:
    """The tokens of the first choice, told beside the message, after this prompt."""
    choice = first_choice(completion)
    entries = as_objects(member(choice.get("logprobs"), "content"), "logprobs.content")
    ids = choice.get("token_ids")
    if ids is None:
        ids = [_written_id(entry.get("token")) for entry in entries]
    return call_tokens(prompt, ids, [entry.get("logprob") for entry in entries])


def tokenize_request(asked: dict[str, Any]) -> dict[str, Any]:
    """The body of `/tokenize` for the prompt of this chat request."""
    return given({key: asked.get(key) for key in TOKENIZED_FIELDS})


def remembering(messages: Sequence[Message], trace: TokenTrace | None) -> list[Message]:
    """The messages with the rollout's tokens on the last assistant one, for endpoints that continue from tokens."""
    last = next((place for place in reversed(range(len(messages))) if messages[place]["role"] == "assistant"), None)
    if trace is None or last is None or not trace.mask or not trace.mask[-1]:
        return list(messages)
    start = trace.mask.rfind(0) + 1
    written = CallTokens(tuple(trace.ids[:start]), tuple(trace.ids[start:]), tuple(trace.logprobs[start:]))
    return [*messages[:last], with_tokens(messages[last], written), *messages[last + 1 :]]


def _written_id(token: Any) -> str:
    if not isinstance(token, str) or not token.startswith(WRITTEN_ID):
        raise ValueError("there are no token ids")
    return token.removeprefix(WRITTEN_ID)
