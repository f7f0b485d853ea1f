"""The least of ASGI that the servers here need: routes by path, answers as bytes, a life with beginning and end.

A framework's routing and middleware cost as much as judging a reply.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from palestra.wire.encoding import encode

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
LOG = logging.getLogger("palestra.serve")
ROLLOUT_PREFIX = "/ng-rollout/"
"""Paths may begin with it and an id, which says which rollout asks: NeMo Gym's clients use it on any route."""


@dataclass(slots=True)
class Call:
    """One request."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    """By name in lower case; the last of those that are there more than once."""
    receive: Receive
    client: str = ""
    """The address that asks."""

    def header(self, name: bytes) -> str:
        """The value of a header; empty if it is not there."""
        return self.headers.get(name, b"").decode("latin-1")

    def cookie(self, name: str) -> str:
        """The value of a cookie; empty if it is not there."""
        for pair in self.header(b"cookie").split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name:
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Beside the content's type and length."""


class ServerBroke(Exception):
    """Stands for an exception that no route expects; its own text may hold secrets, and stays in the log."""


Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()] if headers else ()
    return Answer(encode(content), status, tuple(pairs))


@asynccontextmanager
async def nothing_to_close() -> AsyncGenerator[None, None]:
    yield


@dataclass(slots=True)
class Routes:
    """An ASGI application."""

    by_path: Mapping[str, Mapping[str, Handler]]
    """Path, then method."""
    broken: Callable[[Exception], Answer | None]
    """What an exception is answered; None for those that it does not know. It knows ServerBroke."""
    unknown: Callable[[Call, int], Answer]
    """The answer to a path that leads nowhere (404), or not by this method (405)."""
    named: Handler | None = None
    """Answers POST on all other paths of one segment."""
    life: Callable[[], AbstractAsyncContextManager[None]] = field(default=nothing_to_close)
    """Entered before the first request and left after the last."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        path: str = scope["path"]
        if path.startswith(ROLLOUT_PREFIX):
            path = "/" + path[len(ROLLOUT_PREFIX) :].partition("/")[2]
        client = scope.get("client") or ("",)
        answer = await self.answer(Call(scope["method"], path, dict(scope["headers"]), receive, client[0]))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, call: Call) -> Answer:
        try:
            methods = self.by_path.get(call.path)
            if methods is None:
                if self.named is None or "/" in call.path[1:]:
                    return self.unknown(call, 404)
                return await self.named(call) if call.method == "POST" else self.unknown(call, 405)
            handler = methods.get("GET" if call.method == "HEAD" else call.method)
            return self.unknown(call, 405) if handler is None else await handler(call)
        except Exception as error:
            answer = self.broken(error)
            if answer is None:
                LOG.exception("%s %s broke the server", call.method, call.path)
                answer = self.broken(ServerBroke(f"the server broke: {type(error).__name__}"))
            return answer or Answer(b"", 500)

    async def live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.life():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as error:
            LOG.exception("the server could not start or end as it should")
            await send({"type": "lifespan.shutdown.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.shutdown.complete"})
