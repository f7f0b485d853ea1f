"""Versions of datasets: a name and a number for a content that never changes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError, suggestion
from palestra.data.content import content_of_path
from palestra.data.lineage import record_derivation
from palestra.data.registry import Registry, Version
from palestra.store.paths import replacing

MANIFEST = ".version.json"


def register(
    path: Path, name: str, metadata: Mapping[str, Any], parents: tuple[Path, ...] = (), *, registry: Registry
) -> Version:
    """The version of a file's or folder's content; a new one only if this name does not have the content yet.

    `<path>.version.json` says the same beside the data: small enough for git, which the data is not.
    """
    content = content_of_path(path)
    if not content.size_bytes:
        raise PalestraError("invalid-row", f"{path} is empty", fix="Register a dataset that has rows.")
    place = str(path.resolve())
    asked = Version(name, 0, content.sha256, place, content.size_bytes, content.rows, dict(metadata), 0.0)
    version = registry.register(asked)
    if parents:
        record_derivation(path, parents, "declared", {}, registry=registry)
    manifest = {**version.to_json(), "path": path.name}
    text = json.dumps(manifest, indent=2).encode() + b"\n"
    beside = path.with_name(path.name + MANIFEST)
    if not beside.exists() or beside.read_bytes() != text:
        with replacing(beside) as file:
            file.write(text)
    return version


def find_version(label: str, registry: Registry) -> Version:
    """The version that `NAME@NUMBER` means, or the newest of `NAME`. Raises PalestraError with the nearest name."""
    name, _, number = label.partition("@")
    found = registry.versions(name=name)
    if not found:
        known = {version.name for version in registry.versions()}
        fix = "`palestra data version` lists what is registered."
        raise PalestraError("usage", f"no dataset is registered as {name!r}.{suggestion(name, known)}", fix=fix)
    chosen = [version for version in found if not number or str(version.number) == number]
    if not chosen:
        there = ", ".join(version.label for version in found)
        raise PalestraError("usage", f"there is no {label}", fix=f"There are: {there}.")
    return chosen[-1]


def state_of(version: Version) -> str:
    """Whether the content is still where it was: `as registered`, `changed` or `missing`."""
    path = Path(version.path)
    if not path.exists():
        return "missing"
    content = content_of_path(path)
    return "as registered" if content.sha256 == version.sha256 else "changed"
