"""Which packages the optional parts of Palestra need, and which of them are missing."""

import importlib.metadata
import re

from palestra.core.errors import PalestraError


def requirements(extra: str) -> list[str]:
    """What `pip install "palestra[EXTRA]"` asks for beyond the base install."""
    declared = importlib.metadata.requires("palestra") or []
    marker = f'extra == "{extra}"'
    return [line.partition(";")[0].strip() for line in declared if marker in line.replace("'", '"')]


def missing(extra: str) -> list[str]:
    """The requirements of an extra that are not installed."""
    return [requirement for requirement in requirements(extra) if not is_installed(requirement)]


def require(extra: str, whose: str) -> None:
    """Raises PalestraError that says how to install an extra, if something of it is missing. `whose` needs it."""
    if lacking := missing(extra):
        fix = f'Run `palestra doctor --fix`, or pip install "palestra[{extra}]".'
        message = f"{whose} needs {', '.join(lacking)}, not installed here"
        raise PalestraError("missing-package", message, fix=fix)


def is_installed(requirement: str) -> bool:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
