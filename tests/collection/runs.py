"""Runs of one collect, each in a process of its own that may be killed at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from palestra.collection.config import CollectConfig
from tests.collection.workspace import Workspace, comparable, keys_of, lines_of, words

RUNNER = '''"""For each line it reads, runs a collect in a fork of itself: what the imports cost is paid once.

A key is noted as acknowledged at once, and what is noted survives the process.
"""

import asyncio
import os
import sys
import traceback

from palestra.collection.collect import collect
from palestra.collection.config import CollectConfig

acknowledged = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
remarks = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def observe(outcome):
    kind = b"judged " if outcome.failure is None else b"failed "
    os.write(acknowledged, kind + outcome.job.key.encode() + b"\\n")


def show(text):
    os.write(remarks, text.replace("\\n", " ").encode() + b"\\n")


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(collect(CollectConfig.model_validate_json(line), observe=observe, show=show))
        except BaseException:
            show(traceback.format_exc())
            os._exit(70)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
'''

# Slow enough that a killed run has not done everything, and some tasks fail in every attempt.
MOODY = """
import asyncio

from palestra import Environment, Task, Transcript


class MoodyTask(Task):
    text: str
    number: int


class Moody(Environment[MoodyTask]):
    def prompt(self) -> str:
        return f"Say {self.task.text}."

    async def verify(self, transcript: Transcript) -> float:
        await asyncio.sleep(0.004)
        if self.task.number % 25 == 7:
            raise ValueError("never")
        return float(transcript.reply == self.task.text)
"""

ATTEMPTS = 3
BIG = 200
"""Every so many tasks one has a text of 100 kB: writing its line takes long enough to be interrupted."""
PATIENCE_S = 30.0


class Runs:
    """A workspace, a process that runs its collect again and again, and what these runs have acknowledged."""

    def __init__(self, folder: Path, *, tasks: int, repeats: int, environment: Mapping[str, str] | None = None) -> None:
        self.place = Workspace(folder)
        self.place.rows(
            {**row, "text": "é\ud800" + "long " * 20_000} if row["number"] % BIG == 3 else row for row in words(tasks)
        )
        source = self.place.environment("moody", MOODY)
        self.settled: dict[str, Any] = {
            "environments": (str(source),),
            "repeats": repeats,
            "attempts": ATTEMPTS,
            "max_failure_rate": 1.0,
        }
        runner = folder / "runner.py"
        runner.write_text(RUNNER)
        self.acknowledged_path, self.remarks_path = folder / "acknowledged", folder / "remarks"
        self.acknowledged_path.touch()
        self.remarks_path.touch()
        words_of_command = [sys.executable, str(runner), str(self.acknowledged_path), str(self.remarks_path)]
        pipe = subprocess.PIPE
        self.runner = subprocess.Popen(
            words_of_command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **(environment or {})}
        )
        self.child: int | None = None

    def __enter__(self) -> "Runs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child is not None:
            self.kill()
        assert self.runner.stdin is not None
        self.runner.stdin.close()
        self.runner.wait(10)
        assert self.runner.stdout is not None
        self.runner.stdout.close()

    def config(self, **changes: Any) -> CollectConfig:
        return self.place.config(**{**self.settled, "resume": True, **changes})

    def start(self, **changes: Any) -> None:
        assert self.child is None
        assert self.runner.stdin is not None
        self.runner.stdin.write(self.config(**changes).model_dump_json() + "\n")
        self.runner.stdin.flush()
        self.child = self.answer()

    def answer(self) -> int:
        assert self.runner.stdout is not None
        return int(self.runner.stdout.readline())

    def kill(self) -> int:
        """End the run; its exit code."""
        assert self.child is not None
        os.kill(self.child, signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        self.child = None
        return self.answer()

    def acknowledged(self, kind: str = "judged") -> list[str]:
        pairs = (line.split() for line in self.acknowledged_path.read_text().splitlines())
        return [key for found, key in pairs if found == kind]

    def remarks(self) -> str:
        return self.remarks_path.read_text()

    def finish(self) -> None:
        """Run until nothing is owed."""
        for _ in range(2 + ATTEMPTS):
            before = self.acknowledged_path.stat().st_size
            self.start(concurrency=64)
            assert self.wait() == 0, self.remarks()[-3000:]
            if self.acknowledged_path.stat().st_size == before:
                return
        raise AssertionError("the run does not come to its end")

    def undisturbed(self) -> Path:
        """The output of a run that nothing happened to."""
        output = self.place.folder / "undisturbed" / "r.jsonl"
        self.place.collect(**self.settled, output=output)
        return output

    def check(self) -> str:
        """Nothing acknowledged is lost, nothing is there twice, and the files are those of an undisturbed run."""
        paths = self.place.paths
        acknowledged, stored = self.acknowledged(), keys_of(paths.rollouts)
        lost, twice = set(acknowledged) - set(stored), len(stored) - len(set(stored))
        assert len(acknowledged) == len(set(acknowledged))
        assert (lost, twice) == (set(), 0)
        reference = self.undisturbed()
        assert comparable(paths.rollouts) == comparable(reference)
        assert comparable(paths.inputs) == comparable(reference.with_name("r_materialized_inputs.jsonl"))
        tried = [(line["palestra"]["key"], line["palestra"]["failure"]["attempt"]) for line in lines_of(paths.failures)]
        failing = set(keys_of(reference.with_name("r_failures.jsonl")))
        assert sorted(tried) == sorted((key, attempt) for key in failing for attempt in range(1, ATTEMPTS + 1))
        assert not Counter(self.acknowledged("failed")) - Counter(key for key, _ in tried)
        return f"{len(acknowledged)} acknowledged, {len(lost)} lost, {twice} twice"


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited too long until {what}"
        time.sleep(0.002)
