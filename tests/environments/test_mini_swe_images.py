"""mini_swe_agent in images: the same repository as if an image held it, judged with the row's own tests."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from palestra import Failure
from palestra.core.sandbox import DEFAULT_LIMITS, Limits, Run, Sandbox, Workspace
from palestra.environments.mini_swe_agent.episode import TESTBED, Repository
from palestra.environments.mini_swe_agent.images import evaluate_in_image
from palestra.grading.diffs import new_file_patch
from palestra.grading.repositories import instances
from palestra.grading.repository_runs import Evaluation, make_git, repository_files
from palestra.grading.resolution import Resolution
from palestra.hosts.lent_sandbox import LentSandbox

pytestmark = pytest.mark.slow

INSTANCE = next(iter(instances()))
LIMITS = Limits(cpu_s=60, wall_s=120, memory_mb=1024, processes=16, open_files=256)
PATHS = {"PATH": f"{Path(sys.prefix).resolve()}/bin{os.pathsep}/usr/bin:/bin"}


@dataclass
class InImage:
    """A workspace as a container gives it: the Python of its login shell has pytest and the repository."""

    workspace: Workspace

    @property
    def folder(self) -> str:
        return self.workspace.folder

    async def run(
        self, command: str | Sequence[str], *, limits: Limits = DEFAULT_LIMITS, stdin: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Run:  # fmt: skip
        words = [command] if isinstance(command, str) else list(command)
        if words[:2] == ["bash", "-lc"]:
            words[1] = "-c"
        return await self.workspace.run(words, limits=limits, stdin=stdin, variables={**(variables or {}), **PATHS})

    async def write(self, path: str, content: bytes) -> None:
        await self.workspace.write(path, content)

    async def read(self, path: str) -> bytes:
        return await self.workspace.read(path)


class Images:
    """A sandbox with an image of one instance."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.asked: list[tuple[str | None, str | None]] = []

    @asynccontextmanager
    async def workspace(
        self, files: Mapping[str, bytes], *, image: str | None = None, folder: str | None = None
    ) -> AsyncGenerator[Workspace]:
        self.asked.append((image, folder))
        async with self.sandbox.workspace({**repository_files(INSTANCE), **files}) as workspace:
            await make_git(workspace)
            yield InImage(workspace)


def judged(patch: str, **changed: Any) -> Evaluation:
    async def main() -> Evaluation:
        lent = LentSandbox()
        images: Any = Images(lent)
        given: dict[str, Any] = {
            "test_patch": INSTANCE.test_patch, "tests": (INSTANCE.fail_to_pass, INSTANCE.pass_to_pass),
            "limits": LIMITS, **changed,
        }  # fmt: skip
        try:
            evaluation = await evaluate_in_image(images, "some/image", patch, **given)
            assert set(images.asked) <= {("some/image", TESTBED)}
            return evaluation
        finally:
            await lent.close()

    return asyncio.run(main())


def new_file(path: str, *lines: str) -> str:
    return new_file_patch(path, "".join(f"{line}\n" for line in lines))


def test_the_repair_is_resolved() -> None:
    evaluation = judged(INSTANCE.patch)
    assert (evaluation.status, evaluation.resolution) == ("done", Resolution.FULL), evaluation
    assert evaluation.as_report(INSTANCE)["resolved"] is True


def test_tests_that_the_repair_does_not_pass_are_told() -> None:
    evaluation = judged(INSTANCE.patch, tests=(("tests/test_parser.py::test_no_such",), INSTANCE.pass_to_pass))
    assert evaluation.resolution is Resolution.NO
    assert evaluation.as_report(row_like(("tests/test_parser.py::test_no_such",)))["tests_status"]["FAIL_TO_PASS"] == {
        "success": [],
        "failure": ["tests/test_parser.py::test_no_such"],
    }


def row_like(fail_to_pass: tuple[str, ...]) -> Any:
    @dataclass
    class Row:
        fail_to_pass: tuple[str, ...]
        pass_to_pass: tuple[str, ...] = ()

    return Row(fail_to_pass)


MAKES_ALL_PASS = (
    "import pytest",
    "@pytest.hookimpl(hookwrapper=True)",
    "def pytest_runtest_makereport(item, call):",
    "    outcome = yield",
    '    outcome.get_result().outcome = "passed"',
)


@pytest.mark.parametrize(
    "patch",
    [
        "",
        "nonsense",
        new_file("NOTES.txt", "x"),
        new_file("conftest.py", *MAKES_ALL_PASS),
        new_file("tests/conftest.py", *MAKES_ALL_PASS),
        new_file("pytest.ini", "[pytest]", "addopts = --collect-only"),
        new_file(f"{INSTANCE.repository}/extra.py", "import os", "os._exit(0)"),
    ],
    ids=["empty", "nonsense", "notes", "conftest", "tests_conftest", "ini", "extra"],
)
def test_what_is_no_repair_is_not_resolved(patch: str) -> None:
    assert judged(patch).resolution is not Resolution.FULL


def test_a_patch_that_changes_the_tests_too_leaves_them_alone() -> None:
    assert judged(INSTANCE.patch + INSTANCE.test_patch).resolution is Resolution.FULL
    assert judged(INSTANCE.test_patch).resolution is not Resolution.FULL


def test_a_test_patch_that_does_not_apply_is_the_rows_fault() -> None:
    with pytest.raises(Failure, match="test patch") as caught:
        judged(INSTANCE.patch, test_patch="diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    assert caught.value.code == "task-invalid"


def test_tests_that_do_not_end_are_not_passed() -> None:
    evaluation = judged(
        INSTANCE.patch + new_file(f"{INSTANCE.repository}/late.py", "x = 1"),
        test_patch=INSTANCE.test_patch + new_file("tests/test_late.py", "import time", "time.sleep(60)"),
        tests=(("tests/test_late.py::test_x",), ()),
        limits=LIMITS.model_copy(update={"wall_s": 3.0}),
    )
    assert (evaluation.status, evaluation.resolution) == ("timeout", Resolution.NO)


def test_commands_run_in_a_login_shell_of_the_image() -> None:
    async def main() -> Run:
        lent = LentSandbox()
        images: Any = Images(lent)
        repository = Repository(images, None, "some/image", LIMITS)
        try:
            run = await repository.run("git status --short && ls")
            assert images.asked == [("some/image", TESTBED)]
            return run
        finally:
            await repository.close()
            await lent.close()

    assert INSTANCE.repository in asyncio.run(main()).output
