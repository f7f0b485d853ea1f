"""What Palestra adds to a rollout: CPU and rate beside a bare aiohttp client that sends the same requests.

Of each pair of runs, one after the other, the least CPU counts: whatever else a machine does only ever adds.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measurements
from contest import mock_model, play

ZERO_LATENCY = (("single", 64), ("single", 256), ("tool", 64), ("tool", 256))
ONE_SECOND = (("single", 1024),)
ROLLOUTS = 16_000
WAVES = 6


def measured(address: str, case: str, in_flight: int, delay_ms: int, rollouts: int, repeats: int) -> dict[str, Any]:
    runs: dict[str, list[Any]] = {"bare": [], "palestra": []}
    for _ in range(repeats):
        for client, done in runs.items():
            done.append(play(client, address, case=case, rollouts=rollouts, in_flight=in_flight, delay_ms=delay_ms))
    least = {client: min(run["cpu_s"] for run in done) / rollouts for client, done in runs.items()}
    rate = {client: max(rollouts / run["wall_s"] for run in done) for client, done in runs.items()}
    metrics = min(run["metrics_cpu_s"] for run in runs["palestra"]) / rollouts
    row = {
        "case": case,
        "in_flight": in_flight,
        "latency_ms": delay_ms,
        "rollouts": rollouts,
        "cpu_ms_per_rollout": round(1e3 * least["palestra"], 4),
        "bare_cpu_ms_per_rollout": round(1e3 * least["bare"], 4),
        "cpu_ratio_to_bare": round(least["palestra"] / least["bare"], 2),
        "metrics_cpu_ms_per_rollout": round(1e3 * metrics, 4),
        "rollouts_per_s": round(rate["palestra"], 1),
        "bare_rollouts_per_s": round(rate["bare"], 1),
        "rate_ratio_to_bare": round(rate["palestra"] / rate["bare"], 3),
    }
    print(row, flush=True)
    return row


def measure(repeats: int, rollouts: int) -> Iterator[dict[str, Any]]:
    with mock_model() as address:
        for case, in_flight in ZERO_LATENCY:
            yield measured(address, case, in_flight, 0, rollouts, repeats)
        for case, in_flight in ONE_SECOND:
            yield measured(address, case, in_flight, 1000, WAVES * in_flight, min(repeats, 2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=4, help="pairs of runs")
    parser.add_argument("--rollouts", type=int, default=ROLLOUTS)
    parser.add_argument("--results", type=Path, default=measurements.ROOT / "bench" / "results")
    asked = parser.parse_args()
    measurements.write("overhead", list(measure(asked.repeats, asked.rollouts)), asked.results)
