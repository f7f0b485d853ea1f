"""Which of our environments, agents and models a place of NeMo Gym's repository means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from palestra.compat.files import on_disk
from palestra.compat.instances import KINDS, Instance, ServerEntry
from palestra.compat.shipped import OLD_NAMES, OWN_AGENTS, Shipped
from palestra.core.discovery import Source, every_environment, find
from palestra.core.errors import PalestraError, suggestion

SERVERS = "resources_servers"
ENVIRONMENTS = "environments"
MODEL_KIND = "responses_api_models"
MODEL_SUFFIX = "_model_server"
NOT_OPTIONS = frozenset({*ServerEntry.model_fields, "name", "verified", "verified_url", "description", "value"})
"""Fields of every resources server, and those that only describe it."""


def name_at(place: str, kinds: Sequence[str]) -> str:
    """The last part of KIND/NAME. Raises PalestraError if it is no such place."""
    kind, _, name = place.strip("/").partition("/")
    if kind not in kinds or not name or "/" in name:
        forms = " or ".join(f"{known}/NAME" for known in kinds)
        raise PalestraError(
            "usage", f"{place!r} is no entrypoint", fix=f"Write {forms}; `palestra list` has the names."
        )
    return name


def environment_at(entrypoint: str) -> Source:
    """The environment of `resources_servers/NAME`: the folder of that path, or the installed one of that name.

    Raises PalestraError with the nearest name.
    """
    name = name_at(entrypoint, (SERVERS, ENVIRONMENTS))
    folder = on_disk(entrypoint)
    if folder is not None and (folder / "environment.toml").is_file():
        return find(str(folder.resolve()))
    known = {source.name: source for source in every_environment()}
    wanted = OLD_NAMES.get(name, name)
    if wanted not in known:
        message = f"there is no environment {entrypoint!r}, neither here nor installed.{suggestion(name, known)}"
        raise PalestraError("unknown-environment", message)
    return known[wanted]


def environment_of(instance: Instance) -> Source:
    """The environment that a resources server stands for. Raises PalestraError with the nearest name."""
    return environment_at(f"{SERVERS}/{instance.implementation}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the entry of a resources server says about its environment."""

    source: Source
    options: BaseModel
    roles: Mapping[str, str]
    """The instances of the further models that it asks for, by role."""
    remarks: tuple[str, ...]
    """Fields that the environment does not have; NeMo Gym passes over them in silence."""


def settings_of(instance: Instance) -> Settings:
    """The environment of a resources server with its options and models.

    `judge_model_server: {type: responses_api_models, name: NAME}` names the model of the role `judge`.
    Raises PalestraError naming the option that has a wrong value.
    """
    source = environment_of(instance)
    known = source.load().Options.model_fields
    values: dict[str, Any] = {}
    roles: dict[str, str] = {}
    remarks: list[str] = []
    for key, value in instance.config.items():
        if key in NOT_OPTIONS:
            continue
        if isinstance(value, Mapping) and value.get("type") == MODEL_KIND:
            roles[key.removesuffix(MODEL_SUFFIX)] = value["name"]
        elif key in known:
            values[key] = value
        else:
            remarks.append(f"{instance.name}: {source.name} has no option {key!r}.{suggestion(key, known)}")
    return Settings(source, source.options(values), MappingProxyType(roles), tuple(remarks))


def require_implementation(entrypoint: str) -> None:
    """Raises PalestraError with the nearest name unless it is an environment, an agent or a model."""
    name = name_at(entrypoint, KINDS)
    kind = entrypoint.partition("/")[0]
    if kind == SERVERS:
        environment_at(entrypoint)
        return
    known = {Path(path).parts[1] for path in Shipped().paths() if path.startswith(f"{kind}/")}
    if kind == "responses_api_agents":
        known.update(OWN_AGENTS.values())
    if name not in known:
        there = ", ".join(sorted(known))
        raise PalestraError("usage", f"there is no {entrypoint!r}.{suggestion(name, known)} There are: {there}.")
