"""A line is acknowledged after it is on disk, whatever happens around it."""

import asyncio
import errno
import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.rollout.plan import Job, task_identity
from palestra.store.jsonl import JsonlStore, synchronize
from palestra.store.ledger import INPUT_WRITTEN, RolloutLedger
from palestra.store.paths import RunPaths
from palestra.store.resume import resume
from palestra.wire.encoding import checksum_holds


def job(task: int = 0, rollout: int = 0) -> Job:
    return Job({"n": task}, "e", f"h{task}", task, rollout, 0, 1)


def line(task: int = 0, rollout: int = 0, **fields: Any) -> dict[str, Any]:
    own = {"key": f"{task}/{rollout}", "environment": "e", "task_hash": f"h{task}"}
    return {"reward": 1.0, "_ng_task_index": task, "_ng_rollout_index": rollout, **fields, "palestra": own}


def paths_in(folder: Path) -> RunPaths:
    return RunPaths(folder / "r.jsonl")


def stored(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_bytes().splitlines()]


def ledger(tasks: int = 50) -> RolloutLedger:
    """A ledger in which so many tasks were claimed."""
    made = RolloutLedger(1, 3)
    for task in range(tasks):
        made.claim(task_identity("e", f"h{task}"), 1)
    return made


def open_files() -> int:
    # Garbage of earlier tests may hold files, and go at any moment.
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def use(store: JsonlStore, work: Any) -> None:
    """Run a coroutine with the store and close it."""

    async def main() -> None:
        try:
            await work
        finally:
            await store.close()

    asyncio.run(main())


class Counting:
    """Synchronises, and counts; the first `refuse` calls fail as a broken disk does."""

    def __init__(self, refuse: int = 0) -> None:
        self.calls = 0
        self.refuse = refuse

    def __call__(self, descriptor: int) -> None:
        self.calls += 1
        if self.calls <= self.refuse:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synchronize(descriptor)


def test_an_acknowledged_line_is_in_the_file_whole_and_with_its_input(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    store = JsonlStore(paths, ledger())

    async def one(task: int) -> None:
        store.add_input(line(task), job(task))
        await (store.add_failure if task % 3 == 0 else store.add_rollout)(line(task))
        path = paths.failures if task % 3 == 0 else paths.rollouts
        assert f"{task}/0" in [found["palestra"]["key"] for found in stored(path)]
        assert f"{task}/0" in [found["palestra"]["key"] for found in stored(paths.inputs)]

    async def work() -> None:
        await asyncio.gather(*(one(task) for task in range(40)))

    use(store, work())
    assert len(stored(paths.rollouts)) + len(stored(paths.failures)) == 40
    assert all(checksum_holds(text) for text in paths.rollouts.read_bytes().splitlines())


def test_lines_that_wait_together_share_a_synchronisation(tmp_path: Path) -> None:
    counting = Counting()
    store = JsonlStore(paths_in(tmp_path), ledger(), counting)

    async def work() -> None:
        await asyncio.gather(*(store.add_rollout(line(task)) for task in range(1000)))

    use(store, work())
    assert counting.calls <= 5
    assert len(stored(paths_in(tmp_path).rollouts)) == store.stored == 1000


def test_a_second_writer_is_refused_and_leaves_no_file_open(tmp_path: Path) -> None:
    store = JsonlStore(paths_in(tmp_path), ledger())
    before = open_files()
    with pytest.raises(PalestraError, match="written by another process"):
        JsonlStore(paths_in(tmp_path), ledger())
    assert open_files() == before
    use(store, asyncio.sleep(0))
    use(JsonlStore(paths_in(tmp_path), ledger()), asyncio.sleep(0))
    assert open_files() == before - 3


@pytest.mark.parametrize("place", ["file/r.jsonl", "blocked.jsonl", "x" * 300 + ".jsonl"])
def test_an_output_that_cannot_be_written_is_told_and_leaves_no_file_open(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "blocked_failures.jsonl").mkdir()
    before = open_files()
    with pytest.raises(PalestraError, match="cannot be written"):
        JsonlStore(RunPaths(tmp_path / place), ledger())
    assert open_files() == before


def test_an_error_of_the_disk_reaches_everyone_and_nothing_is_written_after_it(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    paths.rollouts.write_bytes(b"")
    store = JsonlStore(paths, ledger(), Counting(refuse=1))
    outcomes: list[BaseException | None] = []

    async def work() -> None:
        outcomes.extend(await asyncio.gather(*(store.add_rollout(line(n)) for n in range(20)), return_exceptions=True))
        outcomes.extend(await asyncio.gather(store.add_rollout(line(21)), return_exceptions=True))

    use(store, work())
    assert len(outcomes) == 21
    assert all(isinstance(outcome, PalestraError) and "Input/output error" in str(outcome) for outcome in outcomes)
    assert paths.rollouts.read_bytes() == b""
    assert store.stored == 0


def test_a_full_device_is_told_and_the_files_are_closed(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    paths.failures.symlink_to("/dev/full")
    before = open_files()
    store = JsonlStore(paths, ledger())

    async def work() -> None:
        with pytest.raises(PalestraError, match="No space left on device"):
            await asyncio.wait_for(store.add_failure(line()), 10)

    use(store, work())
    assert open_files() == before


def test_a_broken_synchroniser_does_not_leave_anyone_waiting(tmp_path: Path) -> None:
    def broken(descriptor: int) -> None:
        raise LookupError("a bug")

    store = JsonlStore(paths_in(tmp_path), ledger(), broken)

    async def work() -> None:
        with pytest.raises(LookupError):
            await asyncio.wait_for(store.add_rollout(line()), 10)

    use(store, work())


FILLING = """
import asyncio, resource, signal, sys
from pathlib import Path
from palestra.core.errors import PalestraError
from palestra.store.jsonl import JsonlStore
from palestra.store.ledger import RolloutLedger
from palestra.store.paths import RunPaths
from palestra.store.resume import resume
sys.path.insert(0, sys.argv[2])
from test_jsonl import line

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

async def main():
    paths, ledger = RunPaths(Path(sys.argv[1])), RolloutLedger(1, 3)
    store = JsonlStore(paths, ledger)
    resume(paths, ledger)
    acknowledged = []
    async def one(task):
        await store.add_rollout(line(task, text="x" * 300))
        acknowledged.append(task)
    try:
        for first in range(100, 300, 10):
            await asyncio.gather(*(one(task) for task in range(first, first + 10)))
    except PalestraError as error:
        print(error, file=sys.stderr)
    await store.close()
    print(*acknowledged)

asyncio.run(main())
"""


def test_a_file_that_may_not_grow_keeps_whole_lines_also_after_a_torn_tail_was_healed(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    # A long torn tail: what the file's size was when it was opened says nothing of what it is after healing.
    paths.rollouts.write_bytes(json.dumps(line(0)).encode() + b"\n" + b'{"torn' * 3000)
    command = [sys.executable, "-c", FILLING, str(paths.rollouts), str(Path(__file__).parent)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "cannot be written: File too large" in found.stderr
    content = paths.rollouts.read_bytes()
    assert content.endswith(b"\n")
    assert len(content) <= 20_000
    kept = {entry["_ng_task_index"] for entry in stored(paths.rollouts)}
    acknowledged = {int(number) for number in found.stdout.split()}
    assert len(acknowledged) > 10
    assert acknowledged <= kept
    assert paths.quarantine.read_bytes() == b'{"torn' * 3000 + b"\n"


def test_inputs_of_what_was_abandoned_are_written_when_the_store_is_closed(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    store = JsonlStore(paths, ledger())
    store.add_input(line(), job())
    use(store, asyncio.sleep(0))
    assert len(stored(paths.inputs)) == 1
    known = RolloutLedger(1, 3)
    resume(paths, known)
    assert known.state(0, 0) == INPUT_WRITTEN
    again = JsonlStore(paths, known)
    again.add_input(line(), job())
    use(again, asyncio.sleep(0))
    assert len(stored(paths.inputs)) == 1


def test_a_line_whose_writer_was_cancelled_is_stored_once_and_known_to_the_resume(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    store = JsonlStore(paths, ledger())

    async def work() -> None:
        waiting = [store.add_rollout(line(task)) for task in range(10)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    use(store, work())
    known = RolloutLedger(1, 3)
    resumed = resume(paths, known)
    assert resumed.rollouts == store.stored == len(stored(paths.rollouts)) == 10
    for task in range(10):
        assert known.claim(task_identity("e", f"h{task}"), 1) == (task, [])


def test_what_is_no_json_is_a_failure_of_the_environment_and_a_failure_can_always_be_written(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    store = JsonlStore(paths, ledger())
    nested: Any = []
    for _ in range(5000):
        nested = [nested]

    async def work() -> None:
        for value in ({1, 2}, nested, float("nan") * 1j):
            with pytest.raises(Failure) as caught:
                await store.add_rollout(line(metric=value))
            assert (caught.value.boundary, caught.value.code) == ("environment", "environment-error")
            with pytest.raises(Failure):
                store.add_input(line(metric=value), job())
            await store.add_failure(line(metric=value))

    use(store, work())
    assert [entry["palestra"]["key"] for entry in stored(paths.failures)] == ["0/0"] * 3
    assert paths.rollouts.read_bytes() == b""


def test_the_disk_has_a_thread_of_its_own(tmp_path: Path) -> None:
    store = JsonlStore(paths_in(tmp_path), ledger())

    async def work() -> None:

        held = threading.Event()
        busy = [asyncio.create_task(asyncio.to_thread(held.wait, 20)) for _ in range(64)]
        try:
            await asyncio.wait_for(store.add_rollout(line()), 10)
        finally:
            held.set()
            await asyncio.gather(*busy)

    use(store, work())
