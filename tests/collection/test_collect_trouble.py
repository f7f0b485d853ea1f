"""What goes wrong around a collect is told, and takes nothing of what went well."""

import asyncio
import gc
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.collect import collect, raise_file_limit
from palestra.collection.config import ModelChoice
from palestra.collection.report import write_metrics
from palestra.collection.signals import Signals
from palestra.core.errors import PalestraError
from palestra.rollout.record import Outcome
from tests.collection.workspace import ECHO, Workspace, keys_of, lines_of, words


def open_files() -> int:
    """Without those of earlier tests' garbage, which may go at any moment."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.rows(words(6))
    return made


def test_bad_rows_cost_nothing_of_the_good_ones(place: Workspace) -> None:
    place.rows(["nothing", *words(20), "[]", {"text": 7}, {"no": "text"}, '{"text": "\\ud800"}'])
    report = place.collect(max_failure_rate=0.2)
    assert (report.stored, report.failures, report.exit_code) == (21, {"task-invalid": 4}, 0)
    assert all("reward" not in line for line in lines_of(place.paths.failures))


def test_an_input_of_only_bad_lines_fails_and_keeps_them(place: Workspace) -> None:
    place.rows(["nothing", "[]"])
    report = place.collect()
    assert (report.stored, report.failures, report.exit_code) == (0, {"task-invalid": 2}, 1)
    assert report.metrics == []
    assert not place.paths.metrics.exists()


def test_a_run_without_a_task_says_so_and_writes_nothing(place: Workspace) -> None:
    place.rows([])
    with pytest.raises(PalestraError, match=r"no task to play: .*rows\.jsonl has none"):
        place.collect()
    assert not place.paths.rollouts.parent.exists()


def test_a_pipe_without_a_task_does_not_succeed(place: Workspace) -> None:
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    for text, code in (("", 1), ('{"text": "bee"}\n' * 3, 0)):
        writer = threading.Thread(target=pipe.write_text, args=(text,))
        writer.start()
        assert place.collect(input=pipe).exit_code == code
        writer.join()
    assert len(lines_of(place.paths.rollouts)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "."}, "is a folder"),
        ({"output": "echo"}, "is a folder"),
        ({"output": "echo/env.py/r.jsonl"}, "echo/env.py)"),
        ({"output": "/dev/null"}, "is no regular file"),
        ({"output": "x" * 300}, "cannot be written: File name too long"),
        ({"output": "/proc/r.jsonl"}, "cannot be written"),
        ({"input": "missing.jsonl"}, "missing.jsonl cannot be read"),
        ({"input": "echo"}, "cannot be read: Is a directory"),
        ({"model": "nothing:at all"}, "no model backend is named 'nothing'"),
        ({"model": "scripted:missing"}, "the script missing cannot be read"),
        ({"agent": "tool_lop"}, "Did you mean 'tool_loop'?"),
        ({"options": {"ecko": {}}}, "Did you mean 'echo'?"),
    ],
)
def test_what_cannot_work_is_told_before_any_rollout(place: Workspace, changes: dict[str, Any], message: str) -> None:
    files = {name: place.folder / changes[name] for name in ("output", "input") if name in changes}
    model = {"model": ModelChoice(spec=changes["model"])} if "model" in changes else {}
    before = open_files()
    with pytest.raises(PalestraError) as caught:
        place.collect(**{**changes, **files, **model})
    assert message in str(caught.value)
    assert open_files() == before
    assert not place.paths.rollouts.exists() or place.paths.rollouts.stat().st_size == 0


def test_a_wrong_model_does_not_bind_the_run_that_never_began(place: Workspace) -> None:
    with pytest.raises(PalestraError):
        place.collect(model=ModelChoice(spec="scripted:missing"))
    assert place.collect().stored == 6


@pytest.mark.parametrize("suffix", ["", "_failures", "_materialized_inputs"])
def test_a_run_does_not_read_what_it_writes(place: Workspace, suffix: str) -> None:
    place.collect()
    own = place.paths.rollouts.with_name(f"rollouts{suffix}.jsonl")
    own.write_bytes(own.read_bytes() or b"{}\n")
    before = own.read_bytes()
    for resume in (False, True):
        with pytest.raises(PalestraError, match=r"is a file that this run writes|already holds a run"):
            place.collect(input=own, resume=resume)
    assert own.read_bytes() == before


def test_zero_rows_are_no_limit_that_can_be_set(place: Workspace) -> None:
    with pytest.raises(ValueError, match="limit"):
        place.config(limit=0)
    assert place.collect(limit=2).stored == 2


def test_a_verifier_that_returns_what_is_no_json_fails_its_rollouts_and_no_other(place: Workspace) -> None:
    code = (place.folder / "echo" / "env.py").read_text()
    code = code.replace("return float(", "odd = {1, 2} if self.task.number % 2 else 1\n        return Verdict(float(")
    code = code.replace("self.task.text)\n", 'self.task.text), metrics={"odd": odd})\n', 1)
    folder = place.environment("odd", code.replace("Task, Transcript", "Task, Transcript, Verdict"))
    report = place.collect(environments=(str(folder),), max_failure_rate=0.5)
    assert (report.stored, report.failures) == (3, {"verifier-error": 3})
    assert "JSON" in lines_of(place.paths.failures)[0]["palestra"]["failure"]["message"]


def test_a_shared_resource_that_cannot_be_given_back_takes_no_rollout(place: Workspace) -> None:
    code = (place.folder / "echo" / "env.py").read_text()
    code = "from contextlib import asynccontextmanager\n" + code + SHARED
    report = place.collect(environments=(str(place.environment("pool", code)),))
    assert (report.stored, report.exit_code) == (6, 0)
    assert place.remarks == ["pool could not be closed: RuntimeError: the pool is stuck"]


SHARED = """
    @classmethod
    @asynccontextmanager
    async def shared(cls, options):
        yield 1
        raise RuntimeError("the pool is stuck")
"""


def test_metrics_that_cannot_be_written_do_not_hide_the_report(place: Workspace) -> None:
    place.paths.metrics.mkdir(parents=True)
    report = place.collect()
    assert (report.stored, report.metrics, report.exit_code) == (6, [], 0)
    assert any("rollouts_aggregate_metrics.json cannot be written" in remark for remark in place.remarks)


def test_a_full_disk_ends_the_run_with_one_message_and_its_resume_finishes_it(place: Workspace) -> None:
    # Lines are written in batches of about a megabyte: one of them has to fit.
    place.rows(words(2000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    acknowledged: list[str] = []
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
        with pytest.raises(PalestraError, match=r"rollouts\.jsonl cannot be written: File too large"):
            place.collect(observe=lambda outcome: acknowledged.append(outcome.job.key), concurrency=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    kept = keys_of(place.paths.rollouts)
    assert acknowledged
    assert set(acknowledged) <= set(kept)
    report = place.collect(resume=True)
    assert (report.judged, report.stored) == (2000 - len(kept), 2000)
    assert place.remarks == []


UNHURRIED = """
    async def setup(self) -> None:
        import asyncio

        await asyncio.sleep(0.05)
"""


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_during_the_run_leaves_a_report_and_two_leave_out_the_metrics(place: Workspace, times: int) -> None:
    def observe(outcome: Outcome) -> None:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGTERM)
            # Python notices a signal between two steps of the program.
            time.sleep(0.01)

    place.environment("echo", ECHO + UNHURRIED)
    report = place.collect(observe=observe, concurrency=1)
    assert (report.exit_code, report.stop_reason) == (143, "stopped by SIGTERM")
    assert 1 <= report.stored < 6
    assert bool(report.metrics) == place.paths.metrics.exists()
    assert place.collect(resume=True).stored == 6


def test_metrics_for_which_there_is_no_time_are_left_out_with_a_remark(place: Workspace) -> None:
    place.collect()
    place.paths.metrics.unlink()
    problems: list[str] = []
    assert write_metrics(place.paths, problems, lambda: True) == []
    assert problems == [f"there was no time for the metrics; `palestra stats {place.paths.rollouts}` makes them"]
    assert not place.paths.metrics.exists()


def test_signals_that_came_before_there_was_a_run_stop_it_when_it_begins() -> None:
    reasons: list[str] = []

    async def main() -> Signals:
        with Signals() as signals:
            assert not signals.is_time_over()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            signals.tell(reasons.append)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.05)
        return signals

    signals = asyncio.run(main())
    assert reasons == ["stopped by SIGTERM", "stopped by SIGINT"]
    assert signals.number == signal.SIGTERM
    assert signals.is_time_over()


def test_collect_runs_in_a_thread_that_gets_no_signals(place: Workspace) -> None:
    async def main() -> int:
        report = await asyncio.to_thread(lambda: asyncio.run(collect(place.config())))
        return report.stored

    assert asyncio.run(main()) == 6


def test_a_collect_leaves_no_file_open(place: Workspace) -> None:
    place.collect()
    before = open_files()
    for _ in range(3):
        place.collect(fork=True)
    assert open_files() == before


@pytest.mark.slow
def test_a_low_soft_limit_of_open_files_is_raised_for_high_concurrency(place: Workspace) -> None:
    place.rows(words(30))
    options = "--input rows.jsonl --model scripted:script.jsonl --output r.jsonl --concurrency 4096 --json"
    command = f"ulimit -Sn 256 && exec {sys.executable} -m palestra collect ./echo {options}"
    found = subprocess.run(
        ["bash", "-c", command], cwd=place.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["stored"] == 30


def test_the_soft_limit_of_open_files_is_raised_as_far_as_allowed_and_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        raise_file_limit(4096)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(4096 * 4 + 256, before[1])
        raise_file_limit(1)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(4096 * 4 + 256, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_script_that_lacks_a_task_stops_the_run_with_a_reason(place: Workspace) -> None:
    place.script({"nobody": ["yes"]})
    report = place.collect()
    assert report.exit_code == 1
    assert report.stop_reason is not None
    assert "no script for task" in report.stop_reason
    assert report.stored == 0
