"""Files of the working folder, by paths that cannot lead out of it."""

import contextlib
import os
import stat
from collections.abc import Sequence

MOST_BYTES = 256 << 20
"""Of one file that is read."""


def parts_of(path: str) -> list[str]:
    """The names on a relative path. Raises FileNotFoundError for what leads elsewhere."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or not parts or "\0" in path:
        raise FileNotFoundError(f"not a path inside the folder: {path!r}")
    return parts


def folder_of(root: str, parts: Sequence[str], *, make: bool) -> int:
    """A descriptor of the folder that holds the last part; links are not followed."""
    found = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts[:-1]:
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=found)
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=found)
        finally:
            os.close(found)
        found = deeper
    return found


def write_all(root: str, listed: Sequence[Sequence[object]], body: memoryview) -> None:
    """Make files from `[path, size]` and their contents one after the other. What is there is replaced."""
    offset = 0
    for path, size in listed:
        end = offset + int(str(size))
        write(root, parts_of(str(path)), body[offset:end])
        offset = end


def write(root: str, parts: Sequence[str], content: memoryview) -> None:
    folder = folder_of(root, parts, make=True)
    try:
        # A link or a pipe of that name is replaced, never written through.
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(parts[-1], dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(parts[-1], flags, 0o644, dir_fd=folder), "wb") as file:
            file.write(content)
    finally:
        os.close(folder)


def read(root: str, path: str) -> bytes:
    parts = parts_of(path)
    folder = folder_of(root, parts, make=False)
    try:
        opened = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise FileNotFoundError(f"{path}: {error.strerror}") from None
    finally:
        os.close(folder)
    with open(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise FileNotFoundError(f"not a file: {path}")
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise FileNotFoundError(f"a file of more than {MOST_BYTES} bytes: {path}")
    return content
