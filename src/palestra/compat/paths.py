"""Places in a configuration by their path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palestra.compat.tree import Tree
from palestra.core.errors import suggestion


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a place; it may be null."""

    value: Any


def found_at(node: Any, path: Sequence[str]) -> Found | None:
    """What stands at a path, or None if nothing does. Keys may be numbers in the file and are texts in a path."""
    for segment in path:
        if isinstance(node, list) and segment.isdigit() and int(segment) < len(node):
            node = node[int(segment)]
        elif isinstance(node, Mapping) and (key := own_key(node, segment)) is not None:
            node = node[key]
        else:
            return None
    return Found(node)


def own_key(node: Mapping[Any, Any], segment: str) -> Any:
    """The key of a mapping that a segment means; None if there is none."""
    if segment in node:
        return segment
    return next((key for key in node if not isinstance(key, str) and str(key) == segment), None)


def missing_path(tree: Tree, path: str) -> str:
    """That a dotted path leads nowhere, how far it leads, and the nearest name there."""
    segments = path.split(".")
    for count, segment in enumerate(segments):
        above = found_at(tree, segments[:count])
        if above is not None and found_at(tree, segments[: count + 1]) is None:
            known = list(map(str, above.value)) if isinstance(above.value, Mapping) else []
            place = f": no {segment!r} in {'.'.join(segments[:count])!r}" if count else ""
            return f"there is no {path!r}{place}.{suggestion(segment, known)}".removesuffix(".")
    return f"there is no {path!r}"


def without(tree: Tree, path: Sequence[str]) -> Any:
    """The tree with what stands at a path taken away; as it is if nothing stands there."""
    if not path:
        return tree
    segment, *rest = path
    if isinstance(tree, list):
        if not segment.isdigit() or int(segment) >= len(tree):
            return tree
        index = int(segment)
        kept = [without(tree[index], rest)] if rest else []
        return [*tree[:index], *kept, *tree[index + 1 :]]
    key = own_key(tree, segment) if isinstance(tree, Mapping) else None
    if key is None:
        return tree
    if not rest:
        return {name: value for name, value in tree.items() if name != key}
    return {name: without(value, rest) if name == key else value for name, value in tree.items()}


def placed(node: Any, path: Sequence[str], value: Any) -> Any:
    """The tree with `value` at a path: mappings are joined with what is there, anything else replaces it.

    Mappings on the way are made. Raises ValueError for a position that a list does not have.
    """
    if not path:
        if isinstance(node, Mapping) and isinstance(value, Mapping):
            joined = dict(node)
            for key, entry in value.items():
                joined[key] = placed(joined.get(key), (), entry)
            return joined
        return value
    segment, *rest = path
    if isinstance(node, list):
        if not segment.isdigit() or int(segment) > len(node):
            raise ValueError(f"a list of {len(node)} has no item {segment!r}")
        index = int(segment)
        old = node[index] if index < len(node) else None
        return [*node[:index], placed(old, rest, value), *node[index + 1 :]]
    mapping = dict(node) if isinstance(node, Mapping) else {}
    key = own_key(mapping, segment)
    key = segment if key is None else key
    mapping[key] = placed(mapping.get(key), rest, value)
    return mapping
