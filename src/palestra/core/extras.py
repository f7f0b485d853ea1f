"""Which packages the optional parts of Palestra need, and which of them are missing."""

import importlib.metadata
import re


def requirements(extra: str) -> list[str]:
    """What `pip install "palestra[EXTRA]"` asks for beyond the base install."""
    declared = importlib.metadata.requires("palestra") or []
    marker = f'extra == "{extra}"'
    return [line.partition(";")[0].strip() for line in declared if marker in line.replace("'", '"')]


def missing(extra: str) -> list[str]:
    """The requirements of an extra that are not installed."""
    return [requirement for requirement in requirements(extra) if not is_installed(requirement)]


def is_installed(requirement: str) -> bool:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
