"""From a model specification to a model."""

from pathlib import Path

from palestra.collection.config import ModelChoice
from palestra.collection.endpoints import Endpoints
from palestra.core.errors import PalestraError, suggestion
from palestra.core.model import Model
from palestra.models.replay import ReplayModel
from palestra.models.scripted import PerRollout, ScriptedModel

BACKENDS = ("openai", "vllm", "embedded", "scripted", "replay")


def open_model(choice: ModelChoice, endpoints: Endpoints) -> Model | PerRollout:
    """The model that a specification names; `endpoints` makes those that are behind one.

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
    return endpoints.model(choice, name)


def read_role(text: str) -> tuple[str, ModelChoice]:
    """`judge=MODEL@URL` as a role and its model; MODEL without a backend is an openai one."""
    role, equals, rest = text.partition("=")
    spec, _, url = rest.partition("@")
    if not equals or not role or not spec:
        raise PalestraError("usage", f"--role must be ROLE=MODEL@URL, got {text!r}")
    if spec.partition(":")[0] not in BACKENDS:
        spec = f"openai:{spec}"
    return role, ModelChoice(spec=spec, base_url=url or None)
