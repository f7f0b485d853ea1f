"""HTTP/1.1 as uvicorn speaks it with httptools, and with bounds on the head of a request."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_URL_BYTES = 8 * 2**10
MAX_HEAD_BYTES = 64 * 2**10
MAX_HEADERS = 200
HEAD_TIMEOUT_S = 10.0
"""From the opening of a connection, or the first byte of a later request, to the end of its headers."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections whose headers are too long, or do not come: neither parser of uvicorn's bounds both."""

    waiting: asyncio.TimerHandle | None = None
    head_bytes = 0
    """Of the head that is arriving."""
    in_head = True
    refusal: tuple[int, str] = (400, "This is no valid HTTP request.")
    is_refused = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self.is_refused:
            return
        super().data_received(data)
        # What has no end yet is not told piece by piece: a name, a value, an address.
        if self.in_head and not self.is_refused:
            self.head_bytes += len(data)
            if self.head_bytes > MAX_HEAD_BYTES:
                self.too_long()
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self.in_head:
            self.in_head, self.head_bytes = True, 0
            self.wait_for_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            self.too_long()
            raise ValueError("the address is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self.head_bytes += len(name) + len(value)
        if len(self.headers) > MAX_HEADERS or self.head_bytes > MAX_HEAD_BYTES:
            self.too_long()
            # The parser gives up, and reports what is refused as an error of its own.
            raise ValueError("the headers are too long")

    def on_headers_complete(self) -> None:
        self.in_head, self.head_bytes = False, 0
        self.stop_waiting()
        super().on_headers_complete()

    def too_long(self) -> None:
        if self.url and not self.headers and len(self.url) > MAX_URL_BYTES:
            self.refusal = (414, f"The address is longer than {MAX_URL_BYTES} bytes.")
        else:
            limits = f"{MAX_HEADERS} lines or {MAX_HEAD_BYTES} bytes"
            self.refusal = (431, f"The headers are more than {limits}.")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close."""
        status, text = self.refusal
        self.is_refused = True
        self.stop_waiting()
        body = text.encode()
        head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_waiting()
        super().connection_lost(exc)

    def wait_for_head(self) -> None:
        self.waiting = self.loop.call_later(HEAD_TIMEOUT_S, self.give_up)

    def stop_waiting(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def give_up(self) -> None:
        if self.head_bytes:
            self.refusal = (408, f"The headers did not arrive within {HEAD_TIMEOUT_S:g} s.")
            self.send_400_response("")
        else:
            self.transport.close()
