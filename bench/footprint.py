"""Memory at 1,000 and at 100,000 tasks, time from the command to the first reply, and what durability costs."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measurements
from contest import counters, forget, mock_model, pinned, play
from palestra_client import ENVIRONMENTS, rows_file

HERE = Path(__file__).parent
SIZES = (1_000, 100_000)
LEDGER_BYTES_PER_TASK = 64
STARTS = 5


def memory(address: str) -> Iterator[dict[str, Any]]:
    peaks = {size: play("palestra", address, case="single", rollouts=size, in_flight=64)["peak_mb"] for size in SIZES}
    for size, peak in peaks.items():
        yield {"case": "memory", "tasks": size, "peak_mb": round(peak, 1)}
    small, large = SIZES
    allowed = LEDGER_BYTES_PER_TASK * (large - small) / 1e6
    growth = peaks[large] - peaks[small]
    yield {"case": "memory_growth", "growth_mb": round(growth, 1), "beyond_ledger_mb": round(growth - allowed, 1)}


def first_rollout(address: str) -> dict[str, Any]:
    """Seconds from starting the command to the first reply of a running endpoint; the median of several starts."""
    seconds: list[float] = []
    for _ in range(STARTS):
        forget(address)
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "rollouts.jsonl"
            command = [
                Path(sys.executable).with_name("palestra"),
                "collect",
                HERE / "environments" / ENVIRONMENTS["single"],
            ]
            command += ["--model", "openai:mock", "--base-url", f"{address}/delay/0/v1", "--api", "chat"]
            command += ["--input", rows_file(output, 64), "--output", output]
            began = time.monotonic()
            subprocess.run(command, capture_output=True, check=True, timeout=60, preexec_fn=pinned(0))
        seconds.append(counters(address)["first_answer_at"] - began)
    return {"case": "first_rollout", "seconds": round(sorted(seconds)[STARTS // 2], 3)}


def durability(address: str, repeats: int) -> dict[str, Any]:
    """The rate with and without synchronisation, runs in turn; the best of each."""
    best = {False: 0.0, True: 0.0}
    for _ in range(repeats):
        for without in (False, True):
            told = play(
                "palestra", address, case="single", rollouts=16_000, in_flight=64, without_synchronisation=without
            )
            best[without] = max(best[without], told["judged"] / told["wall_s"])
    return {
        "case": "durability",
        "rollouts_per_s": round(best[False], 1),
        "rollouts_per_s_without": round(best[True], 1),
        "cost": round(1 - best[False] / best[True], 3),
    }


def measure(repeats: int) -> Iterator[dict[str, Any]]:
    with mock_model() as address:
        yield from memory(address)
        yield first_rollout(address)
        yield durability(address, repeats)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--results", type=Path, default=measurements.ROOT / "bench" / "results")
    asked = parser.parse_args()
    found = list(measure(asked.repeats))
    for row in found:
        print(row)
    measurements.write("footprint", found, asked.results)
