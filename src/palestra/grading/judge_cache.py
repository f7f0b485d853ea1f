"""Replies of judges on disk, by the content of the question."""

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from palestra.core.errors import Failure, PalestraError

Value = TypeVar("Value")

FILE = "judge_replies.sqlite3"
PATIENCE_S = 60.0
"""How long a process waits for another one that is writing."""


class JudgeCache:
    """A folder of replies, for any number of processes at a time.

    Raises PalestraError if the folder cannot be used; a read or write that breaks later is a `judge` Failure.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(
                self.path, timeout=PATIENCE_S, check_same_thread=False, isolation_level=None
            )
            # One transaction, so that two processes that make the file at the same time wait for each other.
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute("CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, reply TEXT NOT NULL)")
            self.connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            fix = "Name a folder that can be written, or delete the damaged file in it."
            raise PalestraError("usage", f"judge_cache={folder} cannot be used: {error}", fix=fix) from error

    async def get(self, key: bytes) -> dict[str, Any] | None:
        """The reply that is stored under a key."""
        rows = await self.run(
            lambda: self.connection.execute("SELECT reply FROM replies WHERE key=?", (key,)).fetchall()
        )
        return cast("dict[str, Any]", json.loads(rows[0][0])) if rows else None

    async def put(self, key: bytes, reply: Mapping[str, Any]) -> None:
        """Store a reply; the first one under a key stays."""
        values = (key, json.dumps(reply))
        await self.run(lambda: self.connection.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", values))

    async def run(self, action: Callable[[], Value]) -> Value:
        def locked() -> Value:
            with self.lock:
                return action()

        try:
            return await asyncio.to_thread(locked)
        except sqlite3.Error as error:
            raise Failure("judge", f"the cache {self.path} cannot be used: {error}", retryable=True) from error

    def close(self) -> None:
        with self.lock:
            self.connection.close()


def content_key(*parts: Any) -> bytes:
    """What decides a reply, as a key: SHA-256 of the parts as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
