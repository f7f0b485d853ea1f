"""Judging in a container image: the scripts of the row, one after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from palestra.core.errors import Failure
from palestra.core.sandbox import Limits, Run, Sandbox, Workspace
from palestra.grading.diffs import paths_in
from palestra.grading.repository_runs import LATE, NEVER_CARRIED
from palestra.grading.reproduction import Reproduction, reproduces
from palestra.grading.resolution import Resolution, resolution_of
from palestra.grading.test_logs import outcomes_in

from .outcome import Outcome, of_resolution
from .rows import Issue

CONFIGURATION = NEVER_CARRIED | {"pytest.ini", "tox.ini", "setup.cfg", ".coveragerc"}
FOLDER = ".palestra"
MEMORY_MB = 8192
PROCESSES = 1024
FILE_SIZE_MB = 4096
OPEN_FILES = 4096
LOG_BYTES = 16 << 20
CORES = 4
ENVIRONMENT = "source /opt/miniconda3/bin/activate && conda activate testbed"
"""Of SWE-bench's images; in others there is no such file and nothing to activate."""


@dataclass(slots=True)
class Clock:
    """What is left of the time for one judgement, in seconds."""

    timeout_s: float
    began: float

    def limits(self) -> Limits:
        left_s = max(1.0, self.timeout_s - (time.monotonic() - self.began))
        return Limits(
            cpu_s=CORES * left_s,
            wall_s=left_s,
            memory_mb=MEMORY_MB,
            processes=PROCESSES,
            file_size_mb=FILE_SIZE_MB,
            open_files=OPEN_FILES,
            output_bytes=LOG_BYTES,
        )


def untouchable(patch: str, issue: Issue) -> list[str]:
    """The files of a patch that decide how it is judged: those of the tests, and what pytest and Python load alone."""
    tests = paths_in(issue.test_patch)
    return sorted(path for path in paths_in(patch) if path in tests or path.rpartition("/")[2] in CONFIGURATION)


async def repaired_in_image(sandbox: Sandbox, image: str, issue: Issue, patch: str, timeout_s: float) -> Outcome:
    """Set up, apply the patch, run the tests, read their log. Raises Failure (`sandbox`) if the setup does not end."""
    touched = untouchable(patch, issue)
    if touched:
        return of_resolution(Resolution.NO, "error", f"the patch touches {', '.join(touched[:5])}")
    clock = Clock(timeout_s, time.monotonic())
    scripts = {"setup.sh": issue.setup_script.encode(), "test.sh": issue.test_script.encode()}
    async with sandbox.workspace({}, image=image, folder=issue.base_dir) as workspace:
        await prepare(workspace, {**scripts, "model.patch": patch.encode(errors="replace")}, clock)
        applied = await workspace.run(["git", "apply", "-v", f"{FOLDER}/model.patch"], limits=clock.limits())
        if not applied.ok or applied.exit_code:
            return of_resolution(Resolution.NO, "error", f"the patch cannot be applied: {applied.errors[-300:]}")
        run = await workspace.run(["bash", f"{FOLDER}/test.sh"], limits=clock.limits())
    if run.status in LATE:
        return of_resolution(Resolution.NO, "timeout", f"the tests ran into the limit: {run.status}")
    outcomes = outcomes_in(run.output + "\n" + run.errors, issue.repo)
    return of_resolution(resolution_of(outcomes, issue.FAIL_TO_PASS, issue.PASS_TO_PASS))


async def reproduced_in_image(
    sandbox: Sandbox, image: str, issue: Issue, reproduction: Reproduction, timeout_s: float
) -> Outcome:
    """Set up, run the script, apply the right repair, run the script again."""
    clock = Clock(timeout_s, time.monotonic())
    files = {"setup.sh": issue.setup_script.encode(), "gold.patch": issue.patch.encode()}
    # What is not there cannot be read: the repair is only written when the first run is over.
    script = reproduction.script.encode(errors="replace")
    async with sandbox.workspace({}, image=image, folder=issue.base_dir) as workspace:
        await prepare(workspace, {"setup.sh": files["setup.sh"]}, clock)
        await workspace.write(reproduction.path, script)
        before = await workspace.run(script_command(reproduction), limits=clock.limits())
        await workspace.write(f"{FOLDER}/gold.patch", files["gold.patch"])
        # The first run may have left anything, also in the script.
        await workspace.write(reproduction.path, script)
        applied = await workspace.run(["git", "apply", "-v", f"{FOLDER}/gold.patch"], limits=clock.limits())
        if not applied.ok or applied.exit_code:
            return Outcome(
                0.0, "error", before=[code_of(before)], reason="the repair cannot be applied after the script"
            )
        after = await workspace.run(script_command(reproduction), limits=clock.limits())
    codes = [code_of(before)], [code_of(after)]
    late = before.status in LATE or after.status in LATE
    return Outcome(float(reproduces(*codes)), "timeout" if late else "done", before=codes[0], after=codes[1])


async def prepare(workspace: Workspace, files: dict[str, bytes], clock: Clock) -> None:
    """Write the scripts and run the one that sets up. Raises Failure (`sandbox`) if it does not end."""
    for name, content in files.items():
        await workspace.write(f"{FOLDER}/{name}", content)
    run = await workspace.run(["bash", f"{FOLDER}/setup.sh"], limits=clock.limits())
    if not run.ok:
        raise Failure("sandbox", f"the setup script ended with {run.status} before anything was judged")


def script_command(reproduction: Reproduction) -> Sequence[str]:
    return ["bash", "-c", f'{ENVIRONMENT}; exec python "$0"', reproduction.path]


def code_of(run: Run) -> int | None:
    return run.exit_code if run.ok else None
