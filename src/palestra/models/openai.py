"""A model behind an OpenAI-compatible endpoint, asked by whichever of the two APIs it speaks."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, TypeAlias, TypeVar

from palestra.core.model import CallTokens, Item, Reply, Sampling, TokenTrace, ToolSchema
from palestra.models.openai_chat import Dialect, chat_reply, chat_request, wants_logprobs
from palestra.models.openai_errors import NO_ROUTE_STATUSES, bad_reply, lacks_route, status_failure
from palestra.models.openai_http import Endpoint
from palestra.models.openai_responses import responses_reply, responses_request
from palestra.models.openai_tokens import remembering, reply_tokens, tokenize_request, with_prompt
from palestra.transport.connection import Answer
from palestra.wire.decoded import decoded_object

API: TypeAlias = Literal["auto", "responses", "chat"]

Result = TypeVar("Result")

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"

SCOUTING_S = 1.0
"""How long calls wait for the first one to find out the API; a route that is missing is refused sooner."""


class OpenAIModel:
    """A model of an OpenAI-compatible endpoint. It never retries: who calls it decides that.

    `api="auto"` asks /responses first and keeps to /chat/completions where that route does not exist.
    `token_ids` asks a vLLM endpoint for token ids by Chat Completions; a reply without them is a failure.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str = OPENAI_URL,
        api_key: str | None = None,
        api: API = "auto",
        call_timeout_s: float = 600.0,
        token_ids: bool = False,
    ) -> None:
        self._name = name
        self._endpoint = Endpoint(base_url, api_key, call_timeout_s=call_timeout_s)
        is_openai = self._endpoint.host == OPENAI_HOST or self._endpoint.host.endswith(f".{OPENAI_HOST}")
        self._dialect = Dialect(is_openai=is_openai, token_ids=token_ids)
        self._api: API = "chat" if token_ids else api
        self._scouting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"OpenAIModel({self._name!r}, base_url={self._endpoint.url!r})"

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        """The base URL for people: without user, password and query."""
        return self._endpoint.url

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        if self._api == "auto":
            async with self._one_scout():
                reply = await self._scouted(items, tools, sampling)
            if reply is not None:
                return reply
        if self._api != "chat":
            return self._responses_reply(await self._ask_responses(items, tools, sampling))
        asked = chat_request(self._name, items, tools, sampling, self._dialect)
        if self._dialect.token_ids:
            asked["messages"] = remembering(asked["messages"], trace)
        answer = await self._endpoint.post("/chat/completions", asked)
        document = self._document(answer)
        reply = self._read(answer, chat_reply, document, self._name, items, wants_logprobs(sampling))
        if self._dialect.token_ids:
            reply.tokens = await self._tokens(document, answer, asked)
        return reply

    async def close(self) -> None:
        await self._endpoint.close()

    @asynccontextmanager
    async def _one_scout(self) -> AsyncGenerator[None, None]:
        """One call at a time finds out the API, but a slow one does not hold up the others."""
        alone = False
        with suppress(TimeoutError):
            async with asyncio.timeout(SCOUTING_S):
                alone = await self._scouting.acquire()
        try:
            yield
        finally:
            if alone:
                self._scouting.release()

    async def _scouted(self, items: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling) -> Reply | None:
        """The reply by /responses; None if the API is known by now."""
        if self._api != "auto":
            return None
        answer = await self._ask_responses(items, tools, sampling)
        if lacks_route(answer):
            self._api = "chat"
            return None
        reply = self._responses_reply(answer)
        self._api = "responses"
        return reply

    async def _ask_responses(self, items: Sequence[Item], tools: Sequence[ToolSchema], sampling: Sampling) -> Answer:
        return await self._endpoint.post("/responses", responses_request(self._name, items, tools, sampling))

    def _responses_reply(self, answer: Answer) -> Reply:
        return self._read(answer, responses_reply, self._document(answer), self._name)

    async def _tokens(self, completion: dict[str, Any], answer: Answer, asked: dict[str, Any]) -> CallTokens:
        # Not retryable: an endpoint that does not tell token ids will not tell them the next time.
        tokens = self._read(answer, reply_tokens, completion, retryable=False)
        if tokens is not None:
            return tokens
        told = await self._endpoint.post("/tokenize", tokenize_request(asked), below_root=True)
        if told.status in NO_ROUTE_STATUSES:
            what = "there are no prompt token ids and no route /tokenize"
            raise bad_reply(what, answer.body, self._endpoint, retryable=False)
        prompt = self._document(told).get("tokens")
        return self._read(told, with_prompt, completion, prompt, retryable=False)

    def _document(self, answer: Answer) -> dict[str, Any]:
        if not 200 <= answer.status < 300:
            raise status_failure(answer, self._endpoint)
        return self._read(answer, decoded_object, answer.body)

    def _read(self, answer: Answer, read: Callable[..., Result], *arguments: Any, retryable: bool = True) -> Result:
        """What `read` makes of the answer; a Failure that shows the answer if it makes a ValueError."""
        try:
            return read(*arguments)
        except ValueError as error:
            what = str(error)
        # Outside of the handler, as a decoder's error holds the whole text and would travel along as context.
        raise bad_reply(what, answer.body, self._endpoint, retryable=retryable)
