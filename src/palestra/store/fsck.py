"""Checking a run's files for damage, and setting it aside."""

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.store.files import lock
from palestra.store.ledger import KeyTable
from palestra.store.paths import QUARANTINE, RunPaths, writing
from palestra.store.repair import Damage, FileState, repair, whole_lines
from palestra.store.scan import Line, Record, located_lines
from palestra.wire.encoding import CHECKSUM_FIELD, decode

SNIFFED_LINES = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found, file by file, as it was before anything was repaired."""

    paths: RunPaths
    files: list[FileState]

    @property
    def is_sound(self) -> bool:
        return all(state.is_sound for state in self.files)

    def to_json(self) -> dict[str, Any]:
        return {
            "sound": self.is_sound,
            "quarantine": str(self.paths.quarantine),
            "files": [
                {
                    "path": str(state.path),
                    "lines": state.lines,
                    "without_checksum": state.without_checksum,
                    "damaged": [described(damage) for damage in state.damaged],
                    "duplicates": [described(damage) for damage in state.duplicates],
                    "torn_tail_bytes": state.torn.length if state.torn else 0,
                }
                for state in self.files
            ],
        }


def described(damage: Damage) -> dict[str, Any]:
    return {"line": damage.number, "offset": damage.offset, "reason": damage.reason}


def fsck(path: Path, *, repairs: bool = True) -> Checked:
    """Check the file and those of its run beside it; with `repairs`, move what does not count to the quarantine.

    Any JSONL of the format can be checked: a line without a checksum is whole if it is a JSON object. Memory: 32 bytes
    a line, and what describes the damage. Raises PalestraError if a run is writing the files, or if they cannot be
    read, or written although they have to be repaired.
    """
    if path.name.endswith(QUARANTINE):
        raise PalestraError("usage", f"{path} is what was set aside before", fix="Name the rollouts beside it.")
    require_rollouts(path)
    paths = RunPaths.containing(path)
    with held(paths.rollouts, exclusively=repairs):
        beside = [each for each in (paths.failures, paths.inputs) if each.exists()]
        checked = Checked(paths, [check(each, paths) for each in (paths.rollouts, *beside)])
        if repairs:
            for state in checked.files:
                with writing(state.path):
                    repair(state, paths.quarantine)
    return checked


def require_rollouts(path: Path) -> None:
    """Raises PalestraError for what is no JSONL of rollouts: repairing it would set all of it aside."""
    if not path.is_file():
        raise PalestraError("missing-file", f"no file {path}" + (": it is a folder" if path.is_dir() else ""))
    if path.stat().st_size and not any(map(could_be_ours, islice(located_lines(path), SNIFFED_LINES))):
        message = f"{path} holds no JSON objects line by line, so it is no file of rollouts; nothing was changed"
        raise PalestraError("usage", message, fix="Name the rollouts, failures or materialized inputs of a run.")


def could_be_ours(line: Line) -> bool:
    if CHECKSUM_FIELD in line.content:
        return True
    try:
        return isinstance(decode(line.content), dict)
    except ValueError:
        # A first rollout that was cut short is all that a killed run may have left.
        return not line.content.endswith(b"\n") and line.content.startswith(b'{"')


@contextmanager
def held(path: Path, *, exclusively: bool) -> Generator[None]:
    """Keep runs from writing for as long as the check takes."""
    try:
        descriptor = open_for_lock(path, exclusively=exclusively)
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    try:
        lock(descriptor, path, fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def open_for_lock(path: Path, *, exclusively: bool) -> int:
    # Network file systems grant an exclusive lock only to who may write; but a file nobody may write can be checked.
    if exclusively:
        try:
            return os.open(path, os.O_RDWR)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
    return os.open(path, os.O_RDONLY)


def check(path: Path, paths: RunPaths) -> FileState:
    state, seen = FileState(path), KeyTable()
    try:
        for line, record in whole_lines(state):
            identity = identity_of(line, record, is_input=path == paths.inputs)
            if identity is None:
                continue
            if seen.get(identity) is not None:
                state.repeats(line, record)
            else:
                seen.set(identity, line.number)
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    return state


def identity_of(line: Line, record: Record, *, is_input: bool) -> bytes | None:
    """What no two lines of a file may share; None for lines that do not say which rollout they are."""
    if record.rollout_index is None:
        return None
    if record.is_own and (record.is_rollout or is_input):
        parts = (record.environment, record.task_hash, str(record.rollout_index), record.fingerprint)
        return blake2b("\0".join(parts).encode(), digest_size=16).digest()
    # A rollout may fail many times, and other producers number each run from 0: only the very same bytes are a repeat.
    return blake2b(line.content.rstrip(), digest_size=16).digest()
