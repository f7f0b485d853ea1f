"""Rollouts of mini_swe_agent from the command line: with the real harness, judged again, and stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("minisweagent.agents.default", reason="mini-swe-agent is not installed")

from palestra.cli.main import main
from palestra.environments.mini_swe_agent.prompts import SUBMIT
from palestra.grading.repositories import instances
from tests.collection.workspace import lines_of

INSTANCES = [list(instances())[number] for number in (0, 31)]


def command(words: str) -> str:
    return f"THOUGHT: so\n\n```bash\n{words}\n```"


def write_inputs(folder: Path, *, replies: list[str] | None = None) -> list[str]:
    """Rows and a script that mends each; the words that collect them."""
    rows = [{"id": number, **instance.as_row()} for number, instance in enumerate(INSTANCES)]
    scripts = [
        {"task": str(number), "replies": replies or repair(instance.patch)} for number, instance in enumerate(INSTANCES)
    ]
    for name, lines in (("rows", rows), ("script", scripts)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["collect", "mini_swe_agent", "--input", str(folder / "rows.jsonl")]
    return [*words, "--model", f"scripted:{folder / 'script.jsonl'}"]


def repair(patch: str) -> list[str]:
    return ["Let me see.", command("ls"), command(f"git apply <<'E'\n{patch}E"), command(SUBMIT)]


def without_identity(line: dict[str, Any]) -> dict[str, Any]:
    """What a rollout is, apart from times and from which run it is of."""
    own = line["palestra"]
    kept = {name: own[name] for name in ("calls", "end_reason", "task") if name in own}
    return {**{name: line[name] for name in ("reward", "metadata", "instance_id")}, **kept, "said": said(line)}


def said(line: dict[str, Any]) -> list[Any]:
    return [item["content"] for item in [*line["responses_create_params"]["input"], *line["response"]["output"]]]


@pytest.mark.slow
def test_the_harness_and_the_tool_loop_make_the_same_rollouts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = write_inputs(tmp_path)
    found: dict[str, list[dict[str, Any]]] = {}
    for agent in ("mini_swe_agent", "tool_loop"):
        output = tmp_path / f"{agent}.jsonl"
        own = [] if agent == "mini_swe_agent" else ["--agent", agent]
        assert main([*words, "--output", str(output), "--max-failure-rate", "0", *own]) == 0
        found[agent] = sorted(lines_of(output), key=lambda line: line["_ng_task_index"])
    capsys.readouterr()
    ours, theirs = ([without_identity(line) for line in lines] for lines in found.values())
    assert ours == theirs
    for line in found["mini_swe_agent"]:
        assert line["reward"] == 1.0
        assert [call["items"] for call in line["palestra"]["calls"]] == [[0, 1], [2, 3], [4, 5], [6, 7]]
        assert len(line["response"]["output"]) == 8
    assert main(["verify", str(tmp_path / "mini_swe_agent.jsonl"), "--env", "mini_swe_agent", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["agree"], report["disagree"], report["failed"]) == (2, [], [])


def processes_with(mark: str) -> list[int]:
    """Processes whose environment or command line holds a text."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                told = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in told:
                found.append(int(folder.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc")
def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    mark = f"987654.{os.getpid()}"
    words = write_inputs(tmp_path, replies=[command(f"sleep {mark}; echo never")])
    line = [sys.executable, "-m", "palestra", *words, "--output", str(tmp_path / "rollouts.jsonl")]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(processes_with(f"sleep\0{mark}")) < len(INSTANCES):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, (out, err)
    assert "Traceback" not in err
    deadline = time.monotonic() + 10
    while processes_with(mark):
        assert time.monotonic() < deadline, processes_with(mark)
        time.sleep(0.05)
