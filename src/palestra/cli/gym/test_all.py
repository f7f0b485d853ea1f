"""Check all environments: those below resources_servers here, or if there are none the installed ones.

exit codes: 0 all passed; 1 one failed, or with fail_on_total_and_test_mismatch a folder holds no environment; 2 it
could not start."""

from collections.abc import Sequence
from pathlib import Path

from palestra.cli.check import print_report
from palestra.cli.gym.command import Call, GymParameters
from palestra.compat.environments import SERVERS
from palestra.compat.example_data import data_problems
from palestra.conformance.check import check
from palestra.core.discovery import PACKAGED, Source, every_environment, find
from palestra.core.errors import PalestraError
from palestra.core.sandbox import SandboxPolicy

EXAMPLE = "ng_test_all"


class Parameters(GymParameters):
    """How strict it is."""

    fail_on_total_and_test_mismatch: bool = False
    """Fail if a folder below resources_servers holds no environment that could be checked."""
    sandbox: SandboxPolicy = "strong"
    """The boundary around code that they run; NeMo Gym has no such parameter."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    folders = sorted(path for path in Path(SERVERS).glob("*") if path.is_dir() and path.name != "__pycache__")
    own = [folder for folder in folders if (folder / "environment.toml").is_file()]
    sources = [find(str(folder)) for folder in own] if folders else installed()
    failed = [source.name for source in sources if not passes(source, parameters.sandbox)]
    without = [folder for folder in folders if folder not in own]
    print(f"{len(sources)} checked, {len(failed)} failed{told(failed)}")
    if without:
        print(f"not checked, as they hold no environment{told([str(folder) for folder in without])}")
    return int(bool(failed) or (bool(without) and parameters.fail_on_total_and_test_mismatch))


def installed() -> list[Source]:
    """Each once: a variant has the files of its environment."""
    found = [source for source in every_environment() if source.folder.parent != PACKAGED or is_first(source)]
    if not found:
        raise PalestraError("unknown-environment", "there is no environment to check")
    return found


def is_first(source: Source) -> bool:
    return source.name == source.folder.name


def passes(source: Source, policy: SandboxPolicy) -> bool:
    try:
        report = check(source, policy)
    except PalestraError as error:
        print(f"FAIL  {source.name}: {error}")
        return False
    print_report(report)
    data = source.folder / "data"
    problems = data_problems(data) if data.is_dir() else []
    for problem in problems:
        print(f"FAIL  {problem}")
    return report.passed and not problems


def told(names: Sequence[str]) -> str:
    return f": {', '.join(names)}" if names else ""
