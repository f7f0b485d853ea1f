"""Where each of many millions of rows occurred first."""

from collections.abc import Sequence
from pathlib import Path

from palestra.core.errors import PalestraError
from palestra.store.ledger import KeyTable

LINE_BITS = 30
MOST_FILES = 1 << 9


class Seen:
    """The first place of each identity, in at most 32 bytes a row."""

    def __init__(self, files: Sequence[Path]) -> None:
        if len(files) >= MOST_FILES:
            fix = f"Name less than {MOST_FILES}."
            raise PalestraError("usage", f"{len(files)} files are too many at once", fix=fix)
        self.files = files
        self.table = KeyTable()

    def earlier(self, identity: bytes, file: int, line: int) -> tuple[int, int] | None:
        """The file and line where an identity of 16 bytes occurred before; from now on it has occurred here."""
        here = file << LINE_BITS | line
        first = self.table.setdefault(identity, here)
        return None if first == here else (first >> LINE_BITS, first & (1 << LINE_BITS) - 1)
