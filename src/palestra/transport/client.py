"""POST requests to one origin over connections that are kept: what aiohttp does for many uses, for this one.

A model call through aiohttp cost more processor time than all else of a rollout (docs/decisions/0007).
"""

import asyncio
import re
import socket
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from palestra.core.deadline import TimeLimits
from palestra.transport.connection import Answer, Connection, Disconnected

PORTS = MappingProxyType({"http": 80, "https": 443})
ADDRESSES_KEPT_S = 10.0
ATTEMPT_S = 3.0
"""An address that does not answer for so long is passed over if the host has another."""
LAST_FOR_S = 60.0
SAFE = "/%:@!$&'()*+,;=~?"
TARGETS_KEPT = 256
"""Models make up names of tools, and those are targets."""
HOST = re.compile(r"[^\x00-\x20\x7f]+")


class ConnectTimeout(ConnectionError):
    """No connection came about in time."""


class UntrustedCertificate(ConnectionError):
    """The host could not show that it is the host; the text says why."""


class Client:
    """The connections to the origin of a URL.

    They belong to the event loop of the calls. Calls from another one, after the first has ended, begin anew.
    """

    def __init__(
        self, parts: SplitResult, headers: Mapping[str, str], *, connect_timeout_s: float, keep_alive_s: float
    ) -> None:
        """A user and password in the URL, which comes from `split_url`, become basic authorization.

        Connections that were idle for `keep_alive_s` are not used again: they may be about to be closed.
        """
        self.is_secure = parts.scheme == "https"
        self.name = host_of(parts)
        self.port = parts.port or PORTS[parts.scheme]
        self.keep_alive_s = keep_alive_s
        self.common_headers = head_of(parts, self.name, headers)
        self.requests: dict[str, bytes] = {}
        """The start of a request for each target, made once."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.idle: deque[Connection] = deque()
        """In the order in which they became idle."""
        self.open: set[Connection] = set()
        self.closings = 0
        self.connecting = TimeLimits(connect_timeout_s)
        self.attempting = TimeLimits(ATTEMPT_S)
        self.lookup: asyncio.Future[list[Any]] | None = None
        self.addresses: list[str] = [self.name] if is_address(self.name) else []
        self.addresses_until = float("inf") if self.addresses else 0.0
        self.turn = 0
        self.last_until: dict[str, float] = {}
        """Addresses that failed, and until when the others come first."""
        self.tls: Any = None

    async def post(
        self,
        target: str,
        data: bytes,
        *,
        max_bytes: int,
        cut: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST to a path with its query; see `Connection.ask`.

        Raises BadAnswer, Disconnected, CutOff, ConnectTimeout, UntrustedCertificate or another OSError.
        """
        loop = asyncio.get_running_loop()
        if loop is not self.loop:
            self.begin(loop)
        start = self.requests.get(target) or self.begun(target)
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1") if headers else b""
        connection = self.kept(loop.time()) or await self.connect(loop)
        request = b"%sContent-Length: %d\r\n%s\r\n%s" % (start, len(data), more, data)
        answer = await connection.ask(request, max_bytes, cut=cut)
        if connection.is_open:
            connection.idle_since = loop.time()
            self.idle.append(connection)
        return answer

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave the connections of a loop that has ended: nothing can be done with them any more."""
        self.loop = loop
        self.idle.clear()
        self.open = set()
        self.lookup = None

    def begun(self, target: str) -> bytes:
        start = f"POST {quote(target, safe=SAFE)} HTTP/1.1\r\n".encode() + self.common_headers
        if len(self.requests) < TARGETS_KEPT:
            self.requests[target] = start
        return start

    def kept(self, now: float) -> Connection | None:
        """The connection that was used last, if it can be used again. Those that were idle for too long are closed."""
        idle = self.idle
        while idle and now - idle[0].idle_since > self.keep_alive_s:
            idle.popleft().abort()
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    async def connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        closings = self.closings
        try:
            with self.connecting.limit():
                await self.resolve(loop)
                connection = await self.connect_to_any(loop, self.in_turn(loop.time()))
        except TimeoutError as error:
            if error.errno is not None:
                raise
            raise ConnectTimeout(f"no connection within {self.connecting.seconds:g} s") from None
        if self.closings != closings:
            connection.abort()
            raise Disconnected("the client was closed")
        return connection

    async def connect_to_any(self, loop: asyncio.AbstractEventLoop, addresses: list[str]) -> Connection:
        """A connection to the first address that takes one, or the error of the last."""
        for address in addresses[:-1]:
            # TimeoutError is an OSError, too.
            with suppress(OSError), self.attempting.limit():
                return await self.connect_to(loop, address)
            self.last_until[address] = loop.time() + LAST_FOR_S
        return await self.connect_to(loop, addresses[-1])

    async def connect_to(self, loop: asyncio.AbstractEventLoop, address: str) -> Connection:
        secure = {"ssl": self.tls_context(), "server_hostname": self.name} if self.is_secure else {}
        try:
            transport, connection = await loop.create_connection(
                lambda: Connection(loop, self.open), address, self.port, **secure
            )
        except OSError as error:
            reason = getattr(error, "verify_message", None)
            if reason is None:
                raise
            advice = "SSL_CERT_FILE can name a file of authorities to trust"
            raise UntrustedCertificate(f"its certificate is not accepted: {reason} ({advice})") from None
        # Here and not when it is made: uvloop does not tell of the loss of one whose making was cancelled.
        if connection.is_open:
            self.open.add(connection)
        notice_dead_peer(transport.get_extra_info("socket"))
        return connection

    def in_turn(self, now: float) -> list[str]:
        """The addresses, each time from another one on, as they may be replicas; those that failed come last."""
        self.turn += 1
        first = self.turn % len(self.addresses)
        order = self.addresses[first:] + self.addresses[:first]
        return sorted(order, key=lambda address: self.last_until.get(address, 0.0) > now)

    async def resolve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the addresses of the host: asked for once for all connections of a moment."""
        if loop.time() < self.addresses_until:
            return
        if self.lookup is None or self.lookup.done():
            self.lookup = asyncio.ensure_future(loop.getaddrinfo(self.name, self.port, type=socket.SOCK_STREAM))
            # Nobody may be left to hear of its error.
            self.lookup.add_done_callback(lambda lookup: lookup.cancelled() or lookup.exception())
        # Not awaited itself: whoever is cancelled here must not cancel it for the others.
        lookup = self.lookup
        await asyncio.wait([lookup])
        self.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in lookup.result()))
        self.addresses_until = loop.time() + ADDRESSES_KEPT_S
        self.last_until = {address: self.last_until.get(address, 0.0) for address in self.addresses}

    def tls_context(self) -> Any:
        if self.tls is None:
            # Here, as the module and the certificates cost more than all else that is loaded for plain HTTP.
            import ssl

            self.tls = ssl.create_default_context()
            self.tls.set_alpn_protocols(["http/1.1"])
        return self.tls

    async def close(self) -> None:
        """Close all connections. Calls that are under way end with Disconnected or CutOff."""
        self.closings += 1
        if self.loop is asyncio.get_running_loop():
            for connection in tuple(self.open):
                connection.abort()
        self.idle.clear()
        # Transports close in the next turn of the loop.
        await asyncio.sleep(0)


def split_url(url: str) -> SplitResult:
    """The parts of a URL that a Client can use. Raises ValueError."""
    # What came of bytes that are no UTF-8 can be sent nowhere.
    url.encode()
    parts = urlsplit(url)
    if parts.scheme not in PORTS or parts.port == 0 or not HOST.fullmatch(host_of(parts)):
        raise ValueError("no HTTP origin")
    return parts


def host_of(parts: SplitResult) -> str:
    """The host as it is looked up. Raises ValueError if there is none, or none of this form can be."""
    name = parts.hostname or ""
    return name if is_address(name) else name.encode("idna").decode()


def head_of(parts: SplitResult, name: str, headers: Mapping[str, str]) -> bytes:
    """The headers that all requests have."""
    # The zone of an address ("fe80::1%eth0") means something only here.
    host = f"[{name.partition('%')[0]}]" if ":" in name else name
    named = {"Host": host if parts.port in (None, PORTS[parts.scheme]) else f"{host}:{parts.port}", **headers}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        named["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    # Who says nothing of encodings accepts all of them.
    named |= {"Accept": "*/*", "Accept-Encoding": "identity"}
    return "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode()


def is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def notice_dead_peer(opened: socket.socket) -> None:
    """Have a socket notice a dead peer: a long generation is minutes of silence, which middleboxes cut unheard."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
