"""Judging repairs of the shipped repositories by their tests, in the sandbox.

A repair reaches the tests as modules of the package and as nothing else: tests, their configuration and everything that
Python or pytest would load by itself come from the trusted tree. See `repository_report` for how results come back.
"""

import hmac
import json
import marshal
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import MAGIC_NUMBER
from pathlib import Path, PurePosixPath
from random import Random
from types import MappingProxyType
from typing import Any, Literal, Protocol

from palestra.core.errors import Failure
from palestra.core.sandbox import Limits, Run, Sandbox, Workspace
from palestra.grading.repositories import Instance, tests_of
from palestra.grading.resolution import Resolution, resolution_of
from palestra.grading.test_logs import Outcome

Status = Literal["done", "timeout", "error"]

LIMITS = Limits(cpu_s=30, wall_s=120, memory_mb=1024, processes=8)
READY = b"ready"
REPORT = Path(__file__).with_name("repository_report.py")
TREE = "repository"
NEVER_CARRIED = frozenset({"conftest.py", "sitecustomize.py", "usercustomize.py"})
MOST_FILES = 200
LARGEST_FILE_KB = 256
ARGUMENTS = ("-q", "-p", "no:cacheprovider", "--noconftest", "--continue-on-collection-errors", "-c", "/dev/null")
VARIABLES: Mapping[str, str] = MappingProxyType({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
FAILED_TESTS_CODE = 1
"""With which pytest ends if a test failed: always, as some canaries have to."""
LATE = frozenset({"cpu_limit", "wall_limit", "memory_limit"})


class Tested(Protocol):
    """What names the tests that decide, such as an Instance."""

    @property
    def fail_to_pass(self) -> tuple[str, ...]: ...

    @property
    def pass_to_pass(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the tests say of a repair."""

    status: Status
    """`error` if the patch could not be applied or the report cannot be trusted."""
    resolution: Resolution
    reason: str | None = None
    """Why nothing is resolved, where it is not for the tests alone."""
    passed: frozenset[str] = field(default=frozenset())
    """Ids of the tests that passed."""

    def as_report(self, instance: Tested) -> dict[str, Any]:
        """The form of SWE-bench's reports, for one instance."""
        groups = {"FAIL_TO_PASS": instance.fail_to_pass, "PASS_TO_PASS": instance.pass_to_pass}
        return {
            "resolved": self.resolution is Resolution.FULL,
            "patch_successfully_applied": self.status != "error",
            "tests_status": {
                name: {
                    "success": [test for test in tests if test in self.passed],
                    "failure": [test for test in tests if test not in self.passed],
                }
                for name, tests in groups.items()
            },
        }


def refused(status: Status, reason: str) -> Evaluation:
    return Evaluation(status, Resolution.NO, reason)


async def evaluate(sandbox: Sandbox, instance: Instance, patch: str, *, limits: Limits = LIMITS) -> Evaluation:
    """Apply a patch to the broken tree and run the trusted tests on what it makes of the package.

    Raises Failure (`sandbox`) if that could not be done for a reason that is not the patch's.
    """
    if not patch.strip():
        return refused("error", "the patch is empty")
    sources = await patched_sources(sandbox, instance, patch)
    if isinstance(sources, Evaluation):
        return sources
    return await run_trusted_tests(sandbox, instance, sources, limits)


async def patched_sources(sandbox: Sandbox, instance: Instance, patch: str) -> dict[str, bytes] | Evaluation:
    """The modules of the package as a patch leaves them. Nothing of the repository runs for it."""
    files = {f"{TREE}/{path}": content for path, content in repository_files(instance).items()}
    files["model.patch"] = with_line_end(patch).encode(errors="replace")
    async with sandbox.workspace(files) as workspace:
        apply = ["git", "-C", TREE, "apply", "--whitespace=nowarn", "../model.patch"]
        run = await workspace.run(apply, limits=LIMITS)
        if run.exit_code not in (0, 1, 128):
            raise Failure("sandbox", f"git apply ended with {run.status}, {run.exit_code}: {run.errors[-300:]}")
        if run.exit_code:
            return refused("error", f"the patch cannot be applied: {run.errors.strip()[-300:]}")
        return await package_files(workspace, instance.repository)


async def package_files(workspace: Workspace, package: str) -> dict[str, bytes] | Evaluation:
    # Links are not followed: what they point to is none of the repair.
    find = ["find", f"{TREE}/{package}", "-type", "f", "-name", "*.py", "-size", f"-{LARGEST_FILE_KB}k"]
    run = await workspace.run(find, limits=LIMITS)
    if run.exit_code:
        return refused("error", f"the patch leaves no package: {run.errors.strip()[-300:]}")
    paths = [PurePosixPath(line) for line in run.output.splitlines() if line]
    kept = [path for path in paths if path.name not in NEVER_CARRIED]
    if len(kept) > MOST_FILES:
        return refused("error", f"the patch makes {len(kept)} modules; at most {MOST_FILES} are looked at")
    return {path.relative_to(TREE).as_posix(): await workspace.read(str(path)) for path in kept}


def with_line_end(patch: str) -> str:
    # A patch that lost its last line feed is corrupt to git.
    return patch if patch.endswith("\n") else patch + "\n"


async def run_trusted_tests(
    sandbox: Sandbox, instance: Instance, sources: Mapping[str, bytes], limits: Limits = LIMITS
) -> Evaluation:
    """Run the trusted tests on modules of the package."""
    tests, canaries = with_canaries(tests_of(instance.trusted))
    own = f"{instance.repository}/"
    others = {path: text for path, text in instance.trusted.items() if not path.startswith(own)}
    tree = {**as_text({**others, **tests}), **sources}
    files = {f"{TREE}/{path}": content for path, content in tree.items()}
    # The report's own module is outside of the tree, where no path of the repair leads.
    files["run_tests.py"] = REPORT.read_bytes()
    key = secrets.token_hex(32)
    async with sandbox.workspace(files) as workspace:
        folder = f"{workspace.folder.rstrip('/')}/{TREE}"
        order = {"key": key, "folder": folder, "modules": sorted(tests), "arguments": [*ARGUMENTS, "--rootdir", folder]}
        command = [python_here(), "-I", "-B", "run_tests.py"]
        run = await workspace.run(command, limits=limits, stdin=json.dumps(order), variables=VARIABLES)
    return read_report(run, key, instance, canaries)


def with_canaries(tests: Mapping[str, str]) -> tuple[dict[str, str], dict[str, bool]]:
    """The test modules with two tests more each, under names nobody can know: one that passes, one that must fail.

    Returns the modules, and for each added test whether it passes. What turns all tests green turns those as well.
    """
    modules: dict[str, str] = {}
    canaries: dict[str, bool] = {}
    random = Random(secrets.randbits(64))
    for path, text in tests.items():
        added: list[str] = []
        for passes in random.sample([True, False], 2):
            name, number = f"test_{secrets.token_hex(6)}", random.randrange(10**6)
            canaries[f"{path}::{name}"] = passes
            added.append(f"\n\ndef {name}():\n    assert {number} == {number if passes else number + 1}\n")
        modules[path] = text + "".join(added)
    return modules, canaries


def python_here() -> str:
    """The running Python by the path under which sandboxes show it: links to the folder of an installation are not."""
    return str(Path(sys.prefix).resolve() / "bin" / Path(sys.executable).name)


def read_report(run: Run, key: str, instance: Instance, canaries: Mapping[str, bool]) -> Evaluation:
    """What a run of `repository_report` says, if it can be trusted. Raises Failure (`sandbox`) if it never began."""
    demand_ready(run, key)
    if run.status in LATE:
        return refused("timeout", f"the tests ran into the limit: {run.status}")
    report = signed(run.output, key)
    if report is None:
        return refused("error", f"the tests ended without a report ({run.status}, exit code {run.exit_code})")
    doubt = doubt_about(report, run, instance, canaries)
    if doubt is not None:
        return refused("error", f"the report cannot be trusted: {doubt}")
    passed = frozenset(report["passed"]) - canaries.keys()
    outcomes = dict.fromkeys(passed, Outcome.PASSED)
    return Evaluation(
        "done", resolution_of(outcomes, instance.fail_to_pass, instance.pass_to_pass), None, frozenset(passed)
    )


def demand_ready(run: Run, key: str) -> None:
    """Raises Failure (`sandbox`) unless the run got as far as the tests, as told by its first line."""
    if not hmac.compare_digest(run.output.partition("\n")[0].encode(errors="replace"), sign(key, READY)):
        said = f"{run.status}, exit code {run.exit_code}: {run.errors.strip()[-300:]}"
        raise Failure("sandbox", f"the tests could not be begun; is pytest installed here? ({said})")


def signed(output: str, key: str) -> dict[str, Any] | None:
    """The signed report that is all of the output after its first line, or None."""
    signature, _, text = output.partition("\n")[2].removesuffix("\n").partition(" ")
    right = sign(key, text.encode(errors="replace"))
    return json.loads(text) if hmac.compare_digest(signature.encode(errors="replace"), right) else None


def sign(key: str, text: bytes) -> bytes:
    return hmac.new(key.encode(), text, "sha256").hexdigest().encode()


def doubt_about(report: Mapping[str, Any], run: Run, instance: Instance, canaries: Mapping[str, bool]) -> str | None:
    passed, collected = frozenset(report["passed"]), list(report["collected"])
    known = {*instance.fail_to_pass, *instance.pass_to_pass, *canaries}
    if report["replaced"]:
        return f"{', '.join(report['replaced'][:5])} was replaced while the tests ran"
    if len(set(collected)) < len(collected) or not known.issuperset(collected) or not passed.issubset(collected):
        return "it is not about the tests that were run"
    present = [name for name in canaries if name in collected]
    if any(canaries[name] != (name in passed) for name in present):
        return "a test that must fail passed, or one that must pass failed"
    # Without any test collected pytest ends with another code, and nothing passed.
    if run.exit_code != report["exit_code"] or (passed and run.exit_code != FAILED_TESTS_CODE):
        return f"pytest ended with {report['exit_code']}, the process with {run.exit_code}"
    return None


async def reproduction_codes(
    sandbox: Sandbox, instance: Instance, path: str, script: str, *, limits: Limits = LIMITS
) -> tuple[list[int | None], list[int | None]]:
    """Exit codes of a script on the broken tree and on the repaired one, each run twice.

    The second time the package is there as bytecode alone: it does the same, and a script that only looks for a line of
    its text is found out. A disagreement counts as None, which is also the code of a script that did not end by itself.
    """
    codes: list[list[int | None]] = []
    for sources in (instance.source_files, instance.sources(instance.trusted)):
        both = [
            await reproduction_code(sandbox, instance, variant, path, script, limits)
            for variant in (as_text(sources), as_bytecode(sources))
        ]
        codes.append([both[0] if both[0] == both[1] else None])
    return codes[0], codes[1]


async def reproduction_code(
    sandbox: Sandbox, instance: Instance, sources: Mapping[str, bytes], path: str, script: str, limits: Limits
) -> int | None:
    others = {name: text for name, text in instance.files.items() if name not in instance.source_files}
    files = {**as_text(others), **sources}
    files[path] = script.encode(errors="replace")
    async with sandbox.workspace(files) as workspace:
        # Not isolated: the folder of the script has to be on the path, as it is for whoever runs it.
        run = await workspace.run([python_here(), "-B", "-E", "-s", path], limits=limits)
    return run.exit_code if run.status == "ok" else None


def as_text(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def as_bytecode(sources: Mapping[str, str]) -> dict[str, bytes]:
    """Modules as files that Python imports without their source: magic number, no date, code."""
    compiled = {path: marshal.dumps(compile(text, path, "exec")) for path, text in sources.items()}
    return {f"{path}c": MAGIC_NUMBER + bytes(12) + code for path, code in compiled.items()}


def repository_files(instance: Instance) -> dict[str, bytes]:
    """The broken tree for a workspace in which a model works."""
    return as_text(instance.files)


def git_commands() -> Sequence[Sequence[str]]:
    """Commands that make a folder a git repository with one commit, the same one every time."""
    identity = ("-c", "user.name=palestra", "-c", "user.email=palestra@localhost", "-c", "commit.gpgsign=false")
    return (
        ("git", "init", "--quiet", "--initial-branch=main"),
        ("git", "add", "--all"),
        ("git", *identity, "commit", "--quiet", "--no-verify", "--message", "The repository as it was found"),
    )


GIT_VARIABLES: Mapping[str, str] = MappingProxyType(
    {"GIT_AUTHOR_DATE": "2025-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2025-01-01T00:00:00Z"}
)
"""For `git_commands`: the commit has the same name on every machine."""


async def make_git(workspace: Workspace) -> None:
    """Turn the folder of a workspace into a git repository with one commit. Raises Failure (`sandbox`)."""
    for command in git_commands():
        run = await workspace.run(command, limits=LIMITS, variables=GIT_VARIABLES)
        if not run.ok or run.exit_code:
            raise Failure("sandbox", f"{' '.join(command[:2])} ended with {run.exit_code}: {run.errors[-300:]}")
