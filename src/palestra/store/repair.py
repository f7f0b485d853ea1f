"""Setting damaged lines of a run's files aside: nothing is thrown away, and every other line stays where it is."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from palestra.store.files import AppendFile, synchronize_folder
from palestra.store.scan import Line, Record, Unusable, located_lines, record_of

COPY_BYTES = 1 << 20
TOLD_LINES = 20
"""Lines of a file that do not count are told one by one up to here."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that does not count, and why."""

    number: int
    offset: int
    length: int
    reason: str


@dataclass
class FileState:
    """What reading one file has found. It grows with the damage, not with the file."""

    path: Path
    lines: int = 0
    """All that are not blank, except a half-written last one."""
    without_checksum: int = 0
    """Whole lines whose bytes nobody can vouch for."""
    damaged: list[Damage] = field(default_factory=list[Damage])
    duplicates: list[Damage] = field(default_factory=list[Damage])
    torn: Damage | None = None
    """A half-written last line."""

    @property
    def is_sound(self) -> bool:
        return not (self.damaged or self.duplicates or self.torn)

    def findings(self) -> list[str]:
        """For people: what does not count, one line each; what is too much for that is summed up."""
        aside = sorted([*self.damaged, *self.duplicates], key=lambda damage: damage.number)
        texts = [f"line {damage.number} {damage.reason}" for damage in aside[:TOLD_LINES]]
        if len(aside) > TOLD_LINES:
            texts.append(f"has {len(aside) - TOLD_LINES} more lines that do not count")
        if self.torn is not None:
            texts.append(f"has a half-written last line of {self.torn.length} bytes")
        return texts

    def repeats(self, line: Line, record: Record) -> None:
        """Note that a whole line is there a second time."""
        reason = f"repeats rollout {record.rollout_index} of task {record.task_index}"
        self.duplicates.append(Damage(line.number, line.offset, line.length, reason))


def whole_lines(state: FileState) -> Iterator[tuple[Line, Record]]:
    """The whole lines of a file, and what each is about; the others are noted in `state`."""
    for line in located_lines(state.path):
        try:
            record = record_of(line)
        except Unusable as reason:
            damage = Damage(line.number, line.offset, line.length, str(reason))
            if line.is_ended:
                state.lines += 1
                state.damaged.append(damage)
            else:
                state.torn = damage
            continue
        state.lines += 1
        state.without_checksum += not record.has_checksum
        yield line, record


def repair(state: FileState, quarantine: Path) -> None:
    """Move everything that does not count to the quarantine. Raises OSError.

    It is safe there before it leaves its file: a repair that is cut short is simply done again.
    """
    if state.is_sound:
        return
    aside = sorted([*state.damaged, *state.duplicates], key=by_place)
    if state.torn is not None:
        aside.append(state.torn)
    with state.path.open("rb+") as file:
        keep_safe(file, aside, quarantine)
        end = file.seek(0, os.SEEK_END)
        while aside and aside[-1].offset + aside[-1].length == end:
            end = aside.pop().offset
        file.truncate(end)
        for line in aside:
            blank(file, line)
        synchronize(file)
        join(file, aside)
        synchronize(file)


def by_place(line: Damage) -> int:
    return line.offset


def synchronize(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def keep_safe(file: BinaryIO, lines: Iterable[Damage], quarantine: Path) -> None:
    """Copy lines to the end of the quarantine, and force them to the disk."""
    with closing(AppendFile(quarantine)) as safe:
        synchronize_folder(quarantine.parent)
        waiting = bytearray() if is_ended(quarantine) else bytearray(b"\n")
        for line in lines:
            piece = b""
            for piece in pieces(file, line):
                waiting += piece
                if len(waiting) >= COPY_BYTES:
                    safe.append(waiting)
                    waiting = bytearray()
            if not piece.endswith(b"\n"):
                waiting += b"\n"
        safe.append(waiting)


def blank(file: BinaryIO, line: Damage) -> None:
    """Leave blanks in the place of a line: nothing else moves."""
    place = line.offset
    for piece in pieces(file, line):
        file.seek(place)
        place += file.write(b" " * len(piece.rstrip(b"\n")) + b"\n" * piece.endswith(b"\n"))


def join(file: BinaryIO, blanked: Iterable[Damage]) -> None:
    """Make blanks a part of the line before them, or at the beginning of the file of the line after.

    JSON may have blanks around it, but many readers of JSONL do not expect a line of nothing else. A byte that became
    a line end may have left empty lines beside them; these go too.
    """
    beginning = 0
    for line in blanked:
        start, end = line.offset, line.offset + line.length
        while start > beginning and byte_at(file, start - 1) == b"\n":
            start -= 1
        if start == beginning:
            while byte_at(file, end) == b"\n":
                end += 1
            fill(file, line.offset + line.length - 1, end)
            beginning = end
        fill(file, start, line.offset)


def byte_at(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read(1)


def fill(file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    file.write(b" " * (end - start))


def pieces(file: BinaryIO, line: Damage) -> Iterator[bytes]:
    """The bytes of a line, a bounded part at a time."""
    end = line.offset + line.length
    for start in range(line.offset, end, COPY_BYTES):
        file.seek(start)
        yield file.read(min(COPY_BYTES, end - start))


def is_ended(path: Path) -> bool:
    """Whether a file is empty or ends with a line end."""
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END) == 0 or (file.seek(-1, os.SEEK_END) >= 0 and file.read(1) == b"\n")


def end_last_line(path: Path) -> None:
    """Give the last line its line end if it has none. Raises OSError."""
    if path.exists() and not is_ended(path):
        with closing(AppendFile(path)) as file:
            file.append(b"\n")
