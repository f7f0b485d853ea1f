"""Stand-ins for the models that an environment asks for, so that it can be checked without any."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from palestra.core.discovery import Source
from palestra.core.errors import PalestraError
from palestra.core.model import Model
from palestra.models.rules import Rule, RuledModel
from palestra.models.scripted import ScriptedModel

FOLDER = "roles"


def scripted_roles(source: Source, options: BaseModel) -> dict[str, Model]:
    """The scripts `roles/ROLE.jsonl` of an environment's folder as models, by role.

    Raises PalestraError if the environment asks for a model that has none.
    """
    paths = sorted((source.folder / FOLDER).glob("*.jsonl"))
    models = {path.stem: ScriptedModel.from_file(path).for_conversations() for path in paths}
    for role in source.load().roles(options):
        if role not in models:
            path = source.folder / FOLDER / f"{role}.jsonl"
            fix = (
                'Write it: a script for "*" whose rules answer as that model should, so that it can be checked without.'
            )
            raise PalestraError("invalid-environment", f"it asks for a {role!r} model, and {path} is missing", fix=fix)
    return models


def ruled_roles(rules: Mapping[str, Sequence[Any]]) -> dict[str, Model]:
    """Models by role from lists of rules. Raises PalestraError for what is no rule."""
    try:
        return {role: RuledModel(role, [Rule.of(rule) for rule in listed]) for role, listed in rules.items()}
    except ValueError as error:
        raise PalestraError("invalid-environment", f"`roles` of a case: {error}") from error
