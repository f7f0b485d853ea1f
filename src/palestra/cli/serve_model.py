"""`palestra serve model`."""

import argparse
import json
import os
import sys
from contextlib import AsyncExitStack

from palestra.cli.event_loop import run_busy
from palestra.cli.options import validated
from palestra.collection.config import ModelChoice
from palestra.collection.endpoints import Endpoints
from palestra.collection.models import open_model
from palestra.core.errors import PalestraError
from palestra.core.model import Model
from palestra.models.scripted import PerRollout, ScriptedModel
from palestra.serve.app import model_app
from palestra.serve.door import Door
from palestra.serve.run import Callers, Listening, bound, callers_of, serve, url_of, warning_of
from palestra.serve.served import Served

ENDPOINTS = ("openai", "vllm")


def serve_model(arguments: argparse.Namespace) -> int:
    if arguments.model is None:
        fix = "Name one: palestra serve model embedded --port 8000"
        raise PalestraError("usage", "it is not said which model to serve", fix=fix)
    host = arguments.host
    callers = callers_of(host, arguments.token_env, arguments.allow_from)
    model = opened(arguments)
    backend, _, name = arguments.model.partition(":")
    passes = backend in ENDPOINTS
    names = (name,) if passes else tuple(dict.fromkeys((model.name, backend)))
    served = Served(model, names, tells_tokens=backend in ("embedded", "vllm"), passes_parameters=passes)
    door = door_of(callers, arguments)
    listening = bound(host, arguments.port)
    url = f"{url_of(listening)}/v1"

    async def build(stack: AsyncExitStack) -> list[Listening]:
        return [Listening(model_app(served, door), listening)]

    def announce() -> None:
        if warning := warning_of(host, callers):
            print(warning, file=sys.stderr, flush=True)
        said = {"url": url, "models": names, "pid": os.getpid()}
        print(json.dumps(said) if arguments.json else f"serving {names[0]} at {url}", flush=True)

    return run_busy(serve(build, announce))


def door_of(callers: Callers, arguments: argparse.Namespace) -> Door:
    limits = (arguments.max_requests, arguments.request_timeout_s)
    return Door(callers.token, callers.networks, callers.loopback_only, *limits)


def opened(arguments: argparse.Namespace) -> Model:
    """The model to serve. Raises PalestraError for one that only plays rollouts it is told about."""
    choice = validated(
        ModelChoice,
        {"spec": arguments.model, "base_url": arguments.base_url, "api_key_env": arguments.model_api_key_env},
    )
    model = open_model(choice, Endpoints())
    if isinstance(model, ScriptedModel):
        return model.for_conversations()
    if isinstance(model, PerRollout):
        raise PalestraError("usage", f"{arguments.model!r} replies to rollouts, and a request does not say which it is")
    return model
