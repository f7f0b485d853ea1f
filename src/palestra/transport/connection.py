"""One HTTP/1.1 connection of a client: a request goes out, its answer comes back, and so on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import httptools

MAX_HEAD_BYTES = 1 << 16
"""Of the status line and the headers, and of what is between two pieces of a body or behind it."""
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

    def __init__(self, loop: asyncio.AbstractEventLoop, among: "set[Connection]") -> None:
        """When it is lost it is removed from `among`."""
        self.loop = loop
        self.among = among
        self.parser = httptools.HttpResponseParser(self)
        self.answered: asyncio.Future[Answer] | None = None
        """The request under way."""
        self.is_open = True
        """It can take a request."""
        self.is_aborted = False
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
        self.quiet_bytes = 0
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
        self.body: bytes | bytearray = b""
        self.ends_with_connection = False

    def abort(self) -> None:
        self.is_open = False
        self.is_aborted = True
        self.transport.abort()

    def finish(self, *, is_cut: bool = False) -> None:
        """Hand the answer over, unless nobody waits for it any more."""
        body = self.body[: self.max_bytes] if is_cut else self.body
        # Kept connections are many and may be idle for long: a body must not wait with them.
        self.body = b""
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(Answer(self.status, self.headers, bytes(body), is_cut))

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
        self.quiet_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(BadAnswer(f"no HTTP answer ({type(error).__name__})"))
        if self.quiet_bytes > MAX_HEAD_BYTES:
            self.fail(BadAnswer(f"more than {MAX_HEAD_BYTES} bytes around its body"))

    def eof_received(self) -> None:
        """The transport closes itself in the next turn of the loop; a request that is sent until then is lost."""
        self.is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.among.discard(self)
        if self.answered is None or self.answered.done():
            return
        if exc is None and self.ends_with_connection and not self.is_aborted:
            self.finish()
        elif self.status or self.quiet_bytes:
            self.answered.set_exception(CutOff(f"the connection was closed after {len(self.body)} bytes of the body"))
        else:
            self.answered.set_exception(Disconnected("the connection was closed without an answer"))

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.answered is None or self.answered.done():
            # In one piece with the answer came something that nobody asked for.
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind a body says nothing that is asked for.
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        told = {name.lower(): value for name, value in self.headers}
        length, coding = told.get(b"content-length"), told.get(b"transfer-encoding")
        has_body = self.status not in WITHOUT_BODY
        self.ends_with_connection = has_body and length is None and coding is None
        if self.status < 100:
            self.fail(BadAnswer("the status is no number from 100 on"))
        elif coding is not None and coding.strip().lower() != b"chunked":
            self.fail(BadAnswer("its body has a transfer coding that was not asked for"))
        elif self.status < 300 and told.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            self.fail(BadAnswer("its body is compressed, which was not asked for"))
        # The parser has seen that it is a number.
        elif has_body and length is not None and not self.cut and int(length) > self.max_bytes:
            self.finish(is_cut=True)
            self.abort()

    def on_body(self, body: bytes) -> None:
        self.quiet_bytes = 0
        if not self.body:
            # Most bodies come in one piece.
            self.body = body
        else:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += body
        if len(self.body) > self.max_bytes:
            self.finish(is_cut=True)
            self.abort()

    def on_message_complete(self) -> None:
        if 100 <= self.status < 200:
            # Not the answer yet: 100 Continue, 103 Early Hints.
            self.begin_answer()
            return
        # A server that answered before it had the whole request may never take the rest.
        if not self.parser.should_keep_alive() or self.transport.get_write_buffer_size():
            self.abort()
        self.finish()
