"""One resources server over HTTP: bounded POSTs of JSON, opaque cookies, and no secret in what comes back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

import aiohttp

from palestra.core.errors import Failure, PalestraError, describe

Cookies: TypeAlias = Mapping[str, str]
"""Name to the `name=value` that the server sent, byte for byte: only the server knows what is in it."""

CONNECT_TIMEOUT_S = 30.0
MAX_CONNECTIONS = 4096
"""An episode uses one at a time, so this must not be below any sensible --concurrency."""
KEEP_ALIVE_S = 4.0
"""Below the 5 s after which uvicorn drops an idle connection: a POST sent into that moment would be lost."""
SHORTEST_SECRET = 4
"""Shorter tokens are placeholders; taking them out would only garble texts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever the status. `is_cut` if the body went on beyond what was asked for."""

    status: int
    body: bytes
    is_cut: bool
    cookies: Cookies
    location: str

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Connection:
    """A base URL with its token and connections. Whatever breaks on the way is a Failure of the host."""

    def __init__(self, url: str, token: str | None, *, environment: str, call_timeout_s: float) -> None:
        self._parts = _split(url.strip())
        token = (token or "").strip()
        if not (token.isascii() and token.isprintable()):
            raise PalestraError("usage", "The host token holds a character that no HTTP header can carry.")
        self.server = f"environment {environment!r} at {self._parts.geturl()}"
        """The server in messages."""
        self.has_token = bool(token)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        forms = {token, json.dumps(token)[1:-1]} if len(token) >= SHORTEST_SECRET else set[str]()
        self._secrets = sorted(forms, key=len, reverse=True)
        self._call_timeout_s = call_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def post(self, route: str, data: bytes, cookies: Cookies, *, max_bytes: int) -> Answer:
        """POST JSON to a route of the server. Raises Failure (`host`) if no whole answer came back."""
        headers = self._headers | ({"Cookie": "; ".join(cookies.values())} if cookies else {})
        try:
            return await self._exchange(self._parts.geturl() + route, data, headers, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._broken(route, error)
        # Outside of the handler, as aiohttp's errors hold the request's headers and would travel along as context.
        raise failure

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, url: str, data: bytes, headers: dict[str, str], max_bytes: int) -> Answer:
        async with self._opened().post(url, data=data, headers=headers, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    response.close()
                    break
            return Answer(
                response.status,
                self._clean(bytes(body[:max_bytes])),
                len(body) > max_bytes,
                _cookies(response.headers.getall("Set-Cookie", [])),
                self._clean_text(response.headers.get("Location", "")),
            )

    def _clean(self, body: bytes) -> bytes:
        """The body without the token: servers that repeat a request's headers must not put it in a transcript."""
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"[redacted]")
        return body

    def _clean_text(self, text: str) -> str:
        return self._clean(text.encode(errors="replace")).decode()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=self._call_timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, self._call_timeout_s)
                ),
            )
        return self._session

    def _broken(self, route: str, error: Exception) -> Failure:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
            what = f"did not answer {route} within {self._call_timeout_s:g} s"
        elif isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
            # The error's own text repeats what was received, which may hold what was sent.
            what = f"answered {route} with something that is not whole HTTP ({type(error).__name__})"
        else:
            what = f"cannot be reached for {route}: {self._clean_text(describe(error))}"
        return Failure("host", f"{self.server} {what}", retryable=True)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if sound and not (parts.username or parts.password or parts.query):
            return parts._replace(path=parts.path.rstrip("/"), fragment="")
    except ValueError:
        pass
    # The value is not shown, as it can hold a password.
    message = "The host URL must start with http:// or https:// and name a host; it holds no user and no query."
    raise PalestraError("usage", message, fix="Give the server's base URL, and a secret as token.")


def _cookies(headers: list[str]) -> dict[str, str]:
    pairs = [header.partition(";")[0].strip() for header in headers]
    return {pair.partition("=")[0]: pair for pair in pairs if "=" in pair}
