"""A small real server on the loopback that answers like an OpenAI-compatible endpoint, as plain functions tell it."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from aiohttp import web

from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema
from palestra.core.transcript import user_message

Request: TypeAlias = dict[str, Any]
"""What a client sent: `method`, `path`, `headers`, `body` (decoded JSON, else None) and `number`, counted from 0."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. An object or list as body is sent as JSON, text and bytes as they are."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_s: float = 0.0
    broken: Literal["reset", "silent", "half", "garbage", "endless"] | None = None
    """Instead: reset the connection, close it without an answer, promise more body than is sent, send what is not HTTP,
    or send a body in chunks that does not say how long it is."""


Handler: TypeAlias = Callable[[Request], Any]
"""Makes the answer to a request: an `Answer`, or only its body."""


class SimulatedEndpoint:
    """`async with SimulatedEndpoint({"/v1/responses": handler}) as endpoint:` - unknown paths are 404.

    `requests` holds what was received, `peak` how many requests were in work at once.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        self.requests: list[Request] = []
        self.peak = 0
        self._working = 0
        self._port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def bodies(self, path: str) -> list[Any]:
        """The bodies that one path received, in order."""
        return [request["body"] for request in self.requests if request["path"] == path]

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=2**28)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=2048).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _serve(self, received: web.Request) -> web.StreamResponse:
        self._working += 1
        self.peak = max(self.peak, self._working)
        try:
            return await self._respond(received)
        finally:
            self._working -= 1

    async def _respond(self, received: web.Request) -> web.StreamResponse:
        request = await as_request(received, len(self.requests))
        self.requests.append(request)
        handler = self.handlers.get(request["path"])
        said: Any = handler(request) if handler else Answer({"detail": "Not Found"}, status=404)
        answer: Answer = said if isinstance(said, Answer) else Answer(said)
        await asyncio.sleep(answer.delay_s)
        if answer.broken:
            return await _break(received, answer)
        return web.Response(status=answer.status, headers=answer.headers, **_payload(answer.body))


def ask(
    make: Callable[[str], Model],
    handlers: Mapping[str, Handler],
    items: Sequence[Item] = (user_message("hello"),),
    tools: Sequence[ToolSchema] = (),
    sampling: Sampling | None = None,
    trace: TokenTrace | None = None,
) -> tuple[Reply, SimulatedEndpoint]:
    """One reply of the model that `make` makes of the base URL of such an endpoint, and the endpoint."""

    async def asked() -> tuple[Reply, SimulatedEndpoint]:
        async with SimulatedEndpoint(handlers) as endpoint:
            model = make(endpoint.base_url)
            try:
                return await model.respond(items, tools, sampling or Sampling(), trace), endpoint
            finally:
                await model.close()

    return asyncio.run(asked())


async def as_request(received: web.Request, number: int) -> Request:
    data = await received.read()
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    headers = {name.lower(): value for name, value in received.headers.items()}
    return {"method": received.method, "path": received.path, "headers": headers, "body": body, "number": number}


def in_turn(*answers: Any) -> Handler:
    """One answer after the other; the last is repeated."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def always(answer: Any) -> Handler:
    return in_turn(answer)


def chat_completion(
    text: str | None = None, *, finish_reason: str = "stop", choice: Mapping[str, Any] | None = None, **message: Any
) -> dict[str, Any]:
    """A Chat Completions reply; further fields go on the message, `choice` beside it."""
    said = {"role": "assistant", "content": text, **message}
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": "simulated-1",
        "choices": [{"index": 0, "message": said, "finish_reason": finish_reason, **(choice or {})}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }


def chat_call(name: str, arguments: Any, call_id: str | None = "call_a") -> dict[str, Any]:
    """One entry of a chat message's `tool_calls`."""
    entry: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return entry if call_id is None else {"id": call_id, **entry}


def response(*items: dict[str, Any], text: str | None = None, **fields: Any) -> dict[str, Any]:
    """A Responses reply of these items, and of one message if there is `text`."""
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": None}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    return {
        "id": "resp_0",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "simulated-1",
        "output": [*items] if text is None else [*items, message],
        "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
        **fields,
    }


def _payload(body: Any) -> dict[str, Any]:
    if isinstance(body, bytes):
        return {"body": body}
    if isinstance(body, str):
        return {"text": body}
    return {"body": json.dumps(body).encode(), "content_type": "application/json"}


async def _break(received: web.Request, answer: Answer) -> web.StreamResponse:
    transport = received.transport
    assert transport is not None
    if answer.broken == "endless":
        endless = web.StreamResponse()
        endless.enable_chunked_encoding()
        await endless.prepare(received)
        with suppress(ConnectionError):
            await endless.write(answer.body)
    if answer.broken == "half":
        torn = web.StreamResponse(headers={"Content-Length": "1000", **answer.headers})
        await torn.prepare(received)
        await torn.write(b'{"id": ')
    if answer.broken == "garbage":
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"\x00\x01 this is not HTTP\r\n\r\n")
    if answer.broken == "reset":
        # A socket that lingers for no time is reset when it is closed.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.close()
    return web.Response()
