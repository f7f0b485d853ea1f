"""One `palestra collect` in this process, and what it cost until its last rollout was safe on disk, and after that."""

import argparse
import json
import os
import resource
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from spent import cpu_s

import palestra.collection.collect as collecting
from palestra.cli.collect import add_arguments, read_config
from palestra.cli.event_loop import run_busy
from palestra.rollout.record import Outcome
from palestra.store.jsonl import JsonlStore

ENVIRONMENTS = {"single": "times_seven", "tool": "look_up"}


class Marks:
    """When the last rollout was acknowledged, and what had been spent by then."""

    def __init__(self, rollouts: int) -> None:
        self.awaited = rollouts
        self.judged = 0
        self.reward = 0.0
        self.wall_s = self.cpu_s = 0.0

    def observe(self, outcome: Outcome) -> None:
        self.judged += outcome.verdict is not None
        self.reward += outcome.verdict.reward if outcome.verdict else 0.0
        self.awaited -= 1
        if self.awaited == 0:
            self.wall_s, self.cpu_s = time.monotonic(), cpu_s()


def run(asked: argparse.Namespace) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    environment = Path(__file__).parent / "environments" / ENVIRONMENTS[asked.case]
    words = [str(environment), "--model", "openai:mock", "--api", "chat", "--base-url", asked.url]
    words += ["--input", str(rows_file(asked.output, asked.rollouts)), "--concurrency", str(asked.in_flight)]
    words += ["--output", str(asked.output)]
    marks = Marks(asked.rollouts)
    began, cpu_began = time.monotonic(), cpu_s()
    run_busy(collecting.collect(read_config(parser.parse_args(words)), observe=marks.observe))
    return {
        "wall_s": marks.wall_s - began,
        "cpu_s": marks.cpu_s - cpu_began,
        "metrics_cpu_s": cpu_s() - marks.cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
        "judged": marks.judged,
        "mean_reward": marks.reward / max(marks.judged, 1),
    }


def rows_file(output: Path, rollouts: int) -> Path:
    rows = output.with_name("rows.jsonl")
    rows.write_text("".join(f'{{"number": {number}}}\n' for number in range(rollouts)))
    return rows


class Forgetful(JsonlStore):
    """The store without its synchronisations, to see what they cost."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, synchronize=lambda descriptor: None, **more)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--case", choices=sorted(ENVIRONMENTS), required=True)
    parser.add_argument("--rollouts", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--without-synchronisation", action="store_true")
    asked = parser.parse_args()
    if asked.without_synchronisation:
        collecting.JsonlStore = Forgetful
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        told = run(asked)
    print(json.dumps(told))
