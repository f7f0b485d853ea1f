"""The index beside a file: which blocks it has, whether they are still what was read, and how it is brought up to date.

A file is cut into blocks of whole lines, and each block's columns are in a file named after the hash of its bytes. So
a file that grew needs only its new blocks, and one that was edited those from the edit on.
"""

import json
import mmap
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
from palestra.data.index.segment import Block, Segment, hash_of, write_segment
from palestra.store.paths import replacing, writing

BLOCK_BYTES = 32 << 20
ALONE_BYTES = 64 << 20
"""Less than this is read by this process itself: starting others would take longer."""
BATCH_BLOCKS = 16
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


def segment_of(entry: dict[str, Any]) -> Segment:
    problems = [(int(number), str(reason)) for number, reason in entry["problems"]]
    return Segment(**{**entry, "problems": problems})


def write_manifest(folder: Path, state: FileState, segments: Sequence[Segment]) -> None:
    content = {"version": VERSION, "file": asdict(state), "segments": [asdict(segment) for segment in segments]}
    with replacing(folder / "manifest.json") as file:
        file.write(json.dumps(content).encode())
    used = {segment.file_name for segment in segments}
    for path in folder.glob("*.arrow"):
        if path.name not in used:
            path.unlink(missing_ok=True)


def unchanged(path: Path, size: int, known: Sequence[Segment]) -> list[Segment]:
    """The segments up to the first whose bytes are not what they were."""
    valid: list[Segment] = []
    if not known or size == 0:
        return valid
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for segment in known:
            with memoryview(content)[segment.start : segment.end] as part:
                if segment.end > size or hash_of(part) != segment.hash:
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
    workers = min(usable_cores(), len(blocks))
    if workers < 2 or blocks[-1].end - blocks[0].start < ALONE_BYTES:
        with writing(folder):
            return [write_segment(path, block, folder) for block in blocks]
    size = max(1, min(BATCH_BLOCKS, len(blocks) // (2 * workers)))
    batches = [blocks[first : first + size] for first in range(0, len(blocks), size)]
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda batch: run_worker(path, batch, folder), batches)
        return [segment for segments in found for segment in segments]


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_worker(path: Path, blocks: Sequence[Block], folder: Path) -> list[Segment]:
    """Have another process read some blocks. Raises PalestraError if it breaks or takes too long."""
    request = {"path": str(path), "folder": str(folder), "blocks": [[block.start, block.end] for block in blocks]}
    limit_s = START_S + (blocks[-1].end - blocks[0].start) / SLOWEST_BYTES_PER_S
    try:
        done = subprocess.run(
            [sys.executable, "-m", "palestra.data.index.worker"],
            input=json.dumps(request).encode(),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            timeout=limit_s,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        told = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        why = told[-1] if told else f"it did not finish within {limit_s:.0f} s"
        fix = "Repeat the command; what was read is kept. If it dies again, the machine may lack memory or disk."
        raise PalestraError("worker-died", f"the index of {path} could not be built: {why}", fix=fix) from error
    return [segment_of(entry) for entry in json.loads(done.stdout)]
