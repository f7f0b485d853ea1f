"""The whole corpus of attacks against the boundary in force, and the machine afterwards."""

import asyncio
import os
from pathlib import Path

import pytest

from palestra.cli.sandbox import strongest
from palestra.conformance.boundary.check import check_corpus
from palestra.conformance.boundary.corpus import read_corpus
from palestra.core.sandbox import Input, Program
from palestra.sandbox.open import open_sandbox

CONTROLS = (
    "write_outside", "symlink_escape", "read_canary_file", "delete_canary", "kill_parent", "net_connect", "net_udp",
    "net_abstract_unix", "list_processes", "eq_true_object", "float_bypass", "setsid_child_sigterm_ignored",
)  # fmt: skip
"""What nothing stops where there is no boundary."""


def traces() -> dict[str, set[str]]:
    """What a case could leave on this machine. Others work on it too, so only what bears our names counts."""
    return {
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "shared memory": {path.name for path in Path("/dev/shm").iterdir() if "sbx" in path.name},
        "files": {path.name for path in Path("/tmp").iterdir() if path.name.startswith("palestra-boundary-")},
        "children": set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
    }


@pytest.mark.slow
def test_every_attack_is_stopped_and_nothing_is_left(shared: Path) -> None:
    before = traces()
    report = check_corpus(read_corpus(shared / "data" / "corpus" / "code_attacks.jsonl"), strongest())
    assert report.failed == {}
    assert report.n == report.stopped >= 68
    assert traces() == before


@pytest.mark.slow
def test_without_a_boundary_the_controls_are_not_stopped(shared: Path) -> None:
    cases = [case for case in read_corpus(shared / "data" / "corpus" / "code_attacks.jsonl") if case.id in CONTROLS]
    assert len(cases) == len(CONTROLS)
    assert set(check_corpus(cases, "none").failed) == set(CONTROLS)


@pytest.mark.slow
def test_a_sandbox_that_is_closed_leaves_no_process() -> None:
    before = traces()

    async def use() -> None:
        sandbox = await open_sandbox("strong")
        run = await sandbox.run(Program("print(int(input()) ** 2)"), Input("5"))
        assert run.output == "25\n"
        await sandbox.close()

    asyncio.run(use())
    assert traces()["children"] == before["children"]
