"""A real server on the loopback that sends exactly the bytes it is told to."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeAlias

from palestra.transport.client import Client, split_url
from palestra.transport.connection import Answer


class Peer:
    """One connection, seen from the server."""

    def __init__(self, server: "RawServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """One whole request. Raises IncompleteReadError when the client has hung up."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        request = head + await self.reader.readexactly(length)
        self.server.requests.append(request)
        return request

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each on its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """Close so that the client is told of a reset."""
        opened = self.writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has hung up."""
        with suppress(OSError):
            while await self.reader.read(1 << 16):
                pass


Script: TypeAlias = Callable[[Peer], Awaitable[None]]
"""What the server does with a connection, which is closed afterwards."""


class RawServer:
    """`async with RawServer(script) as server:`; `requests` holds what was received."""

    def __init__(self, script: Script, *, host: str = "127.0.0.1", port: int = 0, ssl: Any = None) -> None:
        self.script = script
        self.host = host
        self.wanted_port = port
        self.ssl = ssl
        self.requests: list[bytes] = []
        self.connections = 0
        self.working: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.accept, self.host, self.wanted_port, ssl=self.ssl)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.close()
        for task in self.working:
            task.cancel()
        await asyncio.gather(*self.working, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self.work(reader, writer))
        self.working.add(task)
        task.add_done_callback(self.working.discard)

    async def work(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.script(Peer(self, reader, writer))
        except (asyncio.IncompleteReadError, OSError):
            # The client is gone.
            pass
        finally:
            writer.close()

    def client(self, **options: Any) -> Client:
        scheme = "https" if self.ssl else "http"
        return client_of(f"{scheme}://{options.pop('at', '127.0.0.1')}:{self.port}", **options)


def client_of(url: str, **options: Any) -> Client:
    return Client(split_url(url), {}, **{"connect_timeout_s": 10.0, "keep_alive_s": 10.0, **options})


def always(*pieces: bytes) -> Script:
    """Answer each request of a connection with these pieces."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)

    return script


def once(*pieces: bytes) -> Script:
    """Answer one request with these pieces, and close the connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)

    return script


async def ask(client: Client, *, max_bytes: int = 1000, cut: bool = False, data: bytes = b"{}") -> Answer:
    return await client.post("/x", data, max_bytes=max_bytes, cut=cut)


def free_port(host: str = "127.0.0.1") -> int:
    """A port where nothing listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as opened:
        opened.bind((host, 0))
        return opened.getsockname()[1]
