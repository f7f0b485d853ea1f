"""What a configuration takes from elsewhere in it: `_inherit_from`, `_copy`, `_delete_key`, and both as `${...}`."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from palestra.compat.paths import Found, found_at, missing_path, without
from palestra.compat.tree import Tree
from palestra.core.errors import PalestraError

INHERIT, COPY, DELETE = "_inherit_from", "_copy", "_delete_key"
TAKES = re.compile(r"\$\{(inherit_from|copy):\s*([^{}:,]+?)\s*\}")
"""The whole of a text: something is copied here; with `inherit_from` it is gone from where it was."""


def with_operators(tree: Tree) -> Tree:
    """The tree with everything taken. Raises PalestraError for a path that is not there, or takes itself."""
    operators = Operators(copy.deepcopy(tree))
    result = operators.expanded(operators.tree, ())
    for path in operators.moved:
        result = without(result, path)
    return result


@dataclass(slots=True)
class Operators:
    """The operators of one tree."""

    tree: Tree
    moved: set[tuple[str, ...]] = field(default_factory=set)
    """What is deleted at the end: several may inherit the same."""
    under_way: list[tuple[str, ...]] = field(default_factory=list)

    def expanded(self, node: Any, path: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [self.expanded(entry, (*path, str(index))) for index, entry in enumerate(node)]
        if isinstance(node, str) and (found := TAKES.fullmatch(node)):
            return self.taken(found[2], path, moves=found[1] == "inherit_from")
        if not isinstance(node, dict):
            return node
        result: Tree = {}
        for operator in (INHERIT, COPY):
            if operator in node:
                source = self.taken(node[operator], path, moves=operator == INHERIT)
                if not isinstance(source, dict):
                    raise broken(path, operator, f"{node[operator]!r} is {type(source).__name__}, no mapping")
                result = joined(result, source)
        own = {key: value for key, value in node.items() if key not in (INHERIT, COPY, DELETE)}
        expanded = {key: self.expanded(value, (*path, str(key))) for key, value in own.items()}
        result = joined(result, expanded)
        for key in names_of(node.get(DELETE), path):
            if found_at(result, tuple(key.split("."))) is None:
                raise broken(path, DELETE, missing_path(result, key))
            result = without(result, tuple(key.split(".")))
        return result

    def taken(self, source: Any, path: tuple[str, ...], *, moves: bool) -> Any:
        """What stands at `source`, itself expanded."""
        operator = INHERIT if moves else COPY
        if not isinstance(source, str) or not source:
            raise broken(path, operator, f"it must be a dotted path, got {source!r}")
        where = tuple(source.split("."))
        if where == path[: len(where)] or where in self.under_way:
            raise broken(path, operator, f"{source!r} takes itself")
        self.under_way.append(where)
        found = self.expanded_at(where)
        self.under_way.pop()
        if found is None:
            raise broken(path, operator, missing_path(self.tree, source))
        if moves:
            self.moved.add(where)
        return found.value

    def expanded_at(self, where: tuple[str, ...]) -> Found | None:
        """What stands at a path when everything is taken: it may stand in something that is taken itself."""
        for count in range(len(where), 0, -1):
            above = found_at(self.tree, where[:count])
            if above is not None:
                return found_at(self.expanded(copy.deepcopy(above.value), where[:count]), where[count:])
        return None


def names_of(value: Any, path: tuple[str, ...]) -> list[str]:
    """The keys of `_delete_key: "a, b"`, which may be a list as well."""
    if value is None:
        return []
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise broken(path, DELETE, f'it must be keys as "a, b", got {value!r}')
    return [name.strip() for name in names]


def joined(lower: Mapping[Any, Any], upper: Mapping[Any, Any]) -> Tree:
    """Two mappings on top of each other, key by key."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        is_both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = joined(below or {}, value) if is_both else value
    return result


def broken(path: tuple[str, ...], operator: str, message: str) -> PalestraError:
    return PalestraError("invalid-config", f"{'.'.join((*path, operator))}: {message}")
