"""The index beside a file: which blocks it has, whether they are still what was read, and how it is brought up to date.

A file is cut into blocks of whole lines, and each block's columns are in a file named after the hash of its bytes. So
a file that grew needs only its new blocks, and one that was edited those from the edit on.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.data.index.fields import VERSION
from palestra.data.index.segment import Block, Segment, hash_of, segment_of, write_segment, write_texts
from palestra.store.paths import replacing, writing

BLOCK_BYTES = 32 << 20
ALONE_BYTES = 64 << 20
"""Less than this is read by this process itself: starting others would take longer."""
MOST_PARTS = 4096
"""Parts that processes share before others start anew: their tickets must fit into a pipe."""
TICKET_BYTES = 4
SLOWEST_BYTES_PER_S = 1 << 20
"""A process that reads more slowly than this is given up."""
START_S = 60
LONGEST_LINE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells without reading that a file was not touched."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @staticmethod
    def of(path: Path) -> "FileState":
        found = path.stat()
        return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def index_folder(path: Path) -> Path:
    """Where the index of a file is: beside it."""
    return path.with_name(f"{path.name}.index")


def ensure_index(path: Path, folder: Path, *, verify: bool = False) -> list[Segment]:
    """The segments of a file's index, brought up to date.

    `verify` compares the hash of every block even if size, times and inode of the file are as they were. Raises
    PalestraError if the file or the index cannot be read or written.
    """
    try:
        state = FileState.of(path)
    except OSError as error:
        raise PalestraError("missing-file", f"{path} cannot be read: {error.strerror}") from error
    known_state, known = read_manifest(folder)
    if known_state == state and not verify:
        return known
    valid = unchanged(path, state.size, known)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    start = valid[-1].end if valid else 0
    # A last block that may still grow is read again together with what follows it.
    if valid and start < state.size and (valid[-1].end - valid[-1].start < BLOCK_BYTES or not ends_line(path, start)):
        start = valid.pop().start
    segments = [*valid, *write_segments(path, list(blocks_of(path, start, state.size)), folder)]
    write_manifest(folder, state, segments)
    return segments


def read_manifest(folder: Path) -> tuple[FileState | None, list[Segment]]:
    try:
        content = json.loads((folder / "manifest.json").read_bytes())
        if content["version"] != VERSION:
            return None, []
        segments = [segment_of(entry) for entry in content["segments"]]
        state = FileState(**content["file"])
    except (OSError, ValueError, KeyError, TypeError):
        # No index, or one that was cut short: it is built anew.
        return None, []
    has_all = all((folder / segment.file_name).is_file() for segment in segments)
    return (state, segments) if has_all else (None, [])


def write_manifest(folder: Path, state: FileState, segments: Sequence[Segment]) -> None:
    content = {"version": VERSION, "file": asdict(state), "segments": [asdict(segment) for segment in segments]}
    with replacing(folder / "manifest.json") as file:
        file.write(json.dumps(content).encode())
    used = {name for segment in segments for name in (segment.file_name, segment.texts_name)}
    for path in folder.glob("*.arrow"):
        if path.name not in used:
            path.unlink(missing_ok=True)


def unchanged(path: Path, size: int, known: Sequence[Segment]) -> list[Segment]:
    """The segments up to the first whose bytes are not what they were."""
    valid: list[Segment] = []
    with path.open("rb") as file:
        for segment in known:
            file.seek(segment.start)
            # Read, not mapped: mapped pages count as memory of this process.
            if segment.end > size or hash_of(file.read(segment.end - segment.start)) != segment.hash:
                break
            valid.append(segment)
    return valid


def ends_line(path: Path, end: int) -> bool:
    with path.open("rb") as file:
        file.seek(end - 1)
        return file.read(1) == b"\n"


def blocks_of(path: Path, start: int, size: int) -> Iterator[Block]:
    """The blocks of a file from `start` on: each ends at the first line end behind `BLOCK_BYTES`."""
    with path.open("rb") as file:
        while start < size:
            file.seek(min(start + BLOCK_BYTES - 1, size))
            file.readline(LONGEST_LINE_BYTES)
            end = min(file.tell(), size)
            yield Block(start, end)
            start = end


def write_segments(path: Path, blocks: Sequence[Block], folder: Path) -> list[Segment]:
    """Read blocks, in as many processes as there are cores if it is worth it; gives their segments in order."""
    if not is_work_for_many(blocks):
        with writing(folder):
            return [write_segment(path, block, folder) for block in blocks]

    found: dict[int, Segment] = {}
    for said in shared_out(path, folder, "blocks", [[block.start, block.end] for block in blocks], size_of(blocks)):
        found.update((number, segment_of(entry)) for number, entry in json.loads(said))
    return [found[number] for number in range(len(blocks))]


def ensure_texts(path: Path, folder: Path, segments: Sequence[Segment]) -> None:
    """Make the columns that need the rows' texts, for the segments that lack them. Raises PalestraError."""
    lacking = [segment for segment in segments if not (folder / segment.texts_name).is_file()]
    if not is_work_for_many(lacking):
        with writing(folder):
            for segment in lacking:
                write_texts(path, segment, folder)
        return

    shared_out(path, folder, "texts", [asdict(segment) for segment in lacking], size_of(lacking))


def size_of(parts: Sequence[Block | Segment]) -> int:
    return sum(part.end - part.start for part in parts)


def is_work_for_many(parts: Sequence[Block | Segment]) -> bool:
    return min(usable_cores(), len(parts)) > 1 and size_of(parts) >= ALONE_BYTES


def shared_out(path: Path, folder: Path, kind: str, parts: Sequence[Any], size: int) -> list[bytes]:
    """What processes say that share the parts among them: as many as there are cores, each takes the next one."""
    workers = min(usable_cores(), len(parts))
    said: list[bytes] = []
    for first in range(0, len(parts), MOST_PARTS):
        request = {"path": str(path), "folder": str(folder), kind: parts, "tickets": 0}
        request["tickets"], sink = os.pipe()
        try:
            numbers = range(first, min(first + MOST_PARTS, len(parts)))
            os.write(sink, b"".join(number.to_bytes(TICKET_BYTES, "little") for number in numbers))
            os.close(sink)
            with ThreadPoolExecutor(workers) as pool:
                said += pool.map(run_worker, [request] * workers, [size] * workers)
        finally:
            os.close(request["tickets"])
    return said


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_worker(request: dict[str, Any], size: int) -> bytes:
    """What another process says to a request. Raises PalestraError if it breaks or takes too long."""
    limit_s = START_S + size / SLOWEST_BYTES_PER_S
    # One thread for each process: threads of numpy wait by turning.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "palestra.data.index.worker"],
            input=json.dumps(request).encode(),
            env=environment,
            pass_fds=[request["tickets"]],
            capture_output=True,
            timeout=limit_s,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        told = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        why = told[-1] if told else f"it did not finish within {limit_s:.0f} s"
        fix = "Repeat the command; what was read is kept. If it dies again, the machine may lack memory or disk."
        what = f"the index of {request['path']} could not be built: {why}"
        raise PalestraError("worker-died", what, fix=fix) from error
    return done.stdout
