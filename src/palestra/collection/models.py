"""From a model specification to a model."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from palestra.collection.config import ModelChoice
from palestra.collection.endpoints import Endpoints
from palestra.core.discovery import Source
from palestra.core.errors import PalestraError, suggestion
from palestra.core.model import Model
from palestra.core.tools import validation_text
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


async def open_roles(
    choices: Mapping[str, ModelChoice], endpoints: Endpoints, stack: AsyncExitStack
) -> dict[str, Model]:
    """The models of all roles, closed by `stack`. Raises PalestraError for one that can only play rollouts."""
    roles: dict[str, Model] = {}
    for role, choice in choices.items():
        opened = open_model(choice, endpoints)
        stack.push_async_callback(opened.close)
        if isinstance(opened, ScriptedModel):
            opened = opened.for_conversations()
        if isinstance(opened, PerRollout):
            raise PalestraError("usage", f"{choice.spec!r} replies to rollouts, so it cannot be the {role}")
        roles[role] = opened
    return roles


def require_roles(source: Source, options: BaseModel, named: Iterable[str]) -> None:
    """Raises PalestraError if an environment asks for a model that was not named."""
    known = set(named)
    missing = [role for role in source.load().roles(options) if role not in known]
    if missing:
        role = missing[0]
        message = f"{source.name} asks for a {role!r} model"
        raise PalestraError("usage", message, fix=f"Name one with --role {role}=MODEL@URL.")


def read_roles(texts: Iterable[str], settings: Iterable[str]) -> dict[str, ModelChoice]:
    """Models by role, from `judge=MODEL@URL` and `judge.KEY=VALUE` texts; KEY is a field of ModelChoice.

    Raises PalestraError naming the text that cannot be read.
    """
    values = dict(read_role(text) for text in texts)
    for text in settings:
        target, equals, value = text.partition("=")
        role, dot, key = target.partition(".")
        if not (equals and dot and key):
            raise PalestraError("usage", f"--role-option must be ROLE.KEY=VALUE, got {text!r}")
        if role not in values:
            hint = suggestion(role, values)
            raise PalestraError("usage", f"--role-option {text!r}: no --role names {role!r}.{hint}")
        if key not in ModelChoice.model_fields or key == "spec":
            known = ", ".join(name for name in ModelChoice.model_fields if name != "spec")
            raise PalestraError("usage", f"--role-option {text!r}: {key!r} is none of {known}")
        values[role][key] = value
    return {role: chosen(role, fields) for role, fields in values.items()}


def chosen(role: str, fields: Mapping[str, Any]) -> ModelChoice:
    try:
        return ModelChoice.model_validate(fields)
    except ValidationError as error:
        raise PalestraError("usage", f"the role {role}: {validation_text(error)}") from error


def read_role(text: str) -> tuple[str, dict[str, Any]]:
    """`judge=MODEL@URL` as a role and fields of its model; MODEL without a backend is an openai one."""
    role, equals, rest = text.partition("=")
    spec, _, url = rest.partition("@")
    if not equals or not role or not spec:
        raise PalestraError("usage", f"--role must be ROLE=MODEL@URL, got {text!r}")
    if spec.partition(":")[0] not in BACKENDS:
        spec = f"openai:{spec}"
    return role, {"spec": spec, "base_url": url or None}
