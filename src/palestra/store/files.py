"""Files that only grow by whole lines, and what it takes that a line is on the disk."""

import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from palestra.core.errors import PalestraError


def synchronize(descriptor: int) -> None:
    """Force written data to the disk."""
    if sys.platform == "linux":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def synchronize_folder(folder: Path) -> None:
    """Force a folder's entries to the disk: a new file may otherwise be gone after a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, path: Path, operation: int = fcntl.LOCK_EX) -> None:
    """Lock an open file until it is closed. Raises PalestraError if another process holds it."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PalestraError("output-locked", f"{path} is being written by another process") from error


class AppendFile:
    """One file that only grows by whole lines."""

    def __init__(self, path: Path, synchronize: Callable[[int], None] = synchronize) -> None:
        self.path = path
        self.synchronize = synchronize
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.cut_to: int | None = None
        """The size to go back to before anything else is written, after a failed write that could not be undone."""

    def append(self, data: bytes | bytearray) -> None:
        """Write whole lines and force them to the disk. Raises OSError that names the file.

        The file is then as it was before, or is made so before the next line is written: what a failed write left
        never comes to stand before another line.
        """
        try:
            self.undo()
            self.extend(data)
        except OSError as error:
            error.filename = str(self.path)
            raise

    def extend(self, data: bytes | bytearray) -> None:
        # Asked anew each time: healing a torn tail shortens the file after it was opened.
        size = os.fstat(self.descriptor).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.descriptor, view) :]
            self.synchronize(self.descriptor)
        except OSError:
            self.cut_to = size
            # If this fails too, the next append begins with it; if there is none, the next reader heals the file.
            with suppress(OSError):
                self.undo()
            raise

    def undo(self) -> None:
        """Take back what a failed append has left."""
        if self.cut_to is not None:
            if os.fstat(self.descriptor).st_size > self.cut_to:
                os.ftruncate(self.descriptor, self.cut_to)
            self.cut_to = None

    def close(self) -> None:
        os.close(self.descriptor)
