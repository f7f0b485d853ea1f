"""Listening on a socket until a signal comes."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from palestra.core.errors import PalestraError

GRACE_S = 3
"""How long requests may go on after a signal."""
BACKLOG = 2048


class Announced(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.announce()


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


def serve(app: Any, listening: socket.socket, announce: Callable[[], None]) -> None:
    """Answer until SIGINT or SIGTERM, which end this process once the requests at work had GRACE_S to finish."""
    # h11, though httptools is installed and uvicorn would take that: it bounds the head of a request.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S, limit_concurrency=None, ws="none", http="h11",
    )  # fmt: skip
    with listening:
        asyncio.run(Announced(config, announce).serve(sockets=[listening]))


def required_key(variable: str | None, host: str, *, loopback: bool) -> str | None:
    """The API key that clients must send, from the environment. Raises PalestraError if it must be there and is not."""
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise PalestraError("usage", f"--api-key-env names {variable}, which is not set", fix=f"export {variable}=...")
    if not loopback and not key:
        fix = "Set an environment variable to a long random text and give its name: --api-key-env NAME."
        raise PalestraError("usage", f"--host {host} is open to other machines, and there is no API key", fix=fix)
    return key or None
