"""Reading back what a run has stored, so that it can go on exactly where it was."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from palestra.core.errors import PalestraError
from palestra.rollout.plan import task_identity
from palestra.store.ledger import DONE, FAILED, INPUT_WRITTEN, RolloutLedger
from palestra.store.paths import RunPaths, writing
from palestra.wire.encoding import checksum_holds, decode
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


@dataclass(slots=True)
class Line:
    """One line that is not blank, and where it is."""

    content: bytes
    number: int
    offset: int


class Unusable(Exception):
    """Why a line does not count; it is set aside and its rollout owed again."""


def resume(paths: RunPaths, ledger: RolloutLedger) -> Resumed:
    """Heal the files and fill the ledger from them. Memory does not grow with the number of their lines.

    Half-written last lines, and rollouts that are damaged or there twice, move to the quarantine file.
    """
    resumed = Resumed()
    for path in (paths.rollouts, paths.failures, paths.inputs):
        with writing(path):
            heal(path, paths.quarantine, resumed)
    unusable: list[Line] = []
    for line in located_lines(paths.rollouts):
        try:
            note_rollout(line, paths.rollouts.name, ledger, resumed)
        except Unusable as reason:
            unusable.append(line)
            resumed.problems.append(f"{paths.rollouts.name} line {line.number} {reason}: it was set aside")
    for path, flag in ((paths.failures, FAILED), (paths.inputs, INPUT_WRITTEN)):
        for line in located_lines(path):
            try:
                note_other(line.content, ledger, resumed, flag=flag)
            except Unusable as reason:
                resumed.problems.append(f"{path.name} line {line.number} {reason}: it was skipped")
    if unusable:
        with writing(paths.rollouts):
            set_aside(paths.rollouts, paths.quarantine, unusable)
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
        quarantined(quarantine, [file.read(end - keep) + b"\n"])
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


def set_aside(path: Path, quarantine: Path, unusable: list[Line]) -> None:
    """Move lines to the quarantine. Blanks stay in their place: every reader skips them, and nothing else moves."""
    quarantined(quarantine, [line.content for line in unusable])
    with path.open("rb+") as file:
        for line in unusable:
            file.seek(line.offset)
            file.write(b" " * len(line.content.rstrip(b"\n")))
        file.flush()
        os.fsync(file.fileno())


def quarantined(quarantine: Path, lines: list[bytes]) -> None:
    with quarantine.open("ab") as aside:
        aside.writelines(lines)
        aside.flush()
        os.fsync(aside.fileno())


def located_lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank; none if there is no file."""
    if path.exists():
        offset = 0
        with path.open("rb") as file:
            for number, content in enumerate(file, 1):
                if content.strip():
                    yield Line(content, number, offset)
                offset += len(content)


def note_rollout(line: Line, name: str, ledger: RolloutLedger, resumed: Resumed) -> None:
    rollout = parsed(line.content)
    own = own_fields(rollout)
    reward = rollout.get("reward")
    if own is None or not isinstance(reward, int | float):
        message = f"{name} line {line.number} was not written by a palestra run, so it cannot be continued"
        raise PalestraError("run-changed", message, fix="Name another --output, or start a new file with --fork.")
    environment = str(own["environment"])
    identity = task_identity(environment, str(own["task_hash"]))
    if not ledger.note_stored(identity, rollout[TASK_INDEX], rollout[ROLLOUT_INDEX], DONE):
        raise Unusable(f"repeats rollout {rollout[ROLLOUT_INDEX]} of task {rollout[TASK_INDEX]}")
    resumed.rollouts += 1
    resumed.reward_sum += reward
    resumed.fingerprints.setdefault(environment, set()).add(str(own.get("fingerprint")))


def note_other(line: bytes, ledger: RolloutLedger, resumed: Resumed, *, flag: int) -> None:
    """A line of the failures or of the materialized inputs."""
    row = parsed(line)
    own = own_fields(row)
    if own is not None:
        identity = task_identity(str(own["environment"]), str(own["task_hash"]))
        noted = ledger.note_stored(identity, row[TASK_INDEX], row[ROLLOUT_INDEX], flag)
        resumed.failures += noted and flag == FAILED


def own_fields(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `palestra` object, if the row has what makes it a line of a run."""
    own, task, repeat = row.get("palestra"), row.get(TASK_INDEX), row.get(ROLLOUT_INDEX)
    if not isinstance(own, dict) or "environment" not in own or "task_hash" not in own:
        return None
    are_indices = isinstance(task, int) and task >= 0 and isinstance(repeat, int) and repeat >= 0
    return cast("dict[str, Any]", own) if are_indices else None


def parsed(line: bytes) -> dict[str, Any]:
    """The line's object. Raises Unusable if it is damaged."""
    if checksum_holds(line) is False:
        raise Unusable("does not match its checksum")
    try:
        value = decode(line)
    except ValueError as error:
        raise Unusable(f"is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise Unusable("is no object")
    return cast("dict[str, Any]", value)
