"""Workspaces in containers: the command lines, and their whole life with a program that takes docker's commands."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.sandbox import Limits
from palestra.sandbox import containers as module
from palestra.sandbox.command import run_command
from palestra.sandbox.container_commands import (
    OWN_PROCESSES,
    ApptainerLike,
    Container,
    DockerLike,
    Runtime,
    known_runtimes,
)
from palestra.sandbox.containers import Containers, ContainerWorkspace, inside
from tests.sandbox.container_program import container_program

IMAGE = "toy:1"
ROOMY = Limits(processes=16)
SCRATCH = Container("palestra-1", IMAGE, "/work", "/overlay")
IN_IMAGE = Container("palestra-2", IMAGE, "/testbed", "/overlay")

Use = Callable[[ContainerWorkspace], Awaitable[Any]]


def used(folder: Path, use: Use, files: dict[str, bytes] | None = None, within: str | None = None) -> Any:
    """What `use` makes of a workspace over the program."""
    program = container_program(folder, IMAGE)

    async def opened() -> Any:
        async with Containers([DockerLike(str(program))]).workspace(files or {}, image=IMAGE, folder=within) as space:
            return await use(space)

    return asyncio.run(asyncio.wait_for(opened(), 60))


def commands(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("palestra-*")]


def is_running(marker: str) -> bool:
    found = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    return any(marker.encode() in line for line in found)


@pytest.mark.parametrize("container", [SCRATCH, IN_IMAGE], ids=lambda container: container.folder)
def test_containers_start_without_network_rights_and_more_than_their_share(container: Container) -> None:
    command = DockerLike("podman").start(container, memory_mb=256, processes=5)
    text = " ".join(command)
    assert command[:2] == ["podman", "run"]
    for part in (
        "--network none", "--cap-drop ALL", "--security-opt no-new-privileges", "--pull never",
        "--memory 256m --memory-swap 256m", f"--pids-limit {5 + OWN_PROCESSES}", f"--workdir {container.folder}",
    ):  # fmt: skip
        assert part in text
    # What is in the image's own folder has to be written; everything else of a container can be read-only.
    assert ("--read-only" in command) == (container is SCRATCH)
    assert command.index("--entrypoint") < command.index(IMAGE) < command.index("-c")
    assert not {"--privileged", "--volume", "-v", "--mount", "--cap-add", "--device"} & set(command)


@pytest.mark.parametrize("program", ["apptainer", "singularity"])
def test_apptainer_contains_each_command(program: str) -> None:
    runtime = ApptainerLike(program)
    command = runtime.execute(IN_IMAGE, ["true", "x y"], {"A": "1 2"})
    text = " ".join(command)
    for part in ("--containall", "--no-home", "--no-privs", "--drop-caps all", "--net --network none",
                 "--overlay /overlay", "--pwd /testbed", "--env A=1 2"):  # fmt: skip
        assert part in text
    assert command[-3:] == [IMAGE, "true", "x y"]
    assert "docker://toy:1" in runtime.fetching(IMAGE)
    steps = runtime.start(IN_IMAGE, memory_mb=1, processes=1), runtime.kill_runs(IN_IMAGE), runtime.remove(IN_IMAGE)
    assert steps == (None, None, None)


def test_known_runtimes_are_tried_in_order() -> None:
    assert [runtime.program for runtime in known_runtimes()] == ["docker", "podman", "apptainer", "singularity"]


def test_a_workspace_holds_files_runs_commands_and_is_gone(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        assert space.folder == "/work"
        run = await space.run("cat a/b.txt; pwd; exit 3", limits=ROOMY)
        assert (run.status, run.exit_code) == ("ok", 3)
        assert run.output.startswith("hello")
        assert run.output.rstrip().endswith("/work")
        run = await space.run(["sh", "-c", 'cat; echo "$1 $GREETING" >&2', "sh", "$HOME"], stdin="in",
                              variables={"GREETING": "hi you"}, limits=ROOMY)  # fmt: skip
        assert (run.output, run.errors) == ("in", "$HOME hi you\n")
        await space.write("new/file.bin", bytes(range(256)))
        assert await space.read("new/file.bin") == bytes(range(256))
        assert await space.read("a/b.txt") == b"hello\n"
        with pytest.raises(FileNotFoundError):
            await space.read("absent")
        assert len(left_over(tmp_path)) == 1

    used(tmp_path, use, {"a/b.txt": b"hello\n", "go.sh": b"#!/bin/sh\necho gone\n"})
    assert left_over(tmp_path) == []
    assert commands(tmp_path)[-1][0] == "rm"


def test_scripts_can_be_run(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> str:
        return (await space.run(["./go.sh"], limits=ROOMY)).output

    assert used(tmp_path, use, {"go.sh": b"#!/bin/sh\necho went\n"}) == "went\n"


def test_a_command_that_never_ends_is_killed_inside_the_container(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        began = time.monotonic()
        run = await space.run("echo before; sleep 47.3", limits=ROOMY.model_copy(update={"wall_s": 1.0}))
        assert (run.status, run.exit_code, run.output) == ("wall_limit", None, "before\n")
        assert run.notes == ("killed after 1 s",)
        assert time.monotonic() - began < 20
        assert not is_running("sleep\x0047.3")
        assert (await space.run("echo again", limits=ROOMY)).output == "again\n"

    used(tmp_path, use)


def test_nothing_outlives_a_run(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        run = await space.run("sleep 48.4 & echo done", limits=ROOMY)
        assert (run.status, run.output) == ("ok", "done\n")
        assert not is_running("sleep\x0048.4")

    used(tmp_path, use)


@pytest.mark.parametrize(
    ("command", "limits", "status", "exit_code"),
    [
        ("while :; do :; done", {"cpu_s": 1}, "cpu_limit", 152),
        ("kill -9 $$", {}, "died", 137),
        ("ulimit -n", {"open_files": 33}, "ok", 0),
        ("head -c 3000000 /dev/zero > big", {"file_size_mb": 1}, "ok", 153),
    ],
)
def test_limits_of_a_run(tmp_path: Path, command: str, limits: dict[str, Any], status: str, exit_code: int) -> None:
    async def use(space: ContainerWorkspace) -> None:
        run = await space.run(command, limits=Limits(processes=16, **limits))
        assert (run.status, run.exit_code) == (status, exit_code)
        assert run.output in ("", "33\n")

    used(tmp_path, use)


def test_ceilings_follow_the_limits_and_are_set_once(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        for _ in range(2):
            await space.run("true", limits=Limits(memory_mb=100, processes=3))

    used(tmp_path, use)
    updates = [command for command in commands(tmp_path) if command[0] == "update"]
    assert [command[1:-1] for command in updates] == [
        ["--memory", "100m", "--memory-swap", "100m", "--pids-limit", str(3 + OWN_PROCESSES)]
    ]


def test_output_is_cut_and_noted(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        run = await space.run("head -c 5000000 /dev/zero | tr '\\0' x", limits=Limits(processes=9, output_bytes=1000))
        assert (run.output, run.truncated) == ("x" * 1000, True)
        assert run.notes == ("standard output cut after 1000 bytes",)

    used(tmp_path, use)


def test_a_missing_image_is_named_with_what_to_do(tmp_path: Path) -> None:
    program = container_program(tmp_path, "another")

    async def opened() -> None:
        async with Containers([DockerLike(str(program))]).workspace({}, image=IMAGE):
            pass

    with pytest.raises(PalestraError) as error:
        asyncio.run(opened())
    assert error.value.code == "image-unavailable"
    assert f"has no image '{IMAGE}': No such image" in str(error.value)
    assert f"pull {IMAGE}" in error.value.fix


@pytest.mark.parametrize("trouble", ["is_down", "hangs_at_info", "is_absent"])
def test_a_missing_runtime_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    monkeypatch.setattr(module, "PROBE_S", 2.0)
    program = container_program(tmp_path)
    (tmp_path / trouble).touch()
    runtime: Runtime = DockerLike(str(program) if trouble != "is_absent" else "palestra-no-such-program")

    async def opened() -> None:
        async with Containers([runtime]).workspace({}, image=IMAGE):
            pass

    with pytest.raises(PalestraError) as error:
        asyncio.run(opened())
    words = {"is_down": "no daemon", "hangs_at_info": "no answer", "is_absent": "is not installed"}
    assert error.value.code == "image-unavailable"
    assert words[trouble] in error.value.message
    assert repr(IMAGE) in error.value.message


def test_a_container_that_does_not_start_is_a_failure_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_S", 1.0)
    container_program(tmp_path)
    (tmp_path / "hangs_at_run").touch()

    async def use(space: ContainerWorkspace) -> None:
        raise AssertionError("it did not start")

    with pytest.raises(Failure, match="could not start the container of 'toy:1': no answer within 1 s") as failure:
        used(tmp_path, use)
    assert (failure.value.boundary, failure.value.code) == ("sandbox", "sandbox-error")
    assert commands(tmp_path)[-1][0] == "rm"


def test_a_container_that_ends_is_a_failure(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        shutil.rmtree(tmp_path / left_over(tmp_path)[0])
        with pytest.raises(Failure, match="ended during a run"):
            await space.run("true")
        (tmp_path / "palestra-gone").mkdir()
        raise KeyError("what the episode raised")

    # That it cannot be removed either does not hide what broke first.
    with pytest.raises(KeyError, match="what the episode raised"):
        used(tmp_path, use)


def test_what_an_episode_raises_does_not_leave_its_container(tmp_path: Path) -> None:
    async def use(space: ContainerWorkspace) -> None:
        raise KeyError("broken")

    with pytest.raises(KeyError):
        used(tmp_path, use)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", ""])
def test_paths_stay_inside(path: str) -> None:
    with pytest.raises(ValueError, match="not a path inside"):
        inside(path)


def test_short_paths_are_kept() -> None:
    assert inside("-rf") == "./-rf"
    assert inside("a//b/./c") == "./a/b/c"


def test_a_process_that_holds_the_pipes_does_not_hold_the_caller() -> None:
    code = "import os, time\nprint('parent', flush=True)\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(8)\n"
    began = time.monotonic()
    ended = asyncio.run(run_command([sys.executable, "-ISc", code], deadline_s=30))
    assert (ended.exit_code, ended.output) == (0, b"parent\n")
    assert time.monotonic() - began < 7
