"""Serve environments, or a model, to anything that speaks their protocols.

Environments answer NeMo Gym's routes of a resources server: /seed_session, one route a tool, /verify. Each has a port
of its own, counted from --port. A model answers OpenAI's: /v1/responses, /v1/chat/completions, /v1/models, /health, and
/tokenize for the embedded model. Replies come whole (no streaming). Token ids and log-probabilities are told in vLLM's
way, so `collect --model vllm:NAME` records them. MODEL is embedded, scripted:F (its script for "*" is played by
conversation: reply n answers a request in which the model has spoken n times), or openai:NAME and vllm:NAME to pass
requests on to --base-url.

One line for each says when and where it listens. SIGINT and SIGTERM end it within seconds.

exit codes: 2 it could not start; 130 and 143 after SIGINT and SIGTERM."""

import argparse

from palestra.cli.options import add_environment_options, add_json_option, add_role_options, add_sandbox_option
from palestra.core.errors import PalestraError
from palestra.core.extras import missing

EXAMPLE = "palestra serve mcqa,calendar --port 8100"

MODEL = "model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "environments, separated by commas, each a name, a folder or module:Class; or `model`"
    parser.add_argument("served", metavar="ENV[,ENV]|model", help=what)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="embedded, scripted:F, openai:NAME or vllm:NAME")
    parser.add_argument("--port", type=int, required=True, metavar="P", help="the first one; 0 takes any free ports")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="others than the loopback need --token-env or --allow-from"
    )
    variable = "environment variable with the token that clients must send as `Authorization: Bearer`"
    parser.add_argument("--token-env", metavar="NAME", help=variable)
    ranges = "a range of addresses whose clients need no token; repeatable"
    parser.add_argument("--allow-from", action="append", default=[], metavar="CIDR", help=ranges)
    at_once = "requests at once, answered or waiting; more get a 429"
    parser.add_argument("--max-requests", type=int, default=1024, metavar="N", help=at_once)
    parser.add_argument("--request-timeout-s", type=float, default=600.0, metavar="S", help="504 after this")
    episodes = parser.add_argument_group("environments")
    ttl = "an episode that nobody asked for so long is closed"
    episodes.add_argument("--ttl-s", type=float, default=3600.0, metavar="S", help=ttl)
    open_at_once = "episodes open at the same time; a further one gets a 503"
    episodes.add_argument("--max-episodes", type=int, default=20_000, metavar="N", help=open_at_once)
    secret = "environment variable with the secret that signs sessions, for servers that share them; else a random one"
    episodes.add_argument("--secret-env", metavar="NAME", help=secret)
    add_environment_options(episodes)
    add_role_options(episodes)
    add_sandbox_option(episodes)
    passed = parser.add_argument_group("passing on to an endpoint")
    passed.add_argument("--base-url", metavar="URL", help="of openai:NAME and vllm:NAME")
    key = "environment variable with the endpoint's API key"
    passed.add_argument("--model-api-key-env", default="OPENAI_API_KEY", metavar="NAME", help=key)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    if lacking := missing("serve"):
        fix = 'Run `palestra doctor --fix`, or pip install "palestra[serve]".'
        raise PalestraError("missing-package", f"serving needs {', '.join(lacking)}, not installed here", fix=fix)
    limits = (arguments.max_requests, arguments.max_episodes, arguments.ttl_s, arguments.request_timeout_s)
    if min(limits) <= 0:
        names = "--max-requests, --max-episodes, --ttl-s and --request-timeout-s"
        raise PalestraError("usage", f"{names} must be above 0")
    if arguments.served == MODEL:
        from palestra.cli.serve_model import serve_model

        return serve_model(arguments)
    if arguments.model is not None:
        raise PalestraError(
            "usage", f"{arguments.model!r} is one word too much", fix="Separate environments by commas."
        )
    from palestra.cli.serve_environments import serve_environments

    return serve_environments(arguments)
