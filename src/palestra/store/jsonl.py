"""The three files of a run: a line is acknowledged after it is on disk, whatever happens to the process."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from palestra.core.errors import boundary
from palestra.rollout.plan import Job
from palestra.store.files import AppendFile, lock, synchronize, synchronize_folder
from palestra.store.ledger import INPUT_WRITTEN, RolloutLedger
from palestra.store.paths import RunPaths, unwritable, writing
from palestra.store.patience import DiskPatience
from palestra.wire.encoding import encode_with_checksum

GATHER_S = 0.05
"""How long the first line of a batch waits for others: a synchronisation costs as much as dozens of rollouts."""
FULL_BATCH_BYTES = 1 << 20
ENVIRONMENT = boundary("environment")
BACKLOG_BYTES = 8 << 20
"""Nothing new is started while so much waits for the disk."""


@dataclass
class Batch:
    """Lines that are written and synchronised together, and the future of those who wait for that."""

    inputs: list[bytes] = field(default_factory=list[bytes])
    failures: list[bytes] = field(default_factory=list[bytes])
    rollouts: list[bytes] = field(default_factory=list[bytes])
    stored: "asyncio.Future[None] | None" = None
    """Done when the rollouts and failures are on the disk; None if there are none."""
    size_bytes: int = 0


class JsonlStore:
    """The three files of a run. Lines that arrive within a moment, or while the disk is busy, are written together."""

    def __init__(
        self,
        paths: RunPaths,
        ledger: RolloutLedger,
        synchronize: Callable[[int], None] = synchronize,
        *,
        patience_s: float = 0.0,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """A disk that refuses to take more is waited for, `patience_s` at most; `tell` gets a message for people."""
        self.ledger = ledger
        with ExitStack() as files, writing(paths.rollouts):
            paths.rollouts.parent.mkdir(parents=True, exist_ok=True)
            self.rollouts = files.enter_context(closing(AppendFile(paths.rollouts, synchronize)))
            lock(self.rollouts.descriptor, paths.rollouts)
            self.failures = files.enter_context(closing(AppendFile(paths.failures, synchronize)))
            self.inputs = files.enter_context(closing(AppendFile(paths.inputs, synchronize)))
            synchronize_folder(paths.rollouts.parent)
            self.files = files.pop_all()
        # A thread of its own: an environment that keeps the default executor busy must not delay the disk.
        self.disk = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.batch = Batch()
        self.committing: asyncio.Task[None] | None = None
        self.urgent = asyncio.Event()
        """Set when the batch is not to wait for more lines."""
        self.relieved = asyncio.Event()
        """Cleared while too much waits for the disk."""
        self.relieved.set()
        self.stored = 0
        """Rollouts written by this store, also those whose episode was abandoned while it waited for the disk."""
        self.patience = DiskPatience(patience_s, tell)
        self.broken: Exception | None = None
        """What made the files unusable: nothing is written, and nothing acknowledged, until a resume has read them
        anew."""

    async def ready(self) -> None:
        """Wait as long as the disk takes nothing more. Raises what made the files unusable."""
        if not (self.patience.accepting.is_set() and self.relieved.is_set()):
            await self.patience.accepting.wait()
            await self.relieved.wait()
        if self.broken is not None:
            raise self.broken

    def add_rollout(self, line: dict[str, Any]) -> "asyncio.Future[None]":
        """Raises Failure if the line is no JSON: an environment may put anything into its items and metrics."""
        with ENVIRONMENT:
            data = encode_with_checksum(line)
        return self.durable(self.batch.rollouts, data)

    def add_failure(self, line: dict[str, Any]) -> "asyncio.Future[None]":
        try:
            data = encode_with_checksum(line)
        except (TypeError, ValueError, RecursionError):
            # What broke the rollout may be a row that cannot be written either.
            data = encode_with_checksum(without_row(line))
        return self.durable(self.batch.failures, data)

    def add_input(self, line: dict[str, Any], job: Job) -> None:
        """Written with the next batch, once for each rollout however often it is tried.

        Raises Failure if the line is no JSON.
        """
        if not self.ledger.state(job.task_index, job.rollout_index) & INPUT_WRITTEN:
            with ENVIRONMENT:
                self.batch.inputs.append(encode_with_checksum(line) + b"\n")

    def durable(self, lines: list[bytes], line: bytes) -> "asyncio.Future[None]":
        lines.append(line + b"\n")
        batch = self.batch
        if batch.stored is None:
            batch.stored = asyncio.get_running_loop().create_future()
        batch.size_bytes += len(line)
        if batch.size_bytes >= FULL_BATCH_BYTES:
            self.urgent.set()
            if batch.size_bytes >= BACKLOG_BYTES:
                self.relieved.clear()
        if self.committing is None:
            self.committing = asyncio.create_task(self.commit())
        return batch.stored

    async def settled(self) -> None:
        """Wait until every line that was added is on the disk. Raises what made the files unusable."""
        while self.committing is not None:
            self.urgent.set()
            await asyncio.wait([self.committing])
        if self.broken is not None:
            raise self.broken

    async def commit(self) -> None:
        """Write batch after batch until nothing waits."""
        while self.batch.stored is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.urgent.wait(), GATHER_S)
            self.urgent.clear()
            self.relieved.set()
            stored, batch, self.batch = self.batch.stored, self.batch, Batch()
            await self.write(batch)
            if stored.done():
                continue
            if self.broken is None:
                stored.set_result(None)
            else:
                stored.set_exception(self.broken)
        self.committing = None

    async def write(self, batch: Batch) -> None:
        """Write a batch, or find out that the files are broken."""
        if self.broken is not None:
            return
        rollouts = len(batch.rollouts)
        try:
            await self.patience.keep_trying(partial(self.on_disk, batch))
            self.stored += rollouts
        except Exception as error:
            # Whoever waits for the disk must hear of it, whatever it is.
            self.broken = error
            if isinstance(error, OSError):
                self.broken = unwritable(Path(error.filename or self.rollouts.path), error)
                self.broken.__cause__ = error

    async def on_disk(self, batch: Batch) -> None:
        await asyncio.get_running_loop().run_in_executor(self.disk, self.append, batch)

    def append(self, batch: Batch) -> None:
        """Write what is left of a batch. After a failed synchronisation nobody knows what the disk holds, so all lines
        that were to be synchronised together are written again."""
        # Inputs first, so that every stored rollout has its input beside it.
        for file, lines in (
            (self.inputs, batch.inputs),
            (self.failures, batch.failures),
            (self.rollouts, batch.rollouts),
        ):
            if lines:
                file.append(b"".join(lines))
                lines.clear()

    async def close(self) -> None:
        """Finish what is being written, without waiting for a disk that refuses it, and let go of the files."""
        self.patience.end()
        try:
            if self.committing is not None:
                self.urgent.set()
                await self.committing
            # What was dispatched and abandoned: if it cannot be written now, the resume that plays it will write it.
            if self.batch.inputs:
                await self.write(self.batch)
        finally:
            self.disk.shutdown()
            self.files.close()


def without_row(line: dict[str, Any]) -> dict[str, Any]:
    """A failure without the task it came from: what the run itself knows of it."""
    own = {name: value for name, value in line["palestra"].items() if name != "task"}
    return {**{name: value for name, value in line.items() if name.startswith("_ng_")}, "palestra": own}
