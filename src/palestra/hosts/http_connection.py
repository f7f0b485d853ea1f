"""One resources server over HTTP: bounded POSTs of JSON, opaque cookies, and no secret in what comes back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import SplitResult

from palestra.core.deadline import TimeLimits
from palestra.core.errors import Failure, PalestraError, describe
from palestra.transport.client import Client, UntrustedCertificate, split_url
from palestra.transport.connection import BadAnswer, CutOff
from palestra.wire.verification import FAILURE_HEADER, VERSION_HEADER

Cookies: TypeAlias = Mapping[str, str]
"""Name to the `name=value` that the server sent, byte for byte: only the server knows what is in it."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
CONNECT_TIMEOUT_S = 30.0
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
    failure: str = ""
    """`boundary/code` of the Failure that a server of ours says this error is."""
    is_ours: bool = False
    """Whether a server of this project answered, which tells more than NeMo Gym's."""

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
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        forms = {token, json.dumps(token)[1:-1]} if len(token) >= SHORTEST_SECRET else set[str]()
        self._secrets = sorted(forms, key=len, reverse=True)
        self._calls = TimeLimits(call_timeout_s)
        connect_timeout_s = min(CONNECT_TIMEOUT_S, call_timeout_s)
        self._client = Client(self._parts, headers, connect_timeout_s=connect_timeout_s, keep_alive_s=KEEP_ALIVE_S)

    async def post(
        self, route: str, data: bytes, cookies: Cookies, *, max_bytes: int, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """POST JSON to a route of the server. Raises Failure (`host`) if no whole answer came back."""
        if cookies:
            headers = {**headers, "Cookie": "; ".join(cookies.values())}
        try:
            with self._calls.limit():
                target = self._parts.path + route
                answer = await self._client.post(target, data, max_bytes=max_bytes, cut=True, headers=headers)
        except (BadAnswer, OSError) as error:
            raise self._broken(route, error) from error
        return Answer(
            answer.status,
            self._clean(answer.body),
            answer.is_cut,
            _cookies(answer.headers("Set-Cookie")),
            self._clean_text(answer.header("Location")),
            answer.header(FAILURE_HEADER),
            bool(answer.header(VERSION_HEADER)),
        )

    async def close(self) -> None:
        await self._client.close()

    def _clean(self, body: bytes) -> bytes:
        """The body without the token: servers that repeat a request's headers must not put it in a transcript."""
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"[redacted]")
        return body

    def _clean_text(self, text: str) -> str:
        return self._clean(text.encode(errors="replace")).decode()

    def _broken(self, route: str, error: Exception) -> Failure:
        if isinstance(error, TimeoutError) and error.errno is None:
            what = f"did not answer {route} within {self._calls.seconds:g} s"
        elif isinstance(error, BadAnswer | CutOff):
            what = f"answered {route} with something that is not whole HTTP ({error})"
        else:
            what = f"cannot be reached for {route}: {self._clean_text(describe(error))}"
        is_refused = isinstance(error, UntrustedCertificate)
        return Failure("host", f"{self.server} {what}", retryable=not is_refused, fatal=is_refused)


def _split(url: str) -> SplitResult:
    try:
        parts = split_url(url)
        if "@" not in parts.netloc and not parts.query:
            return parts._replace(path=parts.path.rstrip("/"), fragment="")
    except ValueError:
        # Its text can repeat the value, which can hold a password.
        pass
    message = "The host URL must start with http:// or https:// and name a host; it holds no user and no query."
    raise PalestraError("usage", message, fix="Give the server's base URL, and a secret as token.")


def _cookies(headers: list[str]) -> dict[str, str]:
    pairs = [header.partition(";")[0].strip() for header in headers]
    return {pair.partition("=")[0]: pair for pair in pairs if "=" in pair}
