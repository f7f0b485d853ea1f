"""Judging a patch by the tests of a repository that is in a container image."""

import json
import secrets
from collections.abc import Sequence

from palestra.core.errors import Failure
from palestra.core.sandbox import Limits, Sandbox, Workspace
from palestra.environments.mini_swe_agent.episode import TESTBED
from palestra.grading.diffs import paths_in
from palestra.grading.repository_runs import LATE, REPORT, Evaluation, refused, signed, with_line_end
from palestra.grading.resolution import resolution_of
from palestra.grading.test_logs import Outcome

RUN_TESTS = ".palestra_run_tests.py"
NEVER_APPLIED = (
    "conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "sitecustomize.py", "usercustomize.py",
)  # fmt: skip
"""What decides how tests are run; git matches these at the end of a path, in any folder."""
ARGUMENTS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors")


async def evaluate_in_image(
    sandbox: Sandbox,
    image: str,
    patch: str,
    *,
    test_patch: str,
    tests: tuple[Sequence[str], Sequence[str]],
    limits: Limits,
) -> Evaluation:
    """Apply the test patch and then a patch to a fresh container, and run the files of `tests`: those that fail before
    the repair, and those that pass.

    The patch changes none of the tests and no settings of them. Raises Failure: `task-invalid` if the test patch does
    not apply.
    """
    if not patch.strip():
        return refused("error", "the patch is empty")
    async with sandbox.workspace({}, image=image, folder=TESTBED) as workspace:
        problem = await applied(workspace, test_patch, (), limits) if test_patch.strip() else None
        if problem is not None:
            raise Failure("environment", f"the test patch cannot be applied in {image}: {problem}", code="task-invalid")
        kept = [*sorted(paths_in(test_patch)), *(f"*{name}" for name in NEVER_APPLIED)]
        problem = await applied(workspace, patch, kept, limits)
        if problem is not None:
            return refused("error", f"the patch cannot be applied: {problem}")
        return await run_tests(workspace, tests, limits)


async def applied(workspace: Workspace, patch: str, excluded: Sequence[str], limits: Limits) -> str | None:
    """Apply a patch but for these paths; why it cannot be, if so."""
    command = ["git", "apply", "--whitespace=nowarn", *(f"--exclude={path}" for path in excluded), "-"]
    run = await workspace.run(command, limits=limits, stdin=with_line_end(patch))
    if run.exit_code not in (0, 1, 128):
        raise Failure("sandbox", f"git apply ended with {run.status}, {run.exit_code}: {run.errors[-300:]}")
    return run.errors.strip()[-300:] if run.exit_code else None


async def run_tests(workspace: Workspace, tests: tuple[Sequence[str], Sequence[str]], limits: Limits) -> Evaluation:
    """Run the files that hold the tests, as SWE-bench does, and believe nothing but a signed report."""
    await workspace.write(RUN_TESTS, REPORT.read_bytes())
    files = sorted({test.partition("::")[0] for group in tests for test in group})
    key = secrets.token_hex(32)
    order = {"key": key, "folder": workspace.folder, "modules": files, "arguments": ARGUMENTS}
    command = ["bash", "-lc", f"exec python -I -B {RUN_TESTS}"]
    run = await workspace.run(command, limits=limits, stdin=json.dumps(order))
    if run.status in LATE:
        return refused("timeout", f"the tests ran into the limit: {run.status}")
    report = signed(run.output, key)
    if report is None:
        return refused("error", f"the tests ended without a report ({run.status}, exit code {run.exit_code})")
    if report["replaced"] or report["exit_code"] != run.exit_code:
        return refused("error", f"the report cannot be trusted: {report['replaced'] or run.exit_code}")
    passed = frozenset(report["passed"])
    return Evaluation("done", resolution_of(dict.fromkeys(passed, Outcome.PASSED), *tests), None, passed)
