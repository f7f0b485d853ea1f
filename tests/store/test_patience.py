"""A disk that takes nothing more is waited for: nothing new is started, nothing is lost, nothing is there twice."""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import PalestraError
from palestra.rollout.engine import Engine, RunLimits
from palestra.store.files import AppendFile, synchronize
from palestra.store.jsonl import JsonlStore
from tests.rollout.stage import Says, Stage
from tests.store.test_jsonl import job, ledger, line, paths_in, stored

CONCURRENCY = 6


class Disk:
    """Synchronises, or refuses with an error for as long as it is told to, or so many times."""

    def __init__(self, error: int | None = None, times: int | None = None) -> None:
        self.error = error
        self.times = times
        self.refused = 0

    def __call__(self, descriptor: int) -> None:
        if self.error is not None and self.times != self.refused:
            self.refused += 1
            raise OSError(self.error, os.strerror(self.error))
        synchronize(descriptor)


class Waiting:
    """A store with a disk that refuses, and what it has told."""

    def __init__(self, folder: Path, disk: Disk, *, patience_s: float = 30.0) -> None:
        self.paths = paths_in(folder)
        self.disk = disk
        self.told: list[str] = []
        self.begun = asyncio.Event()
        self.store = JsonlStore(self.paths, ledger(300), disk, patience_s=patience_s, tell=self.tell)

    def use(self, work: Awaitable[Any]) -> None:
        async def main() -> None:
            try:
                async with asyncio.timeout(20):
                    await work
            finally:
                await self.store.close()

        asyncio.run(main())

    def tell(self, text: str) -> None:
        self.told.append(text)
        self.begun.set()

    def keys(self, path: Path) -> list[str]:
        return [entry["palestra"]["key"] for entry in stored(path)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_refusal_is_told_once_and_outlived_with_every_line_there_once(tmp_path: Path, number: int) -> None:
    waiting = Waiting(tmp_path, Disk(number, times=2))

    async def work() -> None:
        for task in range(5):
            waiting.store.add_input(line(task), job(task))
        await asyncio.gather(
            *(waiting.store.add_rollout(line(task)) for task in range(4)), waiting.store.add_failure(line(4))
        )

    waiting.use(work())
    assert sorted(waiting.keys(waiting.paths.rollouts)) == ["0/0", "1/0", "2/0", "3/0"]
    assert waiting.keys(waiting.paths.failures) == ["4/0"]
    assert sorted(waiting.keys(waiting.paths.inputs)) == ["0/0", "1/0", "2/0", "3/0", "4/0"]
    assert waiting.store.stored == 4
    begun, ended = waiting.told
    assert f"r_materialized_inputs.jsonl cannot be written: {os.strerror(number)}" in begun
    assert "GB free" in begun
    assert "up to 30 s (--disk-patience-s)" in begun
    assert "r_materialized_inputs.jsonl can be written again" in ended


def test_files_of_a_batch_that_are_safe_already_are_not_written_again(tmp_path: Path) -> None:
    disk = Disk()
    waiting = Waiting(tmp_path, disk)

    async def work() -> None:
        waiting.store.rollouts.synchronize = Disk(errno.EIO, times=2)
        waiting.store.add_input(line(), job())
        await asyncio.gather(waiting.store.add_rollout(line()), waiting.store.add_failure(line(1)))

    waiting.use(work())
    for path in (waiting.paths.rollouts, waiting.paths.failures, waiting.paths.inputs):
        assert len(stored(path)) == 1
    assert "r.jsonl cannot be written" in waiting.told[0]


def test_while_the_disk_refuses_nothing_new_is_started_and_memory_stays_that_of_the_rollouts_at_work(
    tmp_path: Path,
) -> None:
    disk = Disk(errno.ENOSPC)
    waiting = Waiting(tmp_path, disk)
    stage = Stage(Says(0.002))
    engine = Engine(stage, waiting.store, RunLimits(CONCURRENCY), stage.outcomes.append)

    async def work() -> None:
        running = asyncio.create_task(engine.run(stage.jobs(300)))
        await waiting.begun.wait()
        await asyncio.sleep(0.05)
        started = len(stage.episodes)
        assert started < 300
        await asyncio.sleep(0.3)
        assert len(stage.episodes) == started
        assert stage.outcomes == []
        disk.error = None
        await running

    waiting.use(work())
    assert len(stage.outcomes) == len(stored(waiting.paths.rollouts)) == 300
    assert len(set(waiting.keys(waiting.paths.rollouts))) == 300
    assert len(waiting.told) == 2


def test_when_patience_is_over_everyone_hears_of_it(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path, Disk(errno.ENOSPC), patience_s=0.4)
    outcomes: list[BaseException | None] = []

    async def work() -> None:
        began = time.monotonic()
        adding = (waiting.store.add_rollout(line(task)) for task in range(10))
        outcomes.extend(await asyncio.gather(*adding, return_exceptions=True))
        assert 0.4 <= time.monotonic() - began < 5
        outcomes.extend(await asyncio.gather(waiting.store.ready(), return_exceptions=True))

    waiting.use(work())
    assert len(outcomes) == 11
    assert all(isinstance(error, PalestraError) and error.code == "output-unwritable" for error in outcomes)
    assert waiting.paths.rollouts.read_bytes() == b""
    assert waiting.store.stored == 0
    assert len(waiting.told) == 1


def test_a_run_ends_with_the_error_when_patience_is_over(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path, Disk(errno.EIO), patience_s=0.2)
    stage = Stage(Says(0.002))
    engine = Engine(stage, waiting.store, RunLimits(CONCURRENCY), stage.outcomes.append)
    with pytest.raises(PalestraError, match="cannot be written: Input/output error"):
        waiting.use(engine.run(stage.jobs(300)))
    assert len(stage.episodes) < 300


@pytest.mark.parametrize("number", [errno.EROFS, errno.EBADF, errno.EFBIG])
def test_what_waiting_cannot_mend_is_not_waited_for(tmp_path: Path, number: int) -> None:
    waiting = Waiting(tmp_path, Disk(number))

    async def work() -> None:
        with pytest.raises(PalestraError) as caught:
            await waiting.store.add_rollout(line())
        assert os.strerror(number) in str(caught.value)

    waiting.use(work())
    assert waiting.told == []


def test_a_stop_ends_the_waiting_within_its_grace_and_the_resume_owes_what_was_not_stored(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path, Disk(errno.ENOSPC), patience_s=3600)
    stage = Stage(Says(0.002))
    engine = Engine(stage, waiting.store, RunLimits(CONCURRENCY, grace_s=0.2), stage.outcomes.append)
    began = time.monotonic()

    async def work() -> None:
        running = asyncio.create_task(engine.run(stage.jobs(300)))
        await waiting.begun.wait()
        engine.stop("asked to")
        await running

    waiting.use(work())
    assert time.monotonic() - began < 5
    assert (stage.outcomes, waiting.store.stored) == ([], 0)
    assert waiting.paths.rollouts.read_bytes() == b""
    assert all(episode.closed for episode in stage.episodes)


def test_what_a_failed_write_has_left_never_stands_before_another_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.jsonl"
    disk = Disk()
    file = AppendFile(path, disk)
    file.append(b"first\n")
    disk.error = errno.EIO
    truncate = os.ftruncate

    def broken(descriptor: int, length: int) -> None:
        raise OSError(errno.EIO, "truncate")

    monkeypatch.setattr(os, "ftruncate", broken)
    for _ in range(2):
        with pytest.raises(OSError, match=r"\[Errno 5\].*f\.jsonl"):
            file.append(b"lost\n")
        assert path.read_bytes() == b"first\nlost\n"
    disk.error = None
    with pytest.raises(OSError, match="truncate"):
        file.append(b"second\n")
    monkeypatch.setattr(os, "ftruncate", truncate)
    file.append(b"second\n")
    file.append(b"third\n")
    file.close()
    assert path.read_bytes() == b"first\nsecond\nthird\n"


def test_lines_that_somebody_else_appended_are_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    file = AppendFile(path)
    file.append(b"first\n")
    with path.open("ab") as other:
        other.write(b"theirs\n")
    file.append(b"second\n")
    file.close()
    assert path.read_bytes() == b"first\ntheirs\nsecond\n"


def test_closing_a_store_waits_for_no_disk(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path, Disk(errno.ENOSPC), patience_s=3600)

    async def work() -> None:
        waiting.store.add_input(line(), job())

    waiting.use(work())
    assert waiting.told == []
    assert waiting.paths.inputs.read_bytes() == b""


def test_a_message_that_breaks_the_waiting_ends_the_run_instead_of_stranding_it(tmp_path: Path) -> None:
    def tell(text: str) -> None:
        raise OSError(errno.ENOSPC, "there is no room for messages either")

    store = JsonlStore(paths_in(tmp_path), ledger(), Disk(errno.ENOSPC), patience_s=30, tell=tell)

    async def work() -> None:
        async with asyncio.timeout(10):
            with pytest.raises(PalestraError, match="no room for messages"):
                await store.add_rollout(line())
            with pytest.raises(PalestraError):
                await store.settled()
        await store.close()

    asyncio.run(work())
