"""OmegaConf, behind functions on plain mappings: the only file that knows it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

from palestra.core.errors import PalestraError, describe
from palestra.core.extras import require

Tree: TypeAlias = dict[Any, Any]
"""A configuration as it is written: interpolations and `???` are texts."""

MISSING = "???"
DEEPEST = 100
"""Further down than this a configuration refers to itself."""
UNKNOWN_KEY = re.compile(r"Interpolation key '(.*)' not found")
UNSET_VARIABLE = re.compile(r"Environment variable '(.*)' not found")


def read_yaml(path: Path) -> Tree:
    """A YAML file as OmegaConf reads it. Raises PalestraError with the line that is wrong."""
    conf = omegaconf()
    import yaml

    try:
        return tree_of(conf.load(path), str(path))
    except yaml.YAMLError as error:
        raise PalestraError("invalid-config", f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except UnicodeDecodeError as error:
        raise PalestraError("invalid-config", f"{path} is not UTF-8: {error}") from error
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error


def omegaconf() -> Any:
    """The class OmegaConf. Raises PalestraError that says how to install it."""
    require("compat", "NeMo Gym's configuration")
    try:
        from omegaconf import OmegaConf
    except ModuleNotFoundError as error:
        fix = 'pip install "palestra[compat]"'
        raise PalestraError("missing-package", "NeMo Gym's configuration needs omegaconf", fix=fix) from error
    return OmegaConf


def tree_of(value: Any, whose: str) -> Tree:
    """A mapping or an OmegaConf object as it is written."""
    conf = omegaconf()
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = conf.to_container(conf.create(value), resolve=False)
    except (OmegaConfBaseException, ValueError) as error:
        place = getattr(error, "full_key", None)
        message = f"{whose}: {f'{place}: ' if place else ''}{reason_of(error)}"
        raise PalestraError("invalid-config", message) from error
    if not isinstance(plain, dict):
        raise PalestraError("invalid-config", f"{whose} must be a mapping of keys, it is a {type(plain).__name__}")
    return plain


def merged(trees: Sequence[Mapping[Any, Any]]) -> Tree:
    """Trees on top of each other: mappings are joined key by key, anything else of a later one replaces."""
    conf = omegaconf()
    from omegaconf.errors import OmegaConfBaseException

    try:
        return conf.to_container(conf.merge(*map(dict, trees)), resolve=False) if trees else {}
    except OmegaConfBaseException as error:
        raise PalestraError("invalid-config", f"the files do not fit together: {describe(error)}") from error
    except TypeError as error:
        places = (clash(lower, upper) for lower, upper in combinations(trees, 2))
        place = next((".".join(path) for path in places if path is not None), "something")
        message = f"the files do not fit together: {place} is a list in one and a mapping in another"
        raise PalestraError("invalid-config", message) from error


def clash(lower: Any, upper: Any) -> tuple[str, ...] | None:
    """Where a list would meet a mapping; None if nowhere."""
    are_containers = isinstance(lower, list | Mapping) and isinstance(upper, list | Mapping)
    if are_containers and isinstance(lower, list) != isinstance(upper, list):
        return ()
    if isinstance(lower, Mapping) and isinstance(upper, Mapping):
        for key in lower.keys() & upper.keys():
            if (below := clash(lower[key], upper[key])) is not None:
                return (str(key), *below)
    return None


def yaml_text(value: Mapping[Any, Any]) -> str:
    """A configuration as YAML, in the order of its keys."""
    return omegaconf().to_yaml(omegaconf().create(dict(value)))


@dataclass(slots=True)
class Resolved:
    """A configuration whose interpolations are replaced by what they stand for, and what could not be."""

    values: Tree = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Dotted paths that are `???`."""
    broken: dict[str, str] = field(default_factory=dict)
    """Dotted paths of interpolations that stand for nothing, and why."""


def resolve(tree: Mapping[Any, Any]) -> Resolved:
    """Replace all interpolations; nothing is raised for those that cannot be, so that all of them can be told."""
    resolver = Resolver(omegaconf(), Resolved())
    resolver.found.values = resolver.node(omegaconf().create(dict(tree)), ())
    return resolver.found


@dataclass(slots=True)
class Resolver:
    """Walks through a configuration."""

    conf: Any
    found: Resolved

    def node(self, node: Any, path: tuple[str, ...], *, borrowed: bool = False) -> Any:
        """A node without interpolations. What is wrong in a `borrowed` one is told where it stands itself."""
        if len(path) > DEEPEST:
            self.found.broken[".".join(path[:4]) + "..."] = "it refers to something that holds itself"
            return None
        if self.conf.is_dict(node):
            return {key: self.entry(node, key, (*path, str(key)), borrowed) for key in node}
        if self.conf.is_list(node):
            return [self.entry(node, index, (*path, str(index)), borrowed) for index in range(len(node))]
        return node

    def entry(self, node: Any, key: Any, path: tuple[str, ...], borrowed: bool) -> Any:
        from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

        refers = self.conf.is_interpolation(node, key)
        if not refers and self.conf.is_missing(node, key):
            if not borrowed:
                self.found.missing.append(".".join(path))
            return MISSING
        try:
            value = node[key]
        except InterpolationToMissingValueError:
            return MISSING
        except (OmegaConfBaseException, RecursionError) as error:
            if not borrowed:
                self.found.broken[".".join(path)] = reason_of(error)
            return None
        return self.node(value, path, borrowed=borrowed or refers)


def reason_of(error: BaseException) -> str:
    """The first line of what OmegaConf says, in our words where its own are of its inside."""
    if isinstance(error, RecursionError):
        return "it refers to itself"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if found := UNKNOWN_KEY.match(text):
        return f"there is no key {found[1]!r}"
    if found := UNSET_VARIABLE.search(text):
        return f"the environment variable {found[1]!r} is not set"
    return text
