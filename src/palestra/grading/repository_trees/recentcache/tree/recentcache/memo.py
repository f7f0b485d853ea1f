"""Functions that remember their results."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any

from recentcache.cache import Cache


def memoized(cache: Cache) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function remember results in a cache, which functions may share. Errors are not remembered.

    Arguments must be hashable; 1 and True, and 1 and 1.0, are different arguments.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        missing = object()

        @wraps(function)
        def remembering(*arguments: Any, **named: Any) -> Any:
            key = (function, key_of(arguments, named))
            found = cache.get(key, missing)
            if found is missing:
                found = function(*arguments, **named)
                cache.put(key, found)
            return found

        return remembering

    return decorate


def key_of(arguments: tuple[Any, ...], named: dict[str, Any]) -> Hashable:
    """What tells calls apart: values with their types; the order of named arguments does not matter."""
    return (
        tuple((type(value), value) for value in arguments),
        tuple((name, type(value), value) for name, value in sorted(named.items())),
    )
