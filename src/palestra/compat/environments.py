"""Which of our environments, agents and models a place of NeMo Gym's repository means."""

from collections.abc import Sequence
from pathlib import Path

from palestra.compat.files import on_disk
from palestra.compat.instances import KINDS, Instance
from palestra.compat.shipped import OLD_NAMES, OWN_AGENTS, Shipped
from palestra.core.discovery import Source, every_environment, find
from palestra.core.errors import PalestraError, suggestion

SERVERS = "resources_servers"
ENVIRONMENTS = "environments"


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
