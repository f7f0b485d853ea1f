"""POST requests to one origin over connections that are kept: what aiohttp does for many uses, for this one.

A model call through aiohttp cost more processor time than all else of a rollout (docs/decisions/0007).
"""

import asyncio
import socket
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, quote, unquote

from palestra.core.deadline import TimeLimits
from palestra.transport.connection import Answer, Connection

PORTS = MappingProxyType({"http": 80, "https": 443})
ADDRESSES_KEPT_S = 10.0
SAFE = "/%:@!$&'()*+,;=~?"


class ConnectTimeout(ConnectionError):
    """No connection came about in time."""


class Client:
    """The connections to the origin of a URL. Used in one event loop."""

    def __init__(
        self, parts: SplitResult, headers: Mapping[str, str], *, connect_timeout_s: float, keep_alive_s: float
    ) -> None:
        """A user and password in the URL become basic authorization.

        Connections that were idle for `keep_alive_s` are not used again: they may be about to be closed.
        """
        assert parts.hostname is not None
        self.is_secure = parts.scheme == "https"
        self.name = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
        self.port = parts.port or PORTS[parts.scheme]
        self.keep_alive_s = keep_alive_s
        self.common_headers = head_of(parts, self.name, headers)
        self.requests: dict[str, bytes] = {}
        """The start of a request for each target, made once."""
        self.idle: list[Connection] = []
        self.open: set[Connection] = set()
        self.connecting = TimeLimits(connect_timeout_s)
        self.resolving = asyncio.Lock()
        self.addresses: list[str] = [self.name] if is_address(self.name) else []
        self.addresses_until = float("inf") if self.addresses else 0.0
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

        Raises BadAnswer, Disconnected, CutOff, ConnectTimeout or another OSError.
        """
        start = self.requests.get(target) or self.begun(target)
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1") if headers else b""
        connection = self.kept() or await self.connect()
        request = b"%sContent-Length: %d\r\n%s\r\n%s" % (start, len(data), more, data)
        answer = await connection.ask(request, max_bytes, cut=cut)
        if connection.is_open:
            connection.idle_since = connection.loop.time()
            self.idle.append(connection)
        return answer

    def begun(self, target: str) -> bytes:
        line = f"POST {quote(target, safe=SAFE)} HTTP/1.1\r\n".encode()
        self.requests[target] = line + self.common_headers
        return self.requests[target]

    def kept(self) -> Connection | None:
        """The connection that was used last, if it can be used again."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open and connection.loop.time() - connection.idle_since < self.keep_alive_s:
                return connection
            connection.abort()
        return None

    async def connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            with self.connecting.limit():
                return await self.connect_to_any(loop, await self.resolved(loop))
        except TimeoutError as error:
            if error.errno is not None:
                raise
            raise ConnectTimeout(f"no connection within {self.connecting.seconds:g} s") from None

    async def connect_to_any(self, loop: asyncio.AbstractEventLoop, addresses: list[str]) -> Connection:
        """A connection to the first address that takes one."""
        secure = {"ssl": self.tls_context(), "server_hostname": self.name} if self.is_secure else {}
        for address in addresses:
            try:
                transport, connection = await loop.create_connection(
                    lambda: Connection(loop, self.open.discard), address, self.port, **secure
                )
            except OSError:
                if address == addresses[-1]:
                    raise
                continue
            notice_dead_peer(transport.get_extra_info("socket"))
            self.open.add(connection)
            return connection
        raise OSError(f"{self.name} has no address")

    async def resolved(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        """The addresses of the host, asked for once for all connections of a moment."""
        async with self.resolving:
            if loop.time() >= self.addresses_until:
                found = await loop.getaddrinfo(self.name, self.port, type=socket.SOCK_STREAM)
                self.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
                self.addresses_until = loop.time() + ADDRESSES_KEPT_S
            return self.addresses

    def tls_context(self) -> Any:
        if self.tls is None:
            # Here, as the module and the certificates cost more than all else that is loaded for plain HTTP.
            import ssl

            self.tls = ssl.create_default_context()
            self.tls.set_alpn_protocols(["http/1.1"])
        return self.tls

    async def close(self) -> None:
        self.idle.clear()
        for connection in self.open:
            connection.abort()
        # Transports close in the next turn of the loop.
        await asyncio.sleep(0)


def head_of(parts: SplitResult, name: str, headers: Mapping[str, str]) -> bytes:
    """The headers that all requests have."""
    host = f"[{name}]" if ":" in name else name
    named = {"Host": host if parts.port in (None, PORTS[parts.scheme]) else f"{host}:{parts.port}", **headers}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        named["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    # No Accept-Encoding: what is not asked for must not come compressed.
    return "".join(f"{name}: {value}\r\n" for name, value in {**named, "Accept": "*/*"}.items()).encode()


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
