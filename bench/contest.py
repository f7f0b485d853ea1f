"""Runs of a client against the mock model, each in its own process: the client on one core, the mock on another."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent
TIMEOUT_S = 300.0


def pinned(core: int) -> Any:
    """For `preexec_fn`: keep the child to one core, where there are several and the system can."""

    def pin() -> None:
        if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(0, {core})

    return pin


@contextmanager
def mock_model() -> Iterator[str]:
    """The address of a mock model that lives as long as the block."""
    server = subprocess.Popen(
        [sys.executable, HERE / "mock_model.py"], stdout=subprocess.PIPE, text=True, preexec_fn=pinned(1)
    )
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait(10)


def play(
    client: str, address: str, *, case: str, rollouts: int, in_flight: int, delay_ms: int = 0, **flags: bool
) -> Any:
    """Run `bare` or `palestra` once; what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--url", f"{address}/delay/{delay_ms}/v1", "--case", case, "--rollouts", str(rollouts)]
        words += ["--in-flight", str(in_flight), "--output", f"{folder}/rollouts.jsonl"]
        words += [f"--{flag.replace('_', '-')}" for flag, is_set in flags.items() if is_set]
        command = [sys.executable, HERE / f"{client}_client.py", *words]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=True, preexec_fn=pinned(0)
        )
    told = json.loads(done.stdout)
    # A client that lost or misjudged a rollout has not done the work.
    assert told["judged"] == rollouts, told
    assert abs(told["mean_reward"] - 0.75) < 1e-9, told
    return told


def counters(address: str) -> dict[str, Any]:
    with urlopen(f"{address}/counters", timeout=10) as answer:
        return json.load(answer)


def forget(address: str) -> None:
    with urlopen(f"{address}/forget", timeout=10):
        return
