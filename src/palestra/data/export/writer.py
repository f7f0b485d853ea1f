"""Files of a training set: whole or not there at all."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from palestra.core.errors import PalestraError
from palestra.wire.encoding import encode


class RowWriter(Protocol):
    """Takes rows until it is closed."""

    def write(self, row: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class JsonlWriter:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = path.open("wb", buffering=1 << 20)

    def write(self, row: dict[str, Any]) -> None:
        self.file.write(encode(row) + b"\n")

    def close(self) -> None:
        self.file.close()


@contextmanager
def new_folder(output: Path) -> Generator[Path]:
    """A folder beside the output that becomes it when all went well, and is removed when not.

    Raises PalestraError if the output exists and holds something.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise PalestraError("output-exists", f"{output} exists already", fix="Name another --output, or remove it.")
    partial = output.with_name(f".{output.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if output.exists():
            output.rmdir()
        partial.rename(output)
    except OSError as error:
        raise PalestraError("output-unwritable", f"{output} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
