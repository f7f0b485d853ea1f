"""One HTTP/1.1 connection of a client: a request goes out, its answer comes back, and so on."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import httptools

MAX_HEAD_BYTES = 1 << 16
"""Of the status line and the headers of one answer."""
FRAMING_FACTOR = 8
"""A body in chunks of one byte takes six times its own size."""
WITHOUT_BODY = (204, 304)


class BadAnswer(Exception):
    """What came back is no HTTP. The text holds nothing of what was sent or received."""


class Disconnected(ConnectionError):
    """The peer hung up before its answer began."""


class CutOff(ConnectionError):
    """The peer hung up before its answer was whole."""


@dataclass(slots=True)
class Answer:
    """What came back, whatever the status."""

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    is_cut: bool = False
    """The body went on beyond what was asked for."""

    def header(self, name: str) -> str:
        """The first header of a name; empty if there is none."""
        return next(iter(self.headers(name)), "")

    def headers(self, name: str) -> list[str]:
        """All headers of a name, whose case does not count."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for known, value in self.raw_headers if known.lower() == wanted]


class Connection(asyncio.Protocol):
    """A connection that has one request under way at a time. The methods `on_...` are called by the parser."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, forget: "Callable[[Connection], None]") -> None:
        """`forget` is called when the connection is lost."""
        self.loop = loop
        self.forget = forget
        self.parser = httptools.HttpResponseParser(self)
        self.answered: asyncio.Future[Answer] | None = None
        """The request under way."""
        self.is_open = True
        self.idle_since = 0.0

    async def ask(self, request: bytes, max_bytes: int, *, cut: bool) -> Answer:
        """Send a request; its answer, with at most so many bytes of its body.

        Without `cut` an answer that is longer, or says so, is read no further. Raises BadAnswer, Disconnected, CutOff
        or another OSError; the connection is closed then, and when this call is cancelled.
        """
        if not self.is_open:
            raise Disconnected("the connection was closed before it was used")
        self.max_bytes = max_bytes
        self.cut = cut
        self.begin_answer()
        self.answered = self.loop.create_future()
        try:
            self.transport.write(request)
            return await self.answered
        except BaseException:
            self.abort()
            raise
        finally:
            self.answered = None

    def begin_answer(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.received_bytes = 0
        self.parts: list[bytes] = []
        self.body_bytes = 0
        self.ends_with_connection = False

    def abort(self) -> None:
        self.is_open = False
        self.transport.abort()

    def finish(self, *, is_cut: bool = False) -> None:
        """Hand the answer over, unless nobody waits for it any more."""
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(Answer(self.status, self.headers, body[: self.max_bytes], is_cut))

    def fail(self, error: Exception) -> None:
        self.abort()
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(error)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport by class.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.answered is None or self.answered.done():
            # Nothing was asked, or the answer is over: whatever this is, it must not become the next one's.
            self.abort()
            return
        self.received_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(BadAnswer(f"no HTTP answer ({type(error).__name__})"))
        room = MAX_HEAD_BYTES + (FRAMING_FACTOR * self.max_bytes if self.status else 0)
        if self.received_bytes > room:
            self.fail(BadAnswer(f"more than {MAX_HEAD_BYTES} bytes around its body"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.forget(self)
        if self.answered is None or self.answered.done():
            return
        if exc is None and self.ends_with_connection:
            self.finish()
        elif self.status:
            self.answered.set_exception(CutOff(f"the connection was closed after {self.body_bytes} bytes of the body"))
        else:
            self.answered.set_exception(Disconnected("the connection was closed without an answer"))

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind a body says nothing that is asked for.
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        told = {name.lower(): value for name, value in self.headers}
        length = told.get(b"content-length")
        has_end = length is not None or b"transfer-encoding" in told or self.status in WITHOUT_BODY
        self.ends_with_connection = not has_end
        # The parser has seen that it is a number.
        if length is not None and not self.cut and int(length) > self.max_bytes:
            self.finish(is_cut=True)
            self.abort()

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)
        self.body_bytes += len(body)
        if self.body_bytes > self.max_bytes:
            self.finish(is_cut=True)
            self.abort()

    def on_message_complete(self) -> None:
        if self.status < 200:
            # Not the answer yet: 100 Continue, 103 Early Hints.
            self.begin_answer()
            return
        if not self.parser.should_keep_alive():
            self.is_open = False
            self.transport.close()
        self.finish()
