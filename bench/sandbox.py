"""What a run in the sandbox costs, beside a bare interpreter that starts and does nothing.

CPU time is that of all processes, ours and the sandboxes'; of several rounds the one with the least counts, as whatever
else a machine does only ever adds. `python3 -I -S -c pass` is measured in the same rounds.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import measurements

from palestra.core.sandbox import Input, Program
from palestra.sandbox.local import LocalSandbox
from palestra.sandbox.open import open_sandbox

TRIVIAL = Program("print(int(input()) ** 2)")
STDIN_PROBLEM = Program(
    "import sys\nfrom collections import Counter\n"
    "n, *rest = map(int, sys.stdin.read().split())\n"
    "print(*sorted(Counter(rest[:n]).items(), key=lambda pair: (-pair[1], pair[0]))[0])\n"
)
TESTS = tuple(Input(f"200\n{' '.join(str(i * k % 37) for i in range(200))}\n") for k in range(1, 21))
CORES = os.cpu_count() or 1
TICKS = os.sysconf("SC_CLK_TCK")


def tree() -> list[int]:
    """This process and all below it."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := fields_of(int(name))):
            parents.setdefault(int(fields[1]), []).append(int(name))
    found = [os.getpid()]
    for pid in found:
        found += parents.get(pid, [])
    return found


def fields_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_s(pids: list[int]) -> float:
    """CPU seconds of these processes and of the children they waited for."""
    return sum(sum(map(int, fields_of(pid)[11:15])) for pid in pids) / TICKS


def bare(times: int) -> dict[str, float]:
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    began, before = time.perf_counter(), cpu_s([os.getpid()])
    for start in range(0, times, CORES):
        started = [subprocess.Popen([python, "-I", "-S", "-c", "pass"]) for _ in range(min(CORES, times - start))]
        for process in started:
            process.wait()
    return {"wall_s": time.perf_counter() - began, "cpu_s": cpu_s([os.getpid()]) - before}


async def trivial(sandbox: LocalSandbox, latencies: list[float]) -> int:
    began = time.perf_counter()
    run = await sandbox.run(TRIVIAL, Input("5"))
    latencies.append(time.perf_counter() - began)
    assert run.ok, run
    return 1


async def problem(sandbox: LocalSandbox, latencies: list[float]) -> int:
    began = time.perf_counter()
    done = 0
    async for run in sandbox.runs(STDIN_PROBLEM, TESTS):
        assert run.ok, run
        done += 1
    latencies.append((time.perf_counter() - began) / done)
    return done


Work = Callable[[LocalSandbox, list[float]], Awaitable[int]]


async def measured(sandbox: LocalSandbox, work: Work, times: int, in_flight: int) -> dict[str, float]:
    latencies: list[float] = []
    left = iter(range(times))
    done = 0

    async def client() -> None:
        nonlocal done
        for _ in left:
            # Added after the wait: `done += await ...` would read it before, and lose what others did meanwhile.
            runs = await work(sandbox, latencies)
            done += runs

    pids = tree()
    began, before = time.perf_counter(), cpu_s(pids)
    await asyncio.gather(*(client() for _ in range(in_flight)))
    spent = {"wall_s": time.perf_counter() - began, "cpu_s": cpu_s(pids) - before}
    latencies.sort()
    return {**spent, "runs": done, "p99_ms": 1e3 * latencies[int(0.99 * (len(latencies) - 1))]}


async def rows(rounds: int, times: int) -> list[dict[str, Any]]:
    sandbox = await open_sandbox()
    found: list[dict[str, Any]] = []
    try:
        await asyncio.gather(*(sandbox.run(TRIVIAL, Input("1")) for _ in range(4 * CORES)))
        for name, work, flights in (("trivial", trivial, (CORES, 200)), ("20 tests on stdin", problem, (CORES,))):
            count = times if work is trivial else max(CORES, times // len(TESTS))
            for in_flight in flights:
                done = [(await measured(sandbox, work, count, in_flight), bare(times)) for _ in range(rounds)]
                found.append({"case": name, "in_flight": in_flight, "backend": sandbox.backend, **summary(done, times)})
                print(found[-1], flush=True)
    finally:
        await sandbox.close()
    return found


def summary(done: list[tuple[dict[str, float], dict[str, float]]], bare_runs: int) -> dict[str, Any]:
    ours = min(run["cpu_s"] / run["runs"] for run, _ in done)
    rate = max(run["runs"] / run["wall_s"] for run, _ in done)
    bare_rate = max(bare_runs / each["wall_s"] for _, each in done)
    return {
        "runs": int(sum(run["runs"] for run, _ in done)),
        "cpu_ms_per_run": round(1e3 * ours, 2),
        "bare_cpu_ms_per_run": round(1e3 * min(each["cpu_s"] for _, each in done) / bare_runs, 2),
        "runs_per_s_per_core": round(rate / CORES, 1),
        "bare_runs_per_s_per_core": round(bare_rate / CORES, 1),
        "rate_ratio_to_bare": round(max(r["runs"] / r["wall_s"] / (bare_runs / b["wall_s"]) for r, b in done), 2),
        "p99_ms": round(min(run["p99_ms"] for run, _ in done), 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def footprint() -> dict[str, int]:
    """Of this process and all below: how many there are, open descriptors, resident KiB, folders left on the disk."""
    pids = tree()
    return {
        "processes": len(pids),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "resident_kb": sum(int(fields[21]) * 4 for pid in pids if (fields := fields_of(pid))),
        "temporary_folders": len(list(Path(tempfile.gettempdir()).glob("palestra-run-*"))),
    }


async def endurance(times: int) -> dict[str, Any]:
    """What many runs leave behind, while the sandbox is open."""
    sandbox = await open_sandbox()
    try:
        await measured(sandbox, trivial, 20 * CORES, CORES)
        before = footprint()
        spent = await measured(sandbox, trivial, times, CORES)
        after = footprint()
    finally:
        await sandbox.close()
    grown = {f"{name}_more": after[name] - count for name, count in before.items()}
    return {"case": "endurance", "in_flight": CORES, "runs": int(spent["runs"]), **grown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=400, help="trivial runs a round")
    parser.add_argument("--endurance", type=int, default=10_000, help="runs of the endurance case; 0 for none")
    parser.add_argument("--output", type=Path, default=measurements.ROOT / "bench" / "results")
    options = parser.parse_args()
    found = asyncio.run(rows(options.rounds, options.runs))
    if options.endurance:
        found.append(asyncio.run(endurance(options.endurance)))
        print(found[-1], flush=True)
    measurements.write("sandbox", found, options.output)


if __name__ == "__main__":
    main()
