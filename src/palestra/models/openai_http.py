"""One endpoint over HTTP: bounded POSTs of JSON, and no secret in any text that leaves this file."""

import json
import socket
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import aiohttp
from yarl import URL

from palestra.core.deadline import TimeLimit
from palestra.core.errors import Failure, PalestraError, describe
from palestra.wire.encoding import encode

MAX_BODY_BYTES = 32 * 2**20
"""Twice the longest honest reply: 131,072 tokens with ids and log-probabilities are about 16 MB."""
CONNECT_TIMEOUT_S = 30.0
SHORTEST_SECRET = 4
"""Shorter keys are placeholders ("-", "x"); taking them out would only garble messages."""


@dataclass(slots=True)
class Answer:
    """What came back: any status, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """A base URL with its key and connections. Whatever breaks on the way is a Failure."""

    def __init__(self, base_url: str, api_key: str | None, *, call_timeout_s: float, max_connections: int) -> None:
        self._parts = _split(base_url.strip())
        key = (api_key or "").strip()
        if not key.isprintable():
            raise PalestraError("usage", "The API key holds a character that no HTTP header can carry.")
        if key and self._parts.username:
            raise PalestraError("usage", "Give an API key or a user in the base URL, not both.")
        self.has_key = bool(key)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._secrets = _forms(key) + _forms(self._parts.password or "")
        self._call_timeout_s = call_timeout_s
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[tuple[str, bool], URL] = {}

    @property
    def host(self) -> str:
        return self._parts.hostname or ""

    @property
    def url(self) -> str:
        """The base URL for people: without user, password and query."""
        netloc = self._parts.netloc.rpartition("@")[2]
        return self._parts._replace(netloc=netloc, path=self._parts.path.rstrip("/"), query="", fragment="").geturl()

    async def post(self, route: str, body: Any, *, below_root: bool = False) -> Answer:
        """POST to the base URL plus `route`, or to the base URL less its `/v1`. Statuses are the caller's to judge."""
        try:
            data = encode(body)
        except (TypeError, ValueError) as error:
            message = f"the request cannot be written as JSON: {describe(error)}"
            raise Failure("model", message, code="model-rejected-request") from error
        try:
            url = self._url(route, below_root)
            with TimeLimit(self._call_timeout_s):
                async with self._opened().post(url, data=data, allow_redirects=False) as response:
                    length = response.content_length
                    if length is None or length > MAX_BODY_BYTES or "Content-Encoding" in response.headers:
                        return Answer(response.status, response.headers, await self._bounded(response))
                    return Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            failure = self._broken(error)
        # Outside of the handler, as aiohttp's errors hold the request's headers and would travel along as context.
        raise failure

    def _url(self, route: str, below_root: bool) -> URL:
        """The address of a route, made once: taking an address apart costs as much as a small request."""
        url = self._urls.get((route, below_root))
        if url is None:
            path = self._parts.path.rstrip("/")
            path = path.removesuffix("/v1") if below_root else path
            url = URL(self._parts._replace(path=path + route, fragment="").geturl())
            self._urls[(route, below_root)] = url
        return url

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def clean(self, text: str) -> str:
        """`text` without the secrets of this endpoint."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text

    def text(self, body: bytes) -> str:
        return self.clean(body.decode(errors="replace"))

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        """The body of a reply that is too long, or that may turn out to be."""
        length = response.content_length
        if length is not None and length > MAX_BODY_BYTES:
            response.close()
            raise self._bad(f"{length} bytes, more than {MAX_BODY_BYTES // 2**20} MiB")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                response.close()
                raise self._bad(f"more than {MAX_BODY_BYTES // 2**20} MiB")
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=self._max_connections, socket_factory=_watched_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_TIMEOUT_S, self._call_timeout_s)),
            )
        return self._session

    def _broken(self, error: Exception) -> Failure:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
            message = f"{self.url} did not answer within {self._call_timeout_s:g} s"
            return Failure("model", message, code="model-timeout", retryable=True)
        if isinstance(error, aiohttp.ClientResponseError):
            return self._bad("something that is not HTTP")
        message = f"no connection to {self.url}: {self.clean(describe(error))}"
        return Failure("model", message, code="model-unreachable", retryable=True)

    def _bad(self, what: str) -> Failure:
        return Failure("model", f"{self.url} answered with {what}", code="model-bad-reply", retryable=True)


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    # The value is not shown, as it can hold a password.
    raise PalestraError("usage", "The base URL must start with http:// or https:// and name a host.")


def _forms(secret: str) -> tuple[str, ...]:
    """The secret as it may be written in a text, longest form first."""
    if len(secret) < SHORTEST_SECRET:
        return ()
    forms = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), b64encode(secret.encode()).decode().rstrip("=")}
    return tuple(sorted(forms, key=len, reverse=True))


def _watched_socket(address: Any) -> socket.socket:
    """A socket that notices a dead peer: a long generation is minutes of silence, which middleboxes cut unheard."""
    family, kind, protocol, *_ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return opened
