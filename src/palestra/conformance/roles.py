"""Stand-ins for the models that an environment asks for, so that it can be checked without any."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.core.model import Model
from palestra.models.rules import Rule, RuledModel
from palestra.models.scripted import ScriptedModel

FOLDER = "roles"


def scripted_roles(folder: Path) -> dict[str, Model]:
    """The scripts `roles/ROLE.jsonl` of an environment's folder as models, by role."""
    paths = sorted((folder / FOLDER).glob("*.jsonl"))
    return {path.stem: ScriptedModel.from_file(path).for_conversations() for path in paths}


def ruled_roles(rules: Mapping[str, Sequence[Any]]) -> dict[str, Model]:
    """Models by role from lists of rules. Raises PalestraError for what is no rule."""
    try:
        return {role: RuledModel(role, [Rule.of(rule) for rule in listed]) for role, listed in rules.items()}
    except ValueError as error:
        raise PalestraError("invalid-environment", f"`roles` of a case: {error}") from error
