"""Caches that forget."""

from recentcache.cache import Cache
from recentcache.memo import memoized

__all__ = ["Cache", "memoized"]
