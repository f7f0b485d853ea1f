"""Append-only JSONL files that survive the loss of the process: a line is acknowledged after it is on disk."""

import asyncio
import fcntl
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError
from palestra.rollout.plan import Job
from palestra.store.ledger import INPUT_WRITTEN, RolloutLedger
from palestra.store.paths import RunPaths
from palestra.wire.encoding import encode, encode_with_checksum


class AppendFile:
    """One file that only grows by whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self.size = os.fstat(self.descriptor).st_size

    def lock(self) -> None:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self.descriptor)
            raise PalestraError("output-locked", f"{self.path} is being written by another process") from error

    def append(self, data: bytes, *, durable: bool) -> None:
        """Write whole lines. After an OSError the file is as it was before."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.descriptor, view) :]
            if durable:
                synchronize(self.descriptor)
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        os.close(self.descriptor)


def synchronize(descriptor: int) -> None:
    """Force written data to the disk."""
    if sys.platform == "linux":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def synchronize_folder(folder: Path) -> None:
    """Force a folder's entries to the disk: a new file may otherwise be gone after a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass
class Batch:
    """Lines that are written and synchronised together, and who waits for that."""

    inputs: list[bytes] = field(default_factory=list[bytes])
    failures: list[bytes] = field(default_factory=list[bytes])
    rollouts: list[bytes] = field(default_factory=list[bytes])
    waiting: "list[asyncio.Future[None]]" = field(default_factory=list["asyncio.Future[None]"])


class JsonlStore:
    """The three files of a run. Lines that arrive while the disk is busy share the next synchronisation."""

    def __init__(self, paths: RunPaths, ledger: RolloutLedger) -> None:
        self.ledger = ledger
        paths.rollouts.parent.mkdir(parents=True, exist_ok=True)
        self.rollouts = AppendFile(paths.rollouts)
        self.rollouts.lock()
        self.failures = AppendFile(paths.failures)
        self.inputs = AppendFile(paths.inputs)
        synchronize_folder(paths.rollouts.parent)
        self.batch = Batch()
        self.committing: asyncio.Task[None] | None = None

    async def add_rollout(self, line: dict[str, Any]) -> None:
        await self.durable(self.batch.rollouts, encode_with_checksum(line))

    async def add_failure(self, line: dict[str, Any]) -> None:
        await self.durable(self.batch.failures, encode_with_checksum(line))

    def add_input(self, line: dict[str, Any], job: Job) -> None:
        """Written with the next batch, once for each rollout however often it is tried."""
        if not self.ledger.state(job.task_index, job.rollout_index) & INPUT_WRITTEN:
            self.batch.inputs.append(encode(line) + b"\n")

    async def durable(self, lines: list[bytes], line: bytes) -> None:
        lines.append(line + b"\n")
        done = asyncio.get_running_loop().create_future()
        self.batch.waiting.append(done)
        if self.committing is None:
            self.committing = asyncio.create_task(self.commit())
        await done

    async def commit(self) -> None:
        """Write batch after batch until nothing waits."""
        while self.batch.waiting:
            batch, self.batch = self.batch, Batch()
            error = None
            try:
                await asyncio.to_thread(self.write, batch)
            except OSError as raised:
                error = PalestraError(
                    "missing-file",
                    f"{self.rollouts.path} cannot be written: {raised.strerror}",
                    fix="Make room or mend the disk, then continue with --resume; what was acknowledged is stored.",
                )
            for done in batch.waiting:
                if done.cancelled():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
        self.committing = None

    def write(self, batch: Batch) -> None:
        # Inputs first, so that every stored rollout has its input beside it.
        if batch.inputs:
            self.inputs.append(b"".join(batch.inputs), durable=False)
        if batch.failures:
            self.failures.append(b"".join(batch.failures), durable=True)
        if batch.rollouts:
            self.rollouts.append(b"".join(batch.rollouts), durable=True)

    async def close(self) -> None:
        """Finish what is being written and let go of the files."""
        if self.committing is not None:
            await self.committing
        if self.batch.inputs:
            self.write(self.batch)
        for file in (self.rollouts, self.failures, self.inputs):
            file.close()
