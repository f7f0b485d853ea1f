"""Serve a model to anything that speaks the OpenAI API.

Routes: /v1/responses, /v1/chat/completions, /v1/models, /health, and /tokenize for the embedded model. Replies come
whole (no streaming). Token ids and log-probabilities are told in vLLM's way, so `collect --model vllm:NAME` records
them. MODEL is embedded, scripted:F (its script for "*" is played by conversation: reply n answers a request in which
the model has spoken n times), or openai:NAME and vllm:NAME to pass requests on to --base-url.

One line says when and where it listens. SIGINT and SIGTERM end it within seconds.

exit codes: 2 it could not start; 130 and 143 after SIGINT and SIGTERM."""

import argparse
import json
import os

from palestra.cli.options import add_json_option, validated
from palestra.collection.config import ModelChoice
from palestra.collection.endpoints import Endpoints
from palestra.collection.models import open_model
from palestra.core.errors import PalestraError, suggestion
from palestra.core.extras import missing
from palestra.core.model import Model
from palestra.models.scripted import PerRollout, ScriptedModel

EXAMPLE = "palestra serve model embedded --port 8000"

ENDPOINTS = ("openai", "vllm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="model", help="what is served: a model")
    parser.add_argument("model", metavar="MODEL", help="embedded, scripted:F, openai:NAME or vllm:NAME")
    parser.add_argument("--port", type=int, required=True, metavar="P", help="0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="others than the loopback need --api-key-env")
    variable = "environment variable with the API key that clients must send"
    parser.add_argument("--api-key-env", metavar="NAME", help=variable)
    at_once = "requests at once, answered or waiting; more get a 429"
    parser.add_argument("--max-requests", type=int, default=1024, metavar="N", help=at_once)
    parser.add_argument("--request-timeout-s", type=float, default=600.0, metavar="S", help="504 after this")
    passed = parser.add_argument_group("passing on to an endpoint")
    passed.add_argument("--base-url", metavar="URL", help="of openai:NAME and vllm:NAME")
    key = "environment variable with the endpoint's API key"
    passed.add_argument("--model-api-key-env", default="OPENAI_API_KEY", metavar="NAME", help=key)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    if arguments.kind != "model":
        hint = suggestion(arguments.kind, ("model",))
        raise PalestraError("usage", f"what is served must be `model`, got {arguments.kind!r}.{hint}")
    if lacking := missing("serve"):
        fix = 'Run `palestra doctor --fix`, or pip install "palestra[serve]".'
        raise PalestraError("missing-package", f"serving needs {', '.join(lacking)}, not installed here", fix=fix)
    if arguments.max_requests < 1 or not arguments.request_timeout_s > 0:
        raise PalestraError("usage", "--max-requests and --request-timeout-s must be above 0")
    from palestra.serve.app import model_app
    from palestra.serve.door import Door, is_loopback
    from palestra.serve.run import bound, required_key, serve, url_of
    from palestra.serve.served import Served

    host = arguments.host
    loopback = is_loopback(f"[{host}]" if ":" in host else host)
    key = required_key(arguments.api_key_env, host, loopback=loopback)
    model = opened(arguments)
    backend, _, name = arguments.model.partition(":")
    passes = backend in ENDPOINTS
    names = (name,) if passes else tuple(dict.fromkeys((model.name, backend)))
    served = Served(model, names, tells_tokens=backend in ("embedded", "vllm"), passes_parameters=passes)
    door = Door(key, loopback, arguments.max_requests, arguments.request_timeout_s)
    listening = bound(host, arguments.port)
    url = f"{url_of(listening)}/v1"

    def announce() -> None:
        said = {"url": url, "models": names, "pid": os.getpid()}
        print(json.dumps(said) if arguments.json else f"serving {names[0]} at {url}", flush=True)

    serve(model_app(served, door), listening, announce)
    return 0


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
