"""What a dataset was made from and with what: recorded when it is made, read when somebody asks.

Each output has a record beside it, `<output>.lineage.json`, that travels with it; the project's registry holds the same
records, so that it can be asked what was made from a file as well.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from palestra import __version__
from palestra.core.errors import PalestraError, describe
from palestra.core.task import CANONICAL
from palestra.data.content import Content, content_of_path
from palestra.data.registry import Registry
from palestra.store.paths import replacing

SIDECAR = ".lineage.json"
FORMAT = 1


def record_derivation(
    output: Path, inputs: Iterable[Path], operation: str, config: Mapping[str, Any], *, registry: Registry | None = None
) -> dict[str, Any]:
    """Say that `output`, a file or a folder, was made from `inputs` by `operation` with `config`; gives the record.

    Call it once the output is whole. Every file is read once, to hash it. The record goes to `<output>.lineage.json`
    and to the registry of the output's project (`Registry.near`). The same derivation said again changes nothing.
    `config` is what a JSON file can hold, and decides the output together with the inputs: no times, no counts.
    Raises PalestraError if a file cannot be read, or the record cannot be written; the output is not touched.
    """
    made, sources = content_of_path(output), [content_of_path(path) for path in inputs]
    record = derivation(made, sources, operation, config)
    sidecar = sidecar_of(output)
    known = read_sidecar(sidecar)
    if known is not None and known["id"] == record["id"]:
        record = known
    else:
        with replacing(sidecar) as file:
            file.write(json.dumps(relative(record, sidecar.parent), indent=2).encode() + b"\n")
    (registry or Registry.near(output)).add_derivation(record)
    return record


def derivation(made: Content, sources: list[Content], operation: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The record, with absolute paths. Its `id` hashes contents, operation, config and version, but no path or time."""
    try:
        what = {"operation": operation, "config": json.loads(json.dumps(dict(config))), "palestra": __version__}
    except (TypeError, ValueError) as error:
        raise PalestraError("usage", f"the config of {operation} is no JSON: {describe(error)}") from error
    contents = [made.sha256, *(source.sha256 for source in sources)]
    identity = hashlib.sha256(CANONICAL.encode([what, contents]).encode()).hexdigest()[:32]
    return {
        "format": FORMAT,
        "id": identity,
        **what,
        "output": placed(made),
        "inputs": [placed(source) for source in sources],
        "created_at": time.time(),
    }


def placed(content: Content) -> dict[str, Any]:
    return {**content.to_json(), "path": str(content.path.resolve())}


def sidecar_of(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR)


def relative(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The record with paths as seen from its folder, so that a project can be moved as a whole."""

    def seen(entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "path": Path(os.path.relpath(entry["path"], folder.resolve())).as_posix()}

    return {**record, "output": seen(record["output"]), "inputs": [seen(entry) for entry in record["inputs"]]}


def read_sidecar(sidecar: Path) -> dict[str, Any] | None:
    """The record in a sidecar, with absolute paths; None if there is none. Raises PalestraError if it is damaged."""
    if not sidecar.exists():
        return None
    try:
        record = json.loads(sidecar.read_bytes())
        for entry in (record["output"], *record["inputs"]):
            entry["sha256"] = str(entry["sha256"])
            entry["path"] = str((sidecar.parent / entry["path"]).resolve())
        if absent := {"id", "operation", "config"} - record.keys():
            raise KeyError(*absent)
        return record
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = "Delete it and make the dataset again, or restore it: it says what the dataset was made from."
        raise PalestraError("registry-unusable", f"{sidecar} is damaged: {describe(error)}", fix=fix) from error
