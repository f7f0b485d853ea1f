"""A disk that is full, or fails to synchronise, in the midst of a run: it waits, goes on, and has lost nothing."""

import errno
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from palestra.store.repair import is_ended
from tests.collection.runs import MOODY, Runs, until
from tests.collection.workspace import Workspace, keys_of, words

SHIM = Path(__file__).parent / "disk_faults.c"
FIELDS = (
    "write_errno", "sync_errno", "truncate_errno", "room_bytes", "clock_jump_s",
    "failed_writes", "failed_syncs", "failed_truncates",
)  # fmt: skip
EVENTS = 20
"""Of each kind."""


class Faults:
    """The switchboard of disk_faults.c."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "faults"
        self.path.write_bytes(bytes(4 * len(FIELDS)))
        with self.path.open("rb+") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, field: str) -> int:
        return int(struct.unpack_from("i", self.memory, 4 * FIELDS.index(field))[0])

    def __setitem__(self, field: str, value: int) -> None:
        struct.pack_into("i", self.memory, 4 * FIELDS.index(field), value)

    def environment(self, library: Path) -> dict[str, str]:
        """What a process needs in its environment for its output to be below this switchboard."""
        paths = {"LD_PRELOAD": library, "DISK_FAULTS_CONTROL": self.path, "DISK_FAULTS_FOLDER": self.folder / "out"}
        return {name: str(path) for name, path in paths.items()}

    def end(self) -> None:
        for field in ("write_errno", "sync_errno", "truncate_errno"):
            self[field] = 0


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C compiler: the disk's faults are made by a library loaded before libc")
    library = tmp_path / "disk_faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True, timeout=60)
    return library


@pytest.mark.slow
def test_twenty_full_disks_and_twenty_failing_synchronisations_lose_nothing_and_repeat_nothing(
    tmp_path: Path, shim: Path
) -> None:
    random = Random(0)
    faults = Faults(tmp_path)
    kinds = random.sample(["write_errno", "sync_errno"] * EVENTS, 2 * EVENTS)
    killed = torn = 0
    with Runs(tmp_path, tasks=1000, repeats=4, environment=faults.environment(shim)) as runs:
        for number, kind in enumerate(kinds):
            if runs.child is None:
                runs.start(concurrency=4)
            refuse(runs, faults, kind, random)
            if number % 3 == 0:
                killed += runs.kill() == -signal.SIGKILL
                torn += any(not is_ended(path) for path in runs.place.paths.rollouts.parent.glob("*.jsonl"))
                faults.end()
            else:
                seen = runs.remarks().count("can be written again")
                faults.end()
                until(lambda seen=seen: runs.remarks().count("can be written again") == seen + 1, "the run goes on")
        if runs.child is not None:
            runs.kill()
        events = runs.remarks().count("cannot be written: ")
        again = runs.remarks().count("can be written again")
        runs.finish()
        failed = tuple(faults[f"failed_{what}"] for what in ("writes", "syncs", "truncates"))
        print(f"{events} events, {again} outlived, {killed} killed while they waited, {torn} of them torn; ", end="")
        print(f"{failed} writes, syncs, truncates failed; {runs.check()}")
    assert (events, again) == (2 * EVENTS, 2 * EVENTS - killed)
    assert min(failed[:2]) >= EVENTS
    assert killed > 0
    assert torn > 0
    assert failed[2] > 0


def refuse(runs: Runs, faults: Faults, kind: str, random: Random) -> None:
    """Let the disk fail from a random moment of the run's work on, until the run says that it waits."""
    before = runs.acknowledged_path.stat().st_size if runs.acknowledged_path.exists() else 0
    until(
        lambda: runs.acknowledged_path.exists() and runs.acknowledged_path.stat().st_size > before, "a rollout is done"
    )
    time.sleep(random.random() * 0.01)
    seen = runs.remarks().count("cannot be written: ")
    faults["clock_jump_s"] = random.choice((-3600, 0, 3600))
    faults["room_bytes"] = random.choice((0, 1, 100, 3000, 100_000))
    # What a failed write has left cannot always be taken back at once.
    faults["truncate_errno"] = random.choice((0, errno.EIO, errno.EIO))
    faults[kind] = errno.EIO if kind == "sync_errno" else random.choice((errno.ENOSPC, errno.EDQUOT, errno.EIO))
    until(lambda: runs.remarks().count("cannot be written: ") == seen + 1, "the run says that it waits")
    quiet = runs.acknowledged_path.stat().st_size
    # Sometimes longer than the first tries take.
    time.sleep(random.choice((0.02, 0.02, 0.02, 0.4)))
    assert runs.acknowledged_path.stat().st_size == quiet, "nothing is acknowledged that the disk has refused"


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patience_s", "number", "code", "text"),
    [("3600", signal.SIGTERM, 143, "stopped by SIGTERM"), ("0.5", None, 1, "[output-unwritable]")],
)
def test_a_run_that_waits_for_its_disk_can_be_stopped_and_does_not_wait_for_ever(
    tmp_path: Path, shim: Path, patience_s: str, number: signal.Signals | None, code: int, text: str
) -> None:
    faults, place = Faults(tmp_path), Workspace(tmp_path)
    place.rows(words(400))
    folder = place.environment("moody", MOODY)
    options = ["--input", tmp_path / "rows.jsonl", "--model", f"scripted:{tmp_path / 'script.jsonl'}"]
    options += ["--output", place.paths.rollouts, "--disk-patience-s", patience_s]
    command = [sys.executable, "-m", "palestra", "collect", folder, *options, "--concurrency", "4"]
    environment = {**os.environ, **faults.environment(shim)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        until(lambda: size_of(place.paths.rollouts) > 0, "a rollout is written")
        known = size_of(place.paths.inputs)
        # Inputs come first in a batch: when they grow again, the rollouts of the one before are synchronised.
        until(lambda: size_of(place.paths.inputs) > known, "it is safe")
        faults["sync_errno"] = errno.ENOSPC
        assert process.stderr is not None
        said = ""
        while "cannot be written: No space left on device" not in said:
            said = process.stderr.readline()
            assert said, "the run ended without saying why"
        began = time.monotonic()
        if number is not None:
            process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == code
    assert text in out + err
    assert "Traceback" not in err
    stored = len(keys_of(place.paths.rollouts))
    assert 0 < stored < 384
    report = place.collect(environments=(str(folder),), resume=True, max_failure_rate=1.0)
    assert (report.judged, report.stored) == (384 - stored, 384)
    assert place.remarks == []
