"""`palestra serve ENV[,ENV]`."""

import argparse
import json
import os
import sys
from contextlib import AsyncExitStack

from palestra.cli.event_loop import run_busy
from palestra.cli.options import read_options
from palestra.cli.serve_model import door_of
from palestra.collection.config import EVERY_ENVIRONMENT
from palestra.collection.endpoints import Endpoints
from palestra.collection.models import open_roles, read_roles, require_roles
from palestra.core.discovery import Source, find
from palestra.core.errors import PalestraError
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.lent_sandbox import lend
from palestra.hosts.local import LocalHost
from palestra.serve.environment import environment_app
from palestra.serve.episodes import EpisodeLimits, Episodes
from palestra.serve.run import Listening, bound, callers_of, serve, url_of, warning_of


def serve_environments(arguments: argparse.Namespace) -> int:
    sources = [find(name) for name in arguments.served.split(",")]
    names = [source.name for source in sources]
    if len({*names}) < len(names):
        raise PalestraError("usage", f"an environment is named twice: {', '.join(names)}")
    callers = callers_of(arguments.host, arguments.token_env, arguments.allow_from)
    secret = secret_of(arguments.secret_env)
    choices = read_roles(arguments.role, arguments.role_option)
    values = read_options(arguments.option, names)
    options = [
        source.options({**values.get(EVERY_ENVIRONMENT, {}), **values.get(source.name, {})}) for source in sources
    ]
    for source, chosen in zip(sources, options, strict=True):
        require_roles(source, chosen, choices)
    ports = [arguments.port and arguments.port + place for place in range(len(sources))]
    sockets = [bound(arguments.host, port) for port in ports]

    async def build(stack: AsyncExitStack) -> list[Listening]:
        roles = await open_roles(choices, Endpoints(), stack)
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        lent = await lend(arguments.sandbox, sources, stack)
        listening: list[Listening] = []
        for source, chosen, opened in zip(sources, options, sockets, strict=True):
            host = LocalHost(source, chosen, pool, roles, lent)
            limits = EpisodeLimits(arguments.max_episodes, arguments.ttl_s)
            episodes = Episodes(host, cookie_of(source), secret, limits=limits)
            listening.append(Listening(environment_app(host, episodes, door_of(callers, arguments)), opened))
        return listening

    def announce() -> None:
        if warning := warning_of(arguments.host, callers):
            print(warning, file=sys.stderr, flush=True)
        for name, opened in zip(names, sockets, strict=True):
            said = {"environment": name, "url": url_of(opened), "pid": os.getpid()}
            print(json.dumps(said) if arguments.json else f"serving {name} at {said['url']}", flush=True)

    return run_busy(serve(build, announce))


def cookie_of(source: Source) -> str:
    """The name of the session cookie, formed as NeMo Gym's servers form theirs."""
    return f"{source.load().__name__}___{source.name}"


def secret_of(variable: str | None) -> str | None:
    if variable is None:
        return None
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise PalestraError("usage", f"--secret-env names {variable}, which is not set", fix=f"export {variable}=...")
    return secret
