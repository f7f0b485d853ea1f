"""A model server on a free port of the loopback, for as long as a test asks it something."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn

from palestra.serve.app import model_app
from palestra.serve.door import Door
from palestra.serve.run import Announced, bound, url_of
from palestra.serve.served import Served


@asynccontextmanager
async def serving(served: Served, door: Door | None = None) -> AsyncGenerator[str, None]:
    """The URL of the server's root."""
    listening = bound("127.0.0.1", 0)
    config = uvicorn.Config(model_app(served, door or Door()), log_level="critical", timeout_graceful_shutdown=1)
    started = asyncio.Event()
    server = Announced(config, started.set)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(20):
            await started.wait()
        yield url_of(listening)
    finally:
        server.should_exit = True
        await running
        listening.close()


async def request(url: str, body: Any = None, **options: Any) -> tuple[int, Any]:
    """Status and decoded body of one POST, or of a GET where there is nothing to send."""
    sent = {"json": body} if isinstance(body, dict | list) else {"data": body}
    method = options.pop("method", "GET" if body is None else "POST")
    async with aiohttp.ClientSession() as session, session.request(method, url, **{**sent, **options}) as response:
        return response.status, await response.json()
