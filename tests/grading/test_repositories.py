"""The shipped repositories: their bugs are shown by tests, and their repairs are judged by nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from palestra.core.errors import Failure
from palestra.core.sandbox import Run
from palestra.grading.diffs import tree_diff
from palestra.grading.repositories import (
    Instance,
    instance_named,
    instances,
    instances_of,
    repository_names,
    without_functions,
)
from palestra.grading.repository_runs import (
    GIT_VARIABLES,
    READY,
    Evaluation,
    evaluate,
    make_git,
    read_report,
    repository_files,
    reproduction_codes,
    run_trusted_tests,
    sign,
)
from palestra.grading.resolution import Resolution
from palestra.hosts.lent_sandbox import LentSandbox

ALL = tuple(instances())
INTERVALS = instance_named("intervals__neighbours_stay_apart")
INIT = "intervals/__init__.py"
PASS_ALL = (
    "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
    "    outcome = yield\n    outcome.get_result().outcome = 'passed'\n"
)


def in_sandbox(use: Callable[[LentSandbox], Awaitable[Any]]) -> Any:
    async def used() -> Any:
        sandbox = LentSandbox()
        try:
            return await use(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(used())


def changed(**texts: str) -> str:
    """A patch of the broken tree that makes or changes files; `__` in a name is a slash, `_py` at its end a suffix."""
    files = {name.replace("__", "/").removesuffix("_py") + ".py": text for name, text in texts.items()}
    return tree_diff(INTERVALS.files, {**INTERVALS.files, **files})


def module_added(code: str) -> str:
    return tree_diff(INTERVALS.files, {**INTERVALS.files, INIT: f"{INTERVALS.files[INIT]}\n{code}\n"})


def test_there_are_repositories_and_bugs_of_many_kinds() -> None:
    assert len(repository_names()) == 8
    assert len(ALL) == len({instance.instance_id for instance in ALL}) == 36


@pytest.mark.parametrize("instance", ALL, ids=lambda instance: instance.instance_id)
def test_an_instance_shows_its_bug_to_tests_and_to_nobody_else(instance: Instance) -> None:
    assert instance.fail_to_pass
    assert not set(instance.fail_to_pass) & set(instance.pass_to_pass)
    assert len(instance.problem_statement) > 100
    assert instance.patch.startswith("diff --git a/")
    assert all(edit.fixed not in instance.files[edit.path] for edit in instance.edits if edit.fixed)
    assert instance.repaired_in(len(instance.edits)) == instance.patch
    assert instance.repaired_in(0) == ""
    # No test that the model sees shows the bug.
    for test in instance.fail_to_pass:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in instance.trusted[path]
        assert f"def {name.partition('[')[0]}(" not in instance.files[path]
    row = instance.as_row()
    assert row["test_patch"].startswith("diff --git a/tests/")
    assert row["FAIL_TO_PASS"] == list(instance.fail_to_pass)


def test_unknown_instances_suggest_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'intervals__end_is_in_the_set'"):
        instance_named("intervals__end_in_the_set")
    with pytest.raises(KeyError, match="no instance 'django__django-1'"):
        instance_named("django__django-1")


def test_functions_are_taken_out_with_their_decorators() -> None:
    source = "import a\n\n\n@a.b\n@c(\n    1\n)\ndef one():\n    pass\n\n\ndef two():\n    pass\n"
    assert without_functions(source, {"one"}) == "import a\n\n\ndef two():\n    pass\n"
    assert without_functions(source, {"two"}) == source.partition("\n\n\ndef two")[0] + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("repository", repository_names())
def test_repairs_resolve_and_bugs_do_not(repository: str) -> None:
    async def judged(sandbox: LentSandbox) -> None:
        for instance in instances_of(repository):
            repaired = await evaluate(sandbox, instance, instance.patch)
            assert (repaired.status, repaired.resolution, repaired.reason) == ("done", Resolution.FULL, None)
            broken = {path: text.encode() for path, text in instance.source_files.items()}
            found = await run_trusted_tests(sandbox, instance, broken)
            assert (found.status, found.resolution) == ("done", Resolution.NO)
            # The lists of tests are exactly what the bug makes of them.
            assert found.passed == frozenset(instance.pass_to_pass)

    in_sandbox(judged)


HOSTILE = {
    "conftest": changed(conftest_py=PASS_ALL),
    "conftest beside the tests": changed(tests__conftest_py=PASS_ALL),
    "conftest in the package": changed(intervals__conftest_py=PASS_ALL),
    "sitecustomize": changed(sitecustomize_py="import os\n\nos._exit(0)\n"),
    "another pytest": changed(pytest_py="import os\n\nos._exit(1)\n"),
    "no tests": changed(tests__test_interval_py="", tests__test_sets_py=""),
    "leaves": module_added("import os\n\nos._exit(0)"),
    "leaves as tests do": module_added("import os\n\nos._exit(1)"),
    "exits": module_added("import sys\n\nsys.exit(0)"),
    "skips": module_added("import pytest\n\npytest.skip('no', allow_module_level=True)"),
    "prints everywhere": module_added(
        "import os\n\nfor number in range(40):\n    try:\n        os.write(number, b'passed {}\\n')\n"
        "    except OSError:\n        pass"
    ),
    "calls nothing": module_added("import _pytest.python\n\n_pytest.python.Function.runtest = lambda self: None"),
    "reports no error": module_added(
        "import _pytest.reports as reports\n\nmade = reports.TestReport.from_item_and_call.__func__\n\n\n"
        "def green(cls, item, call):\n    call.excinfo = None\n    return made(cls, item, call)\n\n\n"
        "reports.TestReport.from_item_and_call = classmethod(green)"
    ),
    "swaps code": module_added(
        "import _pytest.runner\n\n_pytest.runner.pytest_runtest_call.__code__ = (lambda item: None).__code__"
    ),
    "no assertions": module_added(
        "import builtins\n\nbuiltins.AssertionError = type('Never', (BaseException,), {})"
    ),
    "a path outside": "diff --git a/../x.py b/../x.py\nnew file mode 100644\n--- /dev/null\n+++ b/../x.py\n"
    "@@ -0,0 +1 @@\n+a\n",
    "a link": "diff --git a/intervals/more.py b/intervals/more.py\nnew file mode 120000\n--- /dev/null\n"
    "+++ b/intervals/more.py\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
    "no package": tree_diff(INTERVALS.files, {"README.md": INTERVALS.files["README.md"]}),
    "no patch": "I am done.\n",
    "nothing": "",
}  # fmt: skip


@pytest.mark.slow
def test_no_hostile_patch_resolves_anything() -> None:
    async def judged(sandbox: LentSandbox) -> dict[str, Evaluation]:
        return {name: await evaluate(sandbox, INTERVALS, patch) for name, patch in HOSTILE.items()}

    found = in_sandbox(judged)
    assert {name for name, evaluation in found.items() if evaluation.resolution is not Resolution.NO} == set()
    assert "must fail passed" in str(found["reports no error"].reason)
    assert "pytest_runtest_call was replaced" in str(found["swaps code"].reason)
    assert "without a report" in str(found["leaves"].reason)
    # What is not carried does no harm either: the tests run as if it were not there.
    for name in ("conftest", "conftest beside the tests", "conftest in the package", "sitecustomize", "another pytest",
                 "no tests", "a link"):  # fmt: skip
        assert found[name].passed == frozenset(INTERVALS.pass_to_pass), name


def test_a_git_repository_is_made_and_diffs_of_it_are_judged() -> None:
    async def worked(sandbox: LentSandbox) -> tuple[str, str]:
        async with sandbox.workspace(repository_files(INTERVALS)) as workspace:
            await make_git(workspace)
            head = await workspace.run(["git", "rev-parse", "HEAD"])
            path = INTERVALS.edits[0].path
            await workspace.write(path, INTERVALS.trusted[path].encode())
            diff = await workspace.run(["git", "diff"], variables=GIT_VARIABLES)
        evaluation = await evaluate(sandbox, INTERVALS, diff.output)
        assert evaluation.as_report(INTERVALS)["resolved"] is True
        assert evaluation.as_report(INTERVALS)["tests_status"]["FAIL_TO_PASS"]["failure"] == []
        return head.output, diff.output

    first, diff = in_sandbox(worked)
    assert len(first.strip()) == 40
    assert diff.startswith("diff --git a/intervals/interval.py")


def test_scripts_are_judged_by_what_runs() -> None:
    shows = "import sys\nfrom intervals import Interval\nsys.exit(2 - 2 * Interval(0, 2).touches(Interval(2, 3)))"
    reads = "import sys\nsys.exit(2 if 'or self == other' in open('intervals/interval.py').read() else 0)"

    async def run(sandbox: LentSandbox) -> list[Any]:
        return [await reproduction_codes(sandbox, INTERVALS, "reproduce.py", text) for text in (shows, reads)]

    assert in_sandbox(run) == [([2], [0]), ([None], [None])]


def test_reports_are_believed_as_a_whole_or_not_at_all() -> None:
    import json

    tests = [*INTERVALS.fail_to_pass, *INTERVALS.pass_to_pass]
    canaries = {"tests/test_sets.py::test_good": True, "tests/test_sets.py::test_bad": False}
    good = {"exit_code": 1, "collected": [*tests, *canaries], "passed": [*tests, "tests/test_sets.py::test_good"],
            "replaced": []}  # fmt: skip

    def read(exit_code: int = 1, key: str = "k", more: str = "", **other: Any) -> Evaluation:
        text = json.dumps({**good, **other})
        lines = [sign("k", READY).decode(), f"{sign(key, text.encode()).decode()} {text}"]
        return read_report(Run("ok", "\n".join(lines) + "\n" + more, exit_code=exit_code), "k", INTERVALS, canaries)

    assert read().resolution is Resolution.FULL
    for doubtful in (
        read(key="guessed"), read(more="x"), read(exit_code=0), read(replaced=["builtins.len"]),
        read(passed=tests), read(passed=[*tests, *canaries]), read(collected=[*tests, *canaries, "tests/x.py::test_y"]),
        read(collected=[*tests, *canaries, tests[0]]), read(collected=[]), read(exit_code=0, passed=good["passed"]),
    ):  # fmt: skip
        assert (doubtful.status, doubtful.resolution) == ("error", Resolution.NO)
    with pytest.raises(Failure, match="could not be begun"):
        read_report(Run("ok", errors="No module named pytest", exit_code=1), "k", INTERVALS, canaries)
    late = Run("wall_limit", sign("k", READY).decode() + "\n")
    assert read_report(late, "k", INTERVALS, canaries).status == "timeout"
