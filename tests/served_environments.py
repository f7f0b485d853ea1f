"""Environments on free ports of the loopback, for as long as a test plays on them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from palestra.hosts.local import LocalHost
from palestra.serve.door import Door
from palestra.serve.environment import environment_app
from palestra.serve.episodes import EpisodeLimits, Episodes
from palestra.serve.run import Announced, bound, server_config, url_of


@asynccontextmanager
async def listening(app: Any) -> AsyncGenerator[str, None]:
    """The root URL of an ASGI application behind the server that `palestra serve` uses."""
    opened = bound("127.0.0.1", 0)
    started = asyncio.Event()
    server = Announced(server_config(app), started.set)
    running = asyncio.create_task(server.serve(sockets=[opened]))
    try:
        async with asyncio.timeout(20):
            await started.wait()
        yield url_of(opened)
    finally:
        server.should_exit = True
        await running
        opened.close()


def app_of(host: LocalHost, door: Door | None = None, limits: EpisodeLimits | None = None, **options: Any) -> Any:
    episodes = Episodes(host, f"{host.environment_class.__name__}___{host.source.name}", limits=limits, **options)
    return environment_app(host, episodes, door or Door())


@asynccontextmanager
async def served(host: LocalHost, door: Door | None = None, **options: Any) -> AsyncGenerator[str, None]:
    """The root URL of an environment's server; its end closes the host."""
    async with listening(app_of(host, door, **options)) as url:
        yield url
