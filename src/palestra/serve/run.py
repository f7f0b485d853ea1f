"""Listening on sockets until a signal comes."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from palestra.core.errors import PalestraError
from palestra.serve.door import Network, is_loopback_host, networks_of
from palestra.serve.protocol import BoundedProtocol

GRACE_S = 3
"""How long requests may go on after a signal."""
BACKLOG = 2048
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Listening:
    """An ASGI application and the socket it answers on."""

    app: Any
    socket: socket.socket


class Announced(uvicorn.Server):
    """Says when it answers; signals are somebody else's."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """A socket on this address; port 0 is any free one. Raises PalestraError if it cannot be had."""
    if not 0 <= port < 2**16:
        # The resolver would take it modulo 65536.
        raise PalestraError(
            "usage", f"there is no port {port}", fix="Choose one from 1 to 65535; 0 takes any free one."
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        # A server that was just ended leaves its port in a state that forbids the next one to have it.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        fix = "Choose another --port; --port 0 takes any free one."
        raise PalestraError("usage", f"cannot listen on {host} port {port}: {error.strerror}", fix=fix) from error
    return opened


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app, log_level="error", access_log=False, server_header=False, date_header=False, backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S, limit_concurrency=None, ws="none", http=BoundedProtocol,
    )  # fmt: skip


Build = Callable[[AsyncExitStack], Awaitable[Sequence[Listening]]]
"""Makes what is served, in the event loop that serves it; the stack closes what it needs."""


async def serve(build: Build, announce: Callable[[], None]) -> int:
    """Answer on all sockets until SIGINT or SIGTERM, which end this once the requests at work had GRACE_S to finish.

    `announce` is called when all answer. Returns the exit code that the signal stands for.
    """
    async with AsyncExitStack() as stack:
        return await until_signal(await build(stack), announce)


async def until_signal(served: Sequence[Listening], announce: Callable[[], None]) -> int:
    loop = asyncio.get_running_loop()
    starting = len(served)
    received: list[int] = []

    def started() -> None:
        nonlocal starting
        starting -= 1
        if not starting:
            announce()

    servers = [Announced(server_config(entry.app), started) for entry in served]

    def stop(number: int) -> None:
        for server in servers:
            # A second signal does not wait for the requests at work.
            server.force_exit = bool(received)
            server.should_exit = True
        received.append(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        async with asyncio.TaskGroup() as group:
            for server, entry in zip(servers, served, strict=True):
                group.create_task(server.serve(sockets=[entry.socket]))
    finally:
        for entry in served:
            entry.socket.close()
    return 128 + received[0] if received else 0


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may ask a server that listens on a host."""

    token: str | None
    networks: tuple[Network, ...]
    loopback_only: bool


def callers_of(host: str, variable: str | None, ranges: Sequence[str]) -> Callers:
    """Who may ask: whoever has the token in this environment variable, or asks from these address ranges.

    Raises PalestraError if the variable is not set, or if the host is open to other machines and nobody is named.
    """
    token = os.environ.get(variable, "").strip() if variable else ""
    if variable and not token:
        raise PalestraError("usage", f"--token-env names {variable}, which is not set", fix=f"export {variable}=...")
    loopback, networks = is_loopback_host(host), networks_of(ranges)
    if not loopback and not token and not networks:
        fix = (
            "Set an environment variable to a long random text and give its name: --token-env NAME. For clients that"
            " can send none, name where they ask from: --allow-from 10.1.0.0/16."
        )
        raise PalestraError("usage", f"--host {host} is open to other machines, and there is no token", fix=fix)
    return Callers(token or None, networks, loopback)


def warning_of(host: str, callers: Callers) -> str | None:
    """What somebody should know who opens a server to others."""
    if not callers.networks:
        return None
    ranges = ", ".join(map(str, callers.networks))
    return f"mind: whoever asks {host} from {ranges} needs no token, and nothing is encrypted"
