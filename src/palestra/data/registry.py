"""The datasets of a project, in one sqlite file: which versions there are, and what was made from what."""

import json
import os
import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError

FOLDER = ".palestra"
FILE = "registry.sqlite3"
PATIENCE_S = 60.0
"""How long a process waits for another one that is writing."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    name TEXT NOT NULL, number INTEGER NOT NULL, sha256 TEXT NOT NULL, path TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    rows INTEGER, metadata TEXT NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (name, number), UNIQUE (name, sha256));
CREATE INDEX IF NOT EXISTS versions_by_content ON versions (sha256);
CREATE TABLE IF NOT EXISTS derivations (
    id TEXT PRIMARY KEY, output_sha256 TEXT NOT NULL, output_path TEXT NOT NULL, operation TEXT NOT NULL,
    record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS derivations_by_output ON derivations (output_sha256);
CREATE TABLE IF NOT EXISTS inputs (
    derivation TEXT NOT NULL, position INTEGER NOT NULL, sha256 TEXT NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY (derivation, position));
CREATE INDEX IF NOT EXISTS inputs_by_content ON inputs (sha256);
CREATE INDEX IF NOT EXISTS inputs_by_path ON inputs (path);
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a named dataset. It never changes: another content is another version."""

    name: str
    number: int
    """From 1."""
    sha256: str
    path: str
    """Where the content was when it was registered."""
    size_bytes: int
    rows: int | None
    metadata: dict[str, Any]
    """Licence, source, and whatever else is known of it."""
    created_at: float

    @property
    def label(self) -> str:
        return f"{self.name}@{self.number}"

    def to_json(self) -> dict[str, Any]:
        return {"version": self.label, **asdict(self)}


class Registry:
    """One sqlite file in WAL mode, for any number of processes at a time; each call is one transaction.

    Every method raises PalestraError if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def near(cls, path: Path) -> "Registry":
        """The registry of the project that a file belongs to.

        It is the file that the environment variable PALESTRA_REGISTRY names; or the one in the nearest `.palestra`
        folder, from the file's folder upwards. If there is none it will be made: in the current folder if the file is
        below it, else beside the file.
        """
        if named := os.environ.get("PALESTRA_REGISTRY"):
            return cls(Path(named))
        folder = path.resolve().parent
        for above in (folder, *folder.parents):
            if (above / FOLDER).is_dir():
                return cls(above / FOLDER / FILE)
        here = Path.cwd()
        return cls((here if folder.is_relative_to(here) else folder) / FOLDER / FILE)

    @contextmanager
    def transaction(self, *, writes: bool) -> Generator[sqlite3.Connection]:
        try:
            if writes:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)) as connection:
                if writes:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.execute("BEGIN IMMEDIATE")
                    for statement in filter(str.strip, SCHEMA.split(";")):
                        connection.execute(statement)
                yield connection
                if writes:
                    connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise PalestraError("registry-unusable", f"the registry {self.path} cannot be used: {error}") from error

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection | None]:
        """None if nothing was ever registered."""
        if not self.path.exists():
            yield None
            return
        with self.transaction(writes=False) as connection:
            yield connection

    def register(self, version: Version) -> Version:
        """Give a content the next number of its name; the version it has already, if this name has it."""
        with self.transaction(writes=True) as connection:
            same = "SELECT * FROM versions WHERE name = ? AND sha256 = ?"
            if found := connection.execute(same, (version.name, version.sha256)).fetchone():
                return version_of(found)
            highest = "SELECT COALESCE(MAX(number), 0) FROM versions WHERE name = ?"
            number = connection.execute(highest, (version.name,)).fetchone()[0] + 1
            created_at = time.time()
            connection.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (version.name, number, version.sha256, version.path, version.size_bytes, version.rows,
                 json.dumps(version.metadata, sort_keys=True), created_at),
            )  # fmt: skip
        return Version(**{**asdict(version), "number": number, "created_at": created_at})

    def versions(self, *, name: str | None = None, sha256: str | None = None) -> list[Version]:
        """The versions with this name and this content, by name and number; of all of them if neither is given."""
        wanted = {"name": name, "sha256": sha256}
        given = {key: value for key, value in wanted.items() if value is not None}
        # The names of the columns are written here, not by a user.
        condition = " AND ".join(f"{key} = :{key}" for key in given) or "1"
        with self.reading() as connection:
            query = f"SELECT * FROM versions WHERE {condition} ORDER BY name, number"  # noqa: S608
            return [] if connection is None else [version_of(row) for row in connection.execute(query, given)]

    def add_derivation(self, record: dict[str, Any]) -> None:
        """Store what a sidecar says; the same derivation is stored once."""
        output = record["output"]
        with self.transaction(writes=True) as connection:
            values = (record["id"], output["sha256"], output["path"], record["operation"], json.dumps(record))
            if connection.execute("INSERT OR IGNORE INTO derivations VALUES (?, ?, ?, ?, ?)", values).rowcount:
                connection.executemany(
                    "INSERT INTO inputs VALUES (?, ?, ?, ?)",
                    [
                        (record["id"], number, each["sha256"], each["path"])
                        for number, each in enumerate(record["inputs"])
                    ],
                )

    def made(self, sha256: str) -> Iterator[dict[str, Any]]:
        """The derivations whose output had this content."""
        yield from self.records("SELECT record FROM derivations WHERE output_sha256 = ? ORDER BY rowid", (sha256,))

    def used(self, sha256: str, path: str) -> Iterator[dict[str, Any]]:
        """The derivations that read this content, or what this path held at another time."""
        query = (
            "SELECT record FROM derivations WHERE id IN (SELECT derivation FROM inputs WHERE sha256 = ? OR path = ?)"
            " ORDER BY rowid"
        )
        yield from self.records(query, (sha256, path))

    def records(self, query: str, values: tuple[str, ...]) -> list[dict[str, Any]]:
        with self.reading() as connection:
            return [] if connection is None else [json.loads(row[0]) for row in connection.execute(query, values)]


def version_of(row: tuple[Any, ...]) -> Version:
    name, number, sha256, path, size_bytes, rows, metadata, created_at = row
    return Version(name, number, sha256, path, size_bytes, rows, json.loads(metadata), created_at)
