"""The Responses API as a server speaks it."""

import time
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from palestra.core.model import CallTokens, Item, Reply, Sampling
from palestra.core.transcript import is_assistant_message, is_from_model
from palestra.serve.served import Asked, Served, token_entries
from palestra.wire.response import response_object
from palestra.wire.rows import input_items
from palestra.wire.tokens import carried_tokens, with_tokens

LOGPROBS = "message.output_text.logprobs"


class ResponsesBody(BaseModel):
    """What is read of a request; other parameters travel on to models that hand them on."""

    model_config = ConfigDict(extra="allow", strict=True)

    input: str | list[dict[str, Any]]
    model: str | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0)
    include: list[str] | None = None
    return_token_ids: bool | None = None
    """As NeMo Gym's model servers do: the three lists of token ids on the last output item."""

    def asked(self) -> Asked:
        """Raises ValueError for tokens that are incomplete."""
        items = input_items(self.input)
        head = [{"type": "message", "role": "system", "content": self.instructions}] if self.instructions else []
        return Asked(
            items=[*head, *items],
            tools=self.tools or [],
            sampling=Sampling(
                self.temperature, self.top_p, self.max_output_tokens, self.seed, extra=self.model_extra or {}
            ),
            carried=carried_by_last(items),
            logprobs=LOGPROBS in (self.include or ()),
            token_ids=bool(self.return_token_ids),
        )


def carried_by_last(items: list[Item]) -> CallTokens | None:
    """The tokens on the last item that a model wrote. ValueError if they are incomplete."""
    last = next((item for item in reversed(items) if is_from_model(item)), None)
    return None if last is None else carried_tokens(last)


def response(served: Served, asked: Asked, reply: Reply, params: dict[str, Any]) -> dict[str, Any]:
    output = list(reply.items)
    if asked.logprobs and reply.tokens is not None:
        entries = token_entries(served, asked, reply.tokens)
        output = [with_logprobs(item, entries) if is_assistant_message(item) else item for item in output]
    if asked.token_ids and reply.tokens is not None and output:
        output[-1] = with_tokens(output[-1], reply.tokens)
    return response_object(
        key=uuid.uuid4().hex,
        model=reply.model,
        created_at=int(time.time()),
        output=output,
        stop_reason=reply.stop_reason,
        usage=reply.usage,
        params=params,
    )


def with_logprobs(item: Item, entries: list[dict[str, Any]]) -> Item:
    first, *others = item["content"]
    return {**item, "content": [{**first, "logprobs": entries}, *others]}
