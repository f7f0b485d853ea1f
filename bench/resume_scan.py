"""How long a run takes to read back what it has stored, and how much memory; and what its ledger takes.

`seconds` are wall clock, `cpu_s` what the process used itself.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measurements

from palestra.agents.tool_loop import Trajectory
from palestra.core.model import ModelCall, Usage
from palestra.core.transcript import Transcript, assistant_message, user_message
from palestra.core.verdict import Verdict
from palestra.rollout.plan import Job, task_identity
from palestra.rollout.record import Progress, judged, materialized
from palestra.store.fsck import fsck
from palestra.store.ledger import RolloutLedger
from palestra.store.paths import RunPaths
from palestra.store.resume import resume
from palestra.wire.encoding import encode_with_checksum

SIZES = (1_000, 100_000)
REPEATS = 4
LEDGER_TASKS = 1_000_000
WORDS = ("the", "answer", "is", "therefore", "we", "add", 'so "x"', "both", "sides", "2\n", "é", "7,", "equation")


def text(generator: random.Random, words: int) -> str:
    return " ".join(generator.choices(WORDS, k=words))


def rollouts(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Lines of 2 to 6 kB as a run writes them, each with the line of its input."""
    generator = random.Random(0)
    for number in range(count):
        task = number // REPEATS
        question = text(random.Random(task), 60)
        row = {"question": question, "expected_answer": str(task), "id": task}
        job = Job(row, "word_problems", f"{task:032x}", task, number % REPEATS, 0, number)
        asked = user_message(question)
        said = assistant_message(text(generator, generator.randint(100, 900)))
        calls = (ModelCall(0, 1, 90, 400, "stop"),)
        trajectory = Trajectory(Transcript((asked,), (said,)), "done", "m", Usage(90, 400), None, calls, 1.5, 0.0)
        progress = Progress(params={"input": [asked], "tools": [], "temperature": 1.0}, trajectory=trajectory)
        progress.verdict = Verdict(1.0, metrics={"extracted": str(task)})
        line = judged(job, progress, "0123456789abcdef").line
        yield encode_with_checksum(line) + b"\n", encode_with_checksum(materialized(job, progress)) + b"\n"


def write_run(paths: RunPaths, count: int) -> None:
    with paths.rollouts.open("wb") as stored, paths.inputs.open("wb") as inputs:
        for line, given in rollouts(count):
            stored.write(line)
            inputs.write(given)


def measured(case: str, rows: int, work: Callable[[], Any], **known: Any) -> dict[str, Any]:
    began, used = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - used
    # Linux counts kB, macOS bytes.
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {
        "case": case,
        "rows": rows,
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "rss_mb": round(rss_mb, 1),
        **known,
    }


def scans() -> Iterator[dict[str, Any]]:
    """Each scan reads rollouts and materialized inputs, `rows` lines of each."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            paths = RunPaths(Path(folder) / "rollouts.jsonl")
            write_run(paths, size)
            file_mb = {"file_mb": round((paths.rollouts.stat().st_size + paths.inputs.stat().st_size) / 1e6, 1)}
            yield measured("resume", size, lambda paths=paths: resume(paths, RolloutLedger(REPEATS, 3)), **file_mb)
            yield measured("fsck", size, lambda paths=paths: fsck(paths.rollouts), **file_mb)


def ledger() -> Iterator[dict[str, Any]]:
    made = RolloutLedger(REPEATS, 3)

    def claim() -> None:
        for task in range(LEDGER_TASKS):
            made.claim(task_identity("word_problems", f"{task:032x}"), REPEATS)

    row = measured("ledger", LEDGER_TASKS, claim)
    held = (made.table.slots, made.known, made.states, made.occurrences)
    yield {**row, "bytes_per_task": round(sum(map(sys.getsizeof, held)) / LEDGER_TASKS, 1)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=measurements.ROOT / "bench" / "results")
    asked = parser.parse_args()
    rows = [*scans(), *ledger()]
    for row in rows:
        print(row)
    measurements.write("resume-scan", rows, asked.results)
