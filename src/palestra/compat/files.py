"""Where configuration files are: on disk, or made here from what Palestra has."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from palestra.compat.shipped import Shipped
from palestra.compat.tree import Tree, merged, read_yaml, resolve
from palestra.core.errors import PalestraError

CONFIG_PATHS = "config_paths"
NEAR = 3


def roots() -> list[Path]:
    """The folders where relative paths start, in order: those of NEMO_GYM_EXTRA_ROOTS, then the current one."""
    extra = os.environ.get("NEMO_GYM_EXTRA_ROOTS", "").split(os.pathsep)
    return [*(Path(root) for root in extra if root), Path()]


def on_disk(path: str) -> Path | None:
    """The file or folder that a path means, if there is one."""
    return next((found for root in roots() if (found := root / Path(path).expanduser()).exists()), None)


def read_config_file(path: str, shipped: Shipped | None = None) -> Tree:
    """The file of that path, or what is shipped under it. Raises PalestraError with the nearest names."""
    file = on_disk(path)
    if file is not None:
        if file.is_dir():
            raise PalestraError("invalid-config", f"{CONFIG_PATHS} names {path!r}, which is a folder")
        return read_yaml(file)
    shipped = shipped or Shipped()
    found = shipped.config(path)
    if found is None:
        raise not_found(path, shipped)
    return dict(found)


def not_found(path: str, shipped: Shipped) -> PalestraError:
    looked = ", ".join(str(root.resolve()) for root in roots())
    there = [str(found) for root in roots() for found in sorted((root / path).parent.glob("*.y*ml"))]
    near = get_close_matches(path, [*there, *shipped.paths()], n=NEAR, cutoff=0.85)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    message = f"there is no configuration {path!r} in {looked}, and none is shipped under that name.{hint}"
    fix = "Mend the path, or add the folder that it starts from to NEMO_GYM_EXTRA_ROOTS."
    return PalestraError("missing-file", message, fix=fix)


@dataclass(slots=True)
class Inclusion:
    """The files that some paths name, with those that they name themselves."""

    about: Mapping[Any, Any]
    """What `config_paths` inside files may refer to: env.yaml, code and command line."""
    trees: dict[str, Tree] = field(default_factory=dict)
    """By path, in the order in which they are merged: what a file includes comes before it and is overridden by it."""
    seen: set[str] = field(default_factory=set)
    shipped: Shipped = field(default_factory=Shipped)

    def include(self, paths: list[str]) -> None:
        for path in paths:
            if path not in self.seen:
                self.seen.add(path)
                tree = read_config_file(path, self.shipped)
                self.include(paths_of({CONFIG_PATHS: tree.pop(CONFIG_PATHS, [])}, self.about, path))
                self.trees[path] = tree


def paths_of(tree: Mapping[Any, Any], about: Mapping[Any, Any], whose: str) -> list[str]:
    """The `config_paths` of a tree. Raises PalestraError if they are no list of texts."""
    value = tree.get(CONFIG_PATHS)
    if value is None or value == []:
        return []
    found = resolve(merged([about, {CONFIG_PATHS: value}]))
    for path, reason in found.broken.items():
        if path.partition(".")[0] == CONFIG_PATHS:
            raise PalestraError("invalid-config", f"{whose}: {path}: {reason}")
    value = found.values[CONFIG_PATHS]
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        fix = f'Write "+{CONFIG_PATHS}=[first.yaml,second.yaml]", or in a file a list of paths.'
        raise PalestraError(
            "invalid-config", f"{whose}: {CONFIG_PATHS} must be a list of paths, got {value!r}", fix=fix
        )
    return value
