"""What a file or a folder of files holds, as a hash: the identity of a dataset."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError

LINED = frozenset({".jsonl", ".ndjson"})
"""Files whose rows are their lines."""
SIDECARS = (".lineage.json", ".version.json")
"""What is written about a dataset beside it; no part of its content."""
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """What a file or folder held when it was read."""

    path: Path
    sha256: str
    """64 hex digits. Of a folder: of the names and hashes of its files, in the order of their names."""
    size_bytes: int
    rows: int | None = None
    """Lines that are not blank, of a JSONL file or of all JSONL files of a folder; None where rows are not lines."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path)}


def content_of_path(path: Path) -> Content:
    """Read a file, or all files of a folder, once and in constant memory. Raises PalestraError if that cannot be."""
    try:
        return content_of_folder(path) if path.is_dir() else content_of_file(path)
    except OSError as error:
        raise PalestraError("missing-file", f"{error.filename or path} cannot be read: {error.strerror}") from error


def content_of_file(path: Path) -> Content:
    digest = hashlib.sha256()
    size, rows = 0, None
    with path.open("rb", buffering=BLOCK_BYTES) as file:
        if path.suffix in LINED:
            rows = 0
            for line in file:
                digest.update(line)
                size += len(line)
                rows += not line.isspace()
        else:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    return Content(path, digest.hexdigest(), size, rows)


def content_of_folder(folder: Path) -> Content:
    digest = hashlib.sha256()
    size, rows = 0, None
    for path in files_of(folder):
        content = content_of_file(path)
        digest.update(f"{content.sha256}  {path.relative_to(folder).as_posix()}\n".encode())
        size += content.size_bytes
        rows = rows if content.rows is None else (rows or 0) + content.rows
    return Content(folder, digest.hexdigest(), size, rows)


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a folder that are data: nothing hidden, and no sidecar."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and not path.name.endswith(SIDECARS):
            yield path
