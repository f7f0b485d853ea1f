"""Task rows from an environment's generator, as a file."""

from pathlib import Path

from pydantic import BaseModel

from palestra.core.discovery import Source
from palestra.core.errors import PalestraError
from palestra.data.load import generated_rows
from palestra.store.paths import replacing
from palestra.wire.encoding import encode


def write_generated(
    source: Source, options: BaseModel, path: Path, *, seed: int, n: int, overwrites: bool = False
) -> int:
    """Write `n` generated rows to `path`, one a line; how many bytes they are.

    The file appears when it is whole and safe on disk, never half of it. Rows are written as they are made, so memory
    does not grow with `n`. Raises PalestraError if the environment cannot generate, if its generator breaks or does
    not make `n` rows, if the file is there already (unless `overwrites`) or cannot be written.
    """
    require_free(path, overwrites=overwrites)
    with replacing(path) as file:
        size = sum(file.write(encode(row.content) + b"\n") for row in generated_rows(source, options, seed=seed, n=n))
        # Hours may have passed since the first look.
        require_free(path, overwrites=overwrites)
    return size


def require_free(path: Path, *, overwrites: bool) -> None:
    if path.exists() and not (overwrites and path.is_file()):
        fix = "Name another --output, or replace it with --overwrite." if path.is_file() else "Name a file of its own."
        raise PalestraError("output-exists", f"{path} exists already", fix=fix)
