"""Check an environment: golden cases, determinism, attacks on its verifier, tools, leaks into the prompt, imports. It
is `palestra check` with NeMo Gym's words.

With should_validate_data also the files of its folder data: example.jsonl and example_rollouts.jsonl of five rows,
example_metrics.json that says so, and no conflict left.

exit codes: 0 every rule holds; 1 a rule is broken; 2 it could not start."""

from palestra.cli.check import print_report
from palestra.cli.gym.command import Call, GymParameters
from palestra.compat.environments import environment_at
from palestra.compat.example_data import data_problems
from palestra.compat.files import on_disk
from palestra.conformance.check import check
from palestra.core.errors import PalestraError
from palestra.core.sandbox import SandboxPolicy

EXAMPLE = "ng_test +entrypoint=resources_servers/mcqa"


class Parameters(GymParameters):
    """What is tested."""

    entrypoint: str
    """As resources_servers/NAME."""
    should_validate_data: bool = False
    """Look at the files of its folder data too."""
    sandbox: SandboxPolicy = "strong"
    """The boundary around code that it runs; NeMo Gym has no such parameter."""


def execute(call: Call) -> int:
    parameters = call.parameters(Parameters)
    source = environment_at(parameters.entrypoint)
    report = check(source, parameters.sandbox)
    print_report(report)
    problems: list[str] = []
    if report.passed and parameters.should_validate_data:
        folder = on_disk(parameters.entrypoint)
        if folder is None:
            message = f"{parameters.entrypoint} is installed with Palestra and has no folder data here"
            raise PalestraError("missing-file", message, fix="Leave out +should_validate_data.")
        problems = data_problems(folder / "data")
        for problem in problems:
            print(f"FAIL  {problem}")
    return int(bool(problems) or not report.passed)
