"""What every request passes before it is read: who may ask, from where, how much, and how long it may take."""

import asyncio
import hmac
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from palestra.core.deadline import TimeLimits
from palestra.core.errors import PalestraError
from palestra.serve.asgi import Call
from palestra.serve.refusals import Refusal
from palestra.wire.encoding import decode

Network: TypeAlias = IPv4Network | IPv6Network
Result = TypeVar("Result")

MAX_BODY_BYTES = 64 * 2**20
"""A conversation of a million tokens with their ids fits."""
BODIES = TimeLimits(30.0)
"""How long a body may take to arrive."""
GONE_STATUS = 499
"""What nginx writes for a client that did not wait; nobody reads it."""


@dataclass(slots=True)
class Door:
    """Lets in at most `max_requests` at a time; the rest is told to come back."""

    token: str | None = None
    """What clients must send as bearer token; None if anyone who can connect may ask."""
    networks: tuple[Network, ...] = ()
    """Where clients may ask from without a token; if there is none either, nobody else may."""
    loopback_only: bool = True
    max_requests: int = 1024
    request_timeout_s: float = 600.0
    inside: int = 0

    async def admit(self, call: Call) -> None:
        """Raises Refusal for a caller that may not ask."""
        self.check_token(call)
        try:
            self.check_names(call)
        except Refusal:
            # A browser, perhaps: it reads no answer before it has sent its body.
            await bounded(call)
            raise

    def check_names(self, call: Call) -> None:
        named = [call.header(b"host")]
        if origin := call.header(b"origin"):
            named.append(urlsplit(origin).netloc)
        # A page in a browser can make requests here, under the name of its own host or of this one.
        if self.loopback_only and not all(map(is_loopback, named)):
            raise Refusal(403, f"this server answers on the loopback only, not for {' and '.join(named)}")

    def check_token(self, call: Call) -> None:
        if self.networks and self.is_near(call.client):
            return
        if self.token is None:
            if self.networks:
                raise Refusal(403, f"this server does not answer {call.client or 'this address'}")
            return
        sent = call.header(b"authorization").removeprefix("Bearer ")
        if not hmac.compare_digest(sent.encode(), self.token.encode()):
            raise Refusal(401, "the token is missing or wrong", code="invalid_api_key")

    def is_near(self, client: str) -> bool:
        try:
            address = ip_address(client)
        except ValueError:
            return False
        # What comes by way of an IPv6 socket is still that machine.
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)

    async def answer(self, call: Call, work: Coroutine[Any, Any, Result]) -> Result:
        """What `work` gives, if there is room for it, in time, and as long as its client waits."""
        if self.inside >= self.max_requests:
            work.close()
            message = f"{self.inside} requests are being answered or waiting"
            raise Refusal(429, message, code="rate_limit_exceeded", retry_after_s=1)
        self.inside += 1
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(departure(call))
        try:
            await asyncio.wait({working, leaving}, timeout=self.request_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if leaving.done():
                raise Refusal(GONE_STATUS, "the client has gone")
            raise Refusal(504, f"no reply within {self.request_timeout_s:g} s")
        finally:
            self.inside -= 1
            working.cancel()
            leaving.cancel()


async def departure(call: Call) -> None:
    """Returns when the client has gone."""
    while (await call.receive())["type"] != "http.disconnect":
        pass


async def json_object(call: Call) -> dict[str, Any]:
    """The body of a request. Raises Refusal if it is too long, too slow, or no JSON object."""
    return (await raw_object(call))[1]


async def raw_object(call: Call) -> tuple[bytes, dict[str, Any]]:
    """The body of a request, as it came and decoded. Raises Refusal as `json_object`."""
    raw = await raw_body(call)
    try:
        body = decode(raw)
    except ValueError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, f"the body must be a JSON object, got {raw[:50].decode(errors='replace')!r}")
    return raw, body


def is_object(raw: bytes) -> bool:
    """Whether this is the JSON text of an object."""
    try:
        return isinstance(decode(raw), dict)
    except ValueError:
        return False


async def raw_body(call: Call) -> bytes:
    """The body of a request that says it is JSON. Raises Refusal if it does not, or is too long or too slow."""
    if call.header(b"content-type").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "the Content-Type must be application/json")
    return await bounded(call)


async def bounded(call: Call) -> bytes:
    """The body of a request. Raises Refusal if it is too long or too slow."""
    try:
        with BODIES.limit():
            return await read(call)
    except TimeoutError:
        raise Refusal(408, f"the body did not arrive within {BODIES.seconds:g} s", closes=True) from None


async def read(call: Call) -> bytes:
    announced = call.header(b"content-length") or "0"
    pieces: list[bytes] = []
    size = int(announced) if announced.isdecimal() else 0
    more = size <= MAX_BODY_BYTES
    size = 0 if more else size
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise Refusal(GONE_STATUS, "the client has gone")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        more = message.get("more_body", False) and size <= MAX_BODY_BYTES
    if size > MAX_BODY_BYTES:
        raise Refusal(413, f"the body is longer than {MAX_BODY_BYTES} bytes", closes=True)
    return b"".join(pieces)


@lru_cache(1024)
def is_loopback(netloc: str) -> bool:
    """Whether `host[:port]`, or a host alone, is this machine to itself."""
    try:
        host = urlsplit(f"//{netloc}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks from `10.0.0.0/8` and its like. Raises PalestraError naming the text that is none."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError as error:
            fix = "Write an address range such as 10.1.0.0/16; one machine is 10.1.2.3/32."
            raise PalestraError("usage", f"--allow-from {text!r}: {error}", fix=fix) from error
    return tuple(found)


def is_loopback_host(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    return is_loopback(f"[{host}]" if ":" in host else host)
