"""Reading back what a run has stored, so that it can go on exactly where it was."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from palestra.core.errors import PalestraError
from palestra.rollout.plan import task_identity
from palestra.store.ledger import DONE, FAILED, INPUT_WRITTEN, RolloutLedger
from palestra.store.paths import RunPaths
from palestra.wire.encoding import decode
from palestra.wire.rows import ROLLOUT_INDEX, TASK_INDEX

COPY_BYTES = 1 << 20


@dataclass
class Resumed:
    """What the stored files hold."""

    rollouts: int = 0
    failures: int = 0
    reward_sum: float = 0.0
    fingerprints: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Fingerprints found, by environment."""
    problems: list[str] = field(default_factory=list[str])
    """Lines that were set aside, and why."""


def resume(paths: RunPaths, ledger: RolloutLedger) -> Resumed:
    """Heal torn tails and fill the ledger from the files. Memory does not grow with the length of a line's file."""
    resumed = Resumed()
    for path in (paths.rollouts, paths.failures, paths.inputs):
        heal(path, paths.quarantine, resumed)
    for number, line in lines(paths.rollouts):
        note_rollout(line, f"{paths.rollouts.name} line {number}", ledger, resumed)
    for number, line in lines(paths.failures):
        note_other(line, f"{paths.failures.name} line {number}", ledger, resumed, flag=FAILED)
    for number, line in lines(paths.inputs):
        note_other(line, f"{paths.inputs.name} line {number}", ledger, resumed, flag=INPUT_WRITTEN)
    return resumed


def heal(path: Path, quarantine: Path, resumed: Resumed) -> None:
    """Move a half-written last line out of the file; nothing is thrown away."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        keep = last_newline(file, end)
        if keep == end:
            return
        file.seek(keep)
        torn = file.read(end - keep)
        with quarantine.open("ab") as aside:
            aside.write(torn + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        file.truncate(keep)
        os.fsync(file.fileno())
    resumed.problems.append(f"{path.name}: a half-written last line of {end - keep} bytes moved to {quarantine.name}")


def last_newline(file: Any, end: int) -> int:
    """The offset after the last newline, 0 if there is none."""
    position = end
    while position > 0:
        start = max(0, position - COPY_BYTES)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.exists():
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line


def note_rollout(line: bytes, origin: str, ledger: RolloutLedger, resumed: Resumed) -> None:
    rollout = parsed(line, origin, resumed)
    if rollout is None:
        return
    own = cast("dict[str, Any]", rollout.get("palestra") or {})
    if "task_hash" not in own:
        message = f"{origin} was not written by a palestra run, so it cannot be continued"
        raise PalestraError("run-changed", message, fix="Name another --output, or start a new file with --fork.")
    environment = str(own["environment"])
    identity = task_identity(environment, str(own["task_hash"]))
    if not ledger.note_stored(identity, rollout[TASK_INDEX], rollout[ROLLOUT_INDEX], DONE):
        resumed.problems.append(f"{origin}: task {rollout[TASK_INDEX]} rollout {rollout[ROLLOUT_INDEX]} is there twice")
        return
    resumed.rollouts += 1
    resumed.reward_sum += rollout["reward"]
    resumed.fingerprints.setdefault(environment, set()).add(str(own.get("fingerprint")))


def note_other(line: bytes, origin: str, ledger: RolloutLedger, resumed: Resumed, *, flag: int) -> None:
    """A line of the failures or of the materialized inputs."""
    row = parsed(line, origin, resumed)
    own = cast("dict[str, Any]", row.get("palestra") or {}) if row else {}
    if row and "task_hash" in own:
        identity = task_identity(str(own["environment"]), str(own["task_hash"]))
        noted = ledger.note_stored(identity, row[TASK_INDEX], row[ROLLOUT_INDEX], flag)
        resumed.failures += noted and flag == FAILED


def parsed(line: bytes, origin: str, resumed: Resumed) -> Mapping[str, Any] | None:
    """The line's object; None, and a problem noted, if it is damaged. Its rollout is then owed again."""
    try:
        value = decode(line)
    except ValueError as error:
        resumed.problems.append(f"{origin} is damaged and was skipped: {error}")
        return None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    resumed.problems.append(f"{origin} is damaged and was skipped: it is no object")
    return None
