"""From a model specification to a model."""

import os
from pathlib import Path
from random import Random

from palestra.collection.config import ModelChoice
from palestra.core.errors import PalestraError, suggestion
from palestra.core.model import Model
from palestra.models.openai import OpenAIModel
from palestra.models.replay import ReplayModel
from palestra.models.scripted import PerRollout, ScriptedModel
from palestra.rollout.adaptive import AdaptiveLimit, AdaptiveModel
from palestra.rollout.retry import RetryingModel, RetryPolicy

BACKENDS = ("openai", "vllm", "embedded", "scripted", "replay")
DEFAULT_BASE_URL = "https://api.openai.com/v1"


def open_model(choice: ModelChoice, limit: AdaptiveLimit | None = None) -> Model | PerRollout:
    """The model that a specification names; calls of an endpoint share `limit`.

    Raises PalestraError with the nearest backend.
    """
    backend, _, name = choice.spec.partition(":")
    if backend not in BACKENDS:
        hint = suggestion(backend, BACKENDS)
        raise PalestraError("unknown-model", f"no model backend is named {backend!r} (in {choice.spec!r}).{hint}")
    if backend == "embedded":
        from palestra.models.embedded import EmbeddedModel

        return EmbeddedModel()
    if not name:
        raise PalestraError("unknown-model", f"{choice.spec!r} names no {'file' if backend[0] in 'sr' else 'model'}")
    if backend == "scripted":
        return ScriptedModel.from_file(Path(name))
    if backend == "replay":
        return ReplayModel(Path(name))
    return endpoint(choice, name, limit)


def endpoint(choice: ModelChoice, name: str, limit: AdaptiveLimit | None) -> Model:
    token_ids = choice.spec.startswith("vllm:")
    if token_ids and choice.base_url is None:
        raise PalestraError("usage", f"{choice.spec!r} needs the address of the server", fix="Add --base-url URL.")
    model: Model = OpenAIModel(
        name,
        base_url=choice.base_url or DEFAULT_BASE_URL,
        api_key=os.environ.get(choice.api_key_env),
        api="chat" if token_ids else choice.api,
        call_timeout_s=choice.call_timeout_s,
        token_ids=token_ids,
    )
    if limit is not None:
        model = AdaptiveModel(model, limit)
    return RetryingModel(model, RetryPolicy(max_tries=choice.max_tries), Random())


def read_role(text: str) -> tuple[str, ModelChoice]:
    """`judge=MODEL@URL` as a role and its model; MODEL without a backend is an openai one."""
    role, equals, rest = text.partition("=")
    spec, _, url = rest.partition("@")
    if not equals or not role or not spec:
        raise PalestraError("usage", f"--role must be ROLE=MODEL@URL, got {text!r}")
    if spec.partition(":")[0] not in BACKENDS:
        spec = f"openai:{spec}"
    return role, ModelChoice(spec=spec, base_url=url or None)
