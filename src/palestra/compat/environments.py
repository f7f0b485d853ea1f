"""Which of our environments a name of NeMo Gym's means."""

from palestra.compat.files import on_disk
from palestra.compat.instances import Instance
from palestra.compat.shipped import OLD_NAMES
from palestra.core.discovery import Source, every_environment, find
from palestra.core.errors import PalestraError, suggestion

SERVERS = "resources_servers"
ENVIRONMENTS = "environments"


def environment_at(entrypoint: str) -> Source:
    """The environment of `resources_servers/NAME`: the folder of that path, or the installed one of that name.

    Raises PalestraError with the nearest name.
    """
    kind, slash, name = entrypoint.strip("/").partition("/")
    if not slash or not name or "/" in name or kind not in (SERVERS, ENVIRONMENTS):
        fix = f"Write {SERVERS}/NAME; `palestra list` has the names."
        raise PalestraError("usage", f"{entrypoint!r} is no place of an environment", fix=fix)
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
