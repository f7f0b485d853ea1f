"""kill -9 at any moment, and signals that ask for a clean end: nothing acknowledged is lost, nothing is there twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from palestra.store.repair import is_ended
from tests.collection.runs import Runs
from tests.collection.workspace import ECHO, Workspace, keys_of, lines_of, words

SLOW = ECHO.replace("from palestra", "import asyncio\n\nfrom palestra", 1).replace(
    "    def verify(self, transcript: Transcript) -> float:\n",
    "    async def verify(self, transcript: Transcript) -> float:\n        await asyncio.sleep({seconds})\n",
)

TASKS, REPEATS, KILLS = 2000, 4, 100


@pytest.mark.slow
def test_a_run_killed_a_hundred_times_loses_nothing_repeats_nothing_and_ends_as_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    random = Random(0)
    killed = torn = 0
    with Runs(tmp_path, tasks=TASKS, repeats=REPEATS) as runs:
        for _ in range(KILLS):
            runs.start(concurrency=4)
            # Anywhere: while the files are read back, before the first rollout, between any two.
            time.sleep(random.random() * 0.25)
            killed += runs.kill() == -signal.SIGKILL
            torn += any(not is_ended(path) for path in runs.place.paths.rollouts.parent.glob("*.jsonl"))
        assert killed == KILLS
        assert len(runs.acknowledged()) > KILLS
        runs.finish()
        print(f"{killed} kills, {torn} torn tails, {runs.check()}")


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Workspace, "subprocess.Popen[str]"]]:
    """A command that plays slow episodes, after its first rollouts are stored."""
    place = Workspace(tmp_path)
    place.rows(words(400))
    seconds = getattr(request, "param", 0.05)
    folder = place.environment("slow", SLOW.replace("{seconds}", f"{seconds} if self.task.number >= 4 else 0"))
    command = [sys.executable, "-m", "palestra", "collect", str(folder), "--output", str(place.paths.rollouts)]
    command += ["--input", str(tmp_path / "rows.jsonl"), "--model", f"scripted:{tmp_path / 'script.jsonl'}"]
    command += ["--concurrency", "8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (place.paths.rollouts.exists() and place.paths.rollouts.read_bytes().count(b"\n") >= 4):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        yield place, process
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_summary_and_files_that_resume(
    running: tuple[Workspace, "subprocess.Popen[str]"], number: signal.Signals
) -> None:
    place, process = running
    process.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in out
    assert "rollouts judged" in out
    assert "Traceback" not in err
    stored = len(keys_of(place.paths.rollouts))
    assert 4 <= stored < 400
    assert json.loads(place.paths.metrics.read_bytes())
    assert f"{stored} stored" in out
    slow = str(place.folder / "slow")
    report = place.collect(environments=(slow,), resume=True, concurrency=400)
    assert (report.judged, report.stored) == (400 - stored, 400)
    assert lines_of(place.paths.failures) == []


@pytest.mark.slow
@pytest.mark.parametrize("running", [3600], indirect=True)
def test_a_run_of_hanging_episodes_ends_within_ten_seconds_of_a_signal(
    running: tuple[Workspace, "subprocess.Popen[str]"],
) -> None:
    place, process = running
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == 143
    assert "Traceback" not in err
    assert "4 rollouts judged, 0 failed" in out
    assert len(keys_of(place.paths.rollouts)) == 4
    # Dispatched beside the four that were judged: at least the four workers that were not judging.
    assert 8 <= len(keys_of(place.paths.inputs)) <= 12


@pytest.mark.slow
@pytest.mark.parametrize("running", [3600], indirect=True)
def test_a_second_signal_does_not_wait_for_anything(running: tuple[Workspace, "subprocess.Popen[str]"]) -> None:
    _, process = running
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
