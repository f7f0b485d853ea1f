"""One endpoint over HTTP: bounded POSTs of JSON, and no secret in any text that leaves this file."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import SplitResult, quote, unquote

from palestra.core.deadline import TimeLimits
from palestra.core.errors import Failure, PalestraError, describe
from palestra.transport.client import Client, UntrustedCertificate, split_url
from palestra.transport.connection import Answer, BadAnswer
from palestra.wire.encoding import encode

MAX_BODY_BYTES = 32 * 2**20
"""Twice the longest honest reply: 131,072 tokens with ids and log-probabilities are about 16 MB."""
CONNECT_TIMEOUT_S = 30.0
KEEP_ALIVE_S = 4.0
"""Below the 5 s after which uvicorn, and so vLLM and SGLang, drops an idle connection: a POST sent into that moment
would be lost."""
SHORTEST_SECRET = 4
"""Shorter keys are placeholders ("-", "x"); taking them out would only garble messages."""


class Endpoint:
    """A base URL with its key and connections. Whatever breaks on the way is a Failure."""

    def __init__(self, base_url: str, api_key: str | None, *, call_timeout_s: float) -> None:
        self._parts = _split(base_url.strip())
        key = (api_key or "").strip()
        if not key.isprintable():
            raise PalestraError("usage", "The API key holds a character that no HTTP header can carry.")
        user, password = self._parts.username, self._parts.password or ""
        if key and user is not None:
            raise PalestraError("usage", "Give an API key or a user in the base URL, not both.")
        self.has_key = bool(key)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._secrets = _forms(key) + _forms(unquote(password))
        if len(password) >= SHORTEST_SECRET:
            # As they are in the header and in the URL.
            self._secrets = (_base64(f"{unquote(user or '')}:{unquote(password)}"), *self._secrets, password)
        self._calls = TimeLimits(call_timeout_s)
        connect_timeout_s = min(CONNECT_TIMEOUT_S, call_timeout_s)
        self._client = Client(self._parts, headers, connect_timeout_s=connect_timeout_s, keep_alive_s=KEEP_ALIVE_S)

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
            with self._calls.limit():
                answer = await self._client.post(self._target(route, below_root), data, max_bytes=MAX_BODY_BYTES)
        except (BadAnswer, OSError) as error:
            raise self._broken(error) from error
        if answer.is_cut:
            raise self._bad(f"more than {MAX_BODY_BYTES // 2**20} MiB")
        return answer

    def _target(self, route: str, below_root: bool) -> str:
        """The path of a route, with the query of the base URL."""
        path = self._parts.path.rstrip("/")
        path = (path.removesuffix("/v1") if below_root else path) + route
        return f"{path}?{self._parts.query}" if self._parts.query else path

    async def close(self) -> None:
        await self._client.close()

    def clean(self, text: str) -> str:
        """`text` without the secrets of this endpoint."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text

    def text(self, body: bytes) -> str:
        return self.clean(body.decode(errors="replace"))

    def _broken(self, error: Exception) -> Failure:
        if isinstance(error, TimeoutError) and error.errno is None:
            message = f"{self.url} did not answer within {self._calls.seconds:g} s"
            return Failure("model", message, code="model-timeout", retryable=True)
        if isinstance(error, BadAnswer):
            return self._bad(f"something that is not HTTP: {error}")
        if isinstance(error, UntrustedCertificate):
            message = f"no connection to {self.url}: {error}"
            return Failure("model", message, code="model-unreachable", fatal=True)
        message = f"no connection to {self.url}: {self.clean(describe(error))}"
        return Failure("model", message, code="model-unreachable", retryable=True)

    def _bad(self, what: str) -> Failure:
        return Failure("model", f"{self.url} answered with {what}", code="model-bad-reply", retryable=True)


def _split(base_url: str) -> SplitResult:
    try:
        return split_url(base_url)
    except ValueError:
        # The value is not shown, as it can hold a password, and neither is the error, which can repeat it.
        message = "The base URL must start with http:// or https:// and name a host."
        raise PalestraError("usage", message) from None


def _forms(secret: str) -> tuple[str, ...]:
    """The secret as it may be written in a text, longest form first."""
    if len(secret) < SHORTEST_SECRET:
        return ()
    forms = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), _base64(secret)}
    return tuple(sorted(forms, key=len, reverse=True))


def _base64(secret: str) -> str:
    return b64encode(secret.encode()).decode().rstrip("=")
