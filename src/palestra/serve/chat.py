"""Chat Completions as a server speaks it: requests to items, replies to completions."""

import time
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from palestra.core.model import CallTokens, Reply, Sampling, Usage
from palestra.serve.refusals import Refusal
from palestra.serve.served import Asked, Served, token_entries
from palestra.wire.chat import Message, items_from_messages, messages_from_items
from palestra.wire.chat_tools import tools_from_chat
from palestra.wire.tokens import carried_tokens

FINISH_REASONS = MappingProxyType({"max_output_tokens": "length"})
"""Where Chat Completions has another word for why a reply ended."""


class ChatBody(BaseModel):
    """What is read of a request; other parameters travel on to models that hand them on."""

    model_config = ConfigDict(extra="allow", strict=True)

    messages: list[dict[str, Any]] = Field(min_length=1)
    model: str | None = None
    tools: list[dict[str, Any]] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0)
    logprobs: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    return_token_ids: bool | None = None

    def asked(self) -> Asked:
        """Raises ValueError for messages or tools that are none."""
        limit = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        return Asked(
            items=items_from_messages(self.messages),
            tools=tools_from_chat(self.tools or []),
            sampling=Sampling(self.temperature, self.top_p, limit, self.seed, extra=self.model_extra or {}),
            carried=carried_by_last(self.messages),
            logprobs=bool(self.logprobs),
            token_ids=bool(self.return_token_ids),
            tokens_as_ids=bool(self.return_tokens_as_token_ids),
        )


def carried_by_last(messages: list[Message]) -> CallTokens | None:
    """The tokens on the last assistant message. ValueError if they are incomplete."""
    last = next((message for message in reversed(messages) if message.get("role") == "assistant"), None)
    return None if last is None else carried_tokens(last)


def completion(served: Served, asked: Asked, reply: Reply) -> dict[str, Any]:
    """The reply as a chat completion. Raises Refusal if its items are not one assistant message."""
    messages = messages_from_items(reply.items) or [{"role": "assistant", "content": ""}]
    if len(messages) > 1 or messages[0]["role"] != "assistant":
        raise Refusal(502, "the model's reply is not one assistant message; ask for it by /v1/responses")
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"refusal": None, **messages[0]},
        "finish_reason": FINISH_REASONS.get(reply.stop_reason, reply.stop_reason),
        "logprobs": None,
    }
    told: dict[str, Any] = {}
    if asked.logprobs and reply.tokens is not None:
        choice["logprobs"] = {"content": token_entries(served, asked, reply.tokens)}
    if asked.token_ids and reply.tokens is not None:
        choice["token_ids"] = reply.tokens.ids
        told["prompt_token_ids"] = reply.tokens.prompt_ids
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": reply.model,
        "choices": [choice],
        "usage": chat_usage(reply.usage),
        **told,
    }


def chat_usage(usage: Usage) -> Mapping[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
