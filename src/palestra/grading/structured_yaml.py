"""YAML as `yaml.safe_load` reads it (YAML 1.1), without what makes a small text large or lets a key count twice."""

# pyright: basic
# PyYAML has no types.

from collections.abc import Hashable
from typing import Any, cast

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent
from yaml.nodes import MappingNode, Node

from palestra.grading.structured import MAX_DEPTH, MAX_VALUES, TOO_DEEP, TOO_LARGE, Unreadable

# A PyYAML without libyaml reads the same, ten times slower.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_EVENTS = 2 * MAX_VALUES
"""Keys are events too."""
MAX_ALIASES = 1000
MAX_PAIRS = 10_000
"""Of one mapping, after its merges: merges of merges double what they merge."""
MERGE = "tag:yaml.org,2002:merge"


def load(text: str, *, repeated_keys: bool) -> Any:
    """The value of the one document of a text. Raises Unreadable."""
    try:
        require_bounded(text)
        return yaml.load(text, Loader=Lenient if repeated_keys else Strict)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"it is not YAML: {' '.join(str(error).split())}") from error


def require_bounded(text: str) -> None:
    """Raises Unreadable for a text whose nodes nest so deep that building them would overflow the stack."""
    depth = aliases = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=SafeLoader)):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        aliases += isinstance(event, AliasEvent)
        documents += isinstance(event, DocumentStartEvent)
        if depth > MAX_DEPTH:
            raise Unreadable(TOO_DEEP)
        if number > MAX_EVENTS:
            raise Unreadable(TOO_LARGE)
        if aliases > MAX_ALIASES:
            raise Unreadable(f"it has more than {MAX_ALIASES} aliases")
        if documents > 1:
            raise Unreadable("it has more than one document")


class Lenient(SafeLoader):
    """The last of several equal keys counts."""

    def flatten_mapping(self, node: MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_PAIRS:
            raise Unreadable(f"a mapping has more than {MAX_PAIRS} keys")


class Strict(Lenient):
    """A key that is given twice is refused; one that overrides a merged key is not given twice."""

    def construct_mapping(self, node: Node, deep: bool = False) -> dict[Hashable, Any]:
        pairs = cast("list[tuple[Node, Node]]", node.value)
        own = [self.construct_object(key, deep=True) for key, _ in pairs if key.tag != MERGE]
        seen: set[Any] = set()
        for key in own:
            if isinstance(key, Hashable):
                if key in seen:
                    raise Unreadable(f"the key {str(key)[:80]!r} is given twice")
                seen.add(key)
        return super().construct_mapping(cast("MappingNode", node), deep)
