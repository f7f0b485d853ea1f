"""The rules every environment keeps, checked on any folder."""

import asyncio
import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError

from palestra.conformance.adversarial import NO_GOLDS, AdversarialReport, attack
from palestra.conformance.cases import Case, play, read_cases, without_times
from palestra.conformance.manifest import check_manifest
from palestra.conformance.probes import hostile_calls
from palestra.conformance.roles import scripted_roles
from palestra.conformance.subject import TASKS_PROBED, Rule, Subject
from palestra.core.discovery import Source
from palestra.core.errors import Failure, PalestraError, describe
from palestra.core.sandbox import SandboxPolicy
from palestra.core.tools import validation_text
from palestra.core.transcript import function_calls
from palestra.data.load import rows_of_file
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.lent_sandbox import lend
from palestra.hosts.local import LocalHost

MINIMUM_TASKS = 5
MAX_PROBLEMS = 5
HEAVY_MODULES = (
    "torch", "numpy", "pandas", "sympy", "scipy", "ray", "transformers", "datasets", "nltk", "reasoning_gym",
    "math_verify", "aviary", "trafilatura", "polars", "pyarrow",
)  # fmt: skip
REQUIRED_FILES = ("env.py", "environment.toml", "tasks.jsonl", "cases.jsonl", "README.md")


@dataclass
class CheckReport:
    """All rules of one environment."""

    environment: str
    rules: list[Rule]
    expected_full: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attacks that may score full, and why."""

    @property
    def passed(self) -> bool:
        return not any(rule.problems for rule in self.rules)

    def to_json(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "passed": self.passed,
            "rules": [
                {"rule": rule.name, "passed": not rule.problems, "checked": rule.checked, "problems": rule.problems}
                for rule in self.rules
            ],
            "expected_full": dict(self.expected_full),
        }


def check(source: Source, policy: SandboxPolicy = "strong") -> CheckReport:
    """Check one environment. Broken rules are in the report; nothing is raised for them.

    Raises PalestraError (`sandbox-missing`) if it runs code and the boundary for that is missing here.
    """
    files = Rule("the folder is complete")
    for name in REQUIRED_FILES:
        path = source.folder / name
        files.demand(path.is_file() and bool(path.read_text().strip()), f"{path} is missing or empty")
    if files.problems:
        return CheckReport(source.name, [files])
    try:
        return asyncio.run(check_complete(source, files, policy))
    except PalestraError as error:
        if error.code == "sandbox-missing":
            raise
        files.problems.append(str(error))
        return CheckReport(source.name, [files])


async def check_complete(source: Source, files: Rule, policy: SandboxPolicy) -> CheckReport:
    async with subject_of(source, policy) as subject:
        rules = [files, await check_manifest(subject), check_tasks(subject)]
        rules += [await check_golden(subject), await check_determinism(subject)]
        attacks = await attack(subject)
        rules += [rule_of_attacks(attacks), await check_answer_fields(subject), await check_tools(subject)]
        rules += [check_generator(subject), check_imports(source)]
        return CheckReport(source.name, rules, attacks.excused)


def check_adversarial(source: Source, policy: SandboxPolicy = "strong") -> AdversarialReport:
    """Attack the verifier of one environment. Raises PalestraError if the folder cannot be used."""

    async def attacked() -> AdversarialReport:
        async with subject_of(source, policy) as subject:
            return await attack(subject)

    return asyncio.run(attacked())


@asynccontextmanager
async def subject_of(source: Source, policy: SandboxPolicy) -> AsyncIterator[Subject]:
    """An environment with its rows, its cases and a host, for as long as it is under check."""
    options = source.options({})
    async with AsyncExitStack() as stack:
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        lent = await lend(policy, [source], stack)
        host = LocalHost(source, options, pool, scripted_roles(source, options), lent)
        stack.push_async_callback(host.close)
        rows = [dict(row.content) for row in rows_of_file(source.folder / "tasks.jsonl")]
        yield Subject(source, rows, read_cases(source.folder), host, options)


def check_tasks(subject: Subject) -> Rule:
    rule = Rule("tasks are valid and survive a round trip")
    rule.demand(len(subject.rows) >= MINIMUM_TASKS, f"tasks.jsonl has {len(subject.rows)} rows, needs {MINIMUM_TASKS}")
    task_type = subject.host.environment_class.task_type
    for number, row in enumerate(subject.rows, 1):
        try:
            again = task_type.from_row(row).to_row()
        except ValidationError as error:
            rule.demand(False, f"tasks.jsonl line {number}: {validation_text(error)}")
            continue
        content = {name: value for name, value in row.items() if name != "agent_ref"}
        rule.demand(again == content, f"tasks.jsonl line {number}: became {json.dumps(again)[:200]}")
    for name in subject.source.manifest.answer_fields:
        known = any(name in row for row in subject.rows)
        rule.demand(known, f"answer_fields names {name!r}, which no task has")
    return rule


async def check_golden(subject: Subject) -> Rule:
    rule = Rule("golden cases get the reward they deserve")
    kinds = {case.kind for case in subject.cases}
    for kind in ("full", "zero", "malformed"):
        excused = kind == "zero" and any(case.expected_full for case in subject.cases)
        rule.demand(kind in kinds or excused, f"cases.jsonl has no case of kind {kind!r}")
    for case in subject.cases:
        if case.replies is not None:
            got = await reward_or_failure(subject, case)
            near = isinstance(got, float) and abs(got - (case.reward or 0.0)) < 1e-6
            rule.demand(near, f"case {case.name!r}: deserves {case.reward}, got {got}")
    return rule


async def reward_or_failure(subject: Subject, case: Case) -> float | str:
    try:
        async with subject.host_for(case) as host:
            return (await play(host, subject.row_of(case), case.replies or []))[1].reward
    except (Failure, PalestraError) as error:
        return describe(error)


async def check_determinism(subject: Subject) -> Rule:
    rule = Rule("the same conversation gets the same verdict")
    for case in subject.cases:
        if case.replies is not None:
            first, second = [await outcome_text(subject, case) for _ in range(2)]
            rule.demand(first == second, f"case {case.name!r}: {first[:200]} and then {second[:200]}")
    return rule


async def outcome_text(subject: Subject, case: Case) -> str:
    try:
        async with subject.host_for(case) as host:
            transcript, verdict = await play(host, subject.row_of(case), case.replies or [])
            return f"{without_times(asdict(verdict))} {transcript.output}"
    except (Failure, PalestraError) as error:
        return describe(error)


def rule_of_attacks(report: AdversarialReport) -> Rule:
    rule = Rule("attacks never crash and never score full, and right replies stay right", checked=len(report.outcomes))
    rule.demand(report.has_golds, NO_GOLDS)
    rule.problems += [str(outcome) for outcome in (*report.failures, *report.false_passes, *report.false_fails)]
    return rule


async def check_answer_fields(subject: Subject) -> Rule:
    rule = Rule("answer fields do not reach the prompt")
    for name in subject.source.manifest.answer_fields:
        for number, row in enumerate(subject.rows[:TASKS_PROBED], 1):
            if name in row:
                for value in other_values(row[name], subject.rows, name):
                    same = await same_prompt(subject, row, {**copy.deepcopy(row), name: value})
                    if same is not None:
                        rule.demand(same, f"task {number}: the prompt changes with {name!r}")
                        break
                else:
                    rule.demand(False, f"task {number}: no other value of {name!r} makes a valid row")
    return rule


def other_values(value: Any, rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Different values for a field: those of other tasks first, then a made-up one."""
    peers = [peer[name] for peer in rows if name in peer and peer[name] != value]
    if isinstance(value, str):
        return [*peers, f"{value} (changed)"]
    return [*peers, value + 1] if isinstance(value, int | float) else peers


async def same_prompt(subject: Subject, row: dict[str, Any], mutated: dict[str, Any]) -> bool | None:
    """Whether two rows ask the same; None if one of them is no valid row."""
    openings = [await subject.opened(row), await subject.opened(mutated)]
    if any(isinstance(opening, Failure) for opening in openings):
        return None
    return openings[0] == openings[1]


async def check_tools(subject: Subject) -> Rule:
    rule = Rule("tool calls with wrong names and types are answered with text")
    row = subject.rows[0]
    tools = tuple(tool.schema for tool in subject.host.environment_class.tools.values())
    for name, call in hostile_calls(tools) if tools else ():
        try:
            transcript, _ = await play(subject.host, row, [[call], "I am done."])
        except Failure as failure:
            rule.demand(False, f"{name}: {failure}")
            continue
        answered = all(entry.output for entry in transcript.calls) and bool(function_calls(transcript.output))
        rule.demand(answered, f"{name}: the call was not answered with text")
    return rule


def check_generator(subject: Subject) -> Rule:
    rule = Rule("generated tasks depend on the seed and nothing else")
    environment = subject.host.environment_class
    if environment.can_generate():

        def generate(seed: int, n: int) -> list[Any]:
            return list(environment.generate(seed, n, subject.options))

        five = generate(7, 5)
        rule.demand(five == generate(7, 5), "the same seed gave other tasks")
        rule.demand(five[:3] == generate(7, 3), "the first tasks change with n")
        rule.demand(five != generate(8, 5), "another seed gave the same tasks")
        for row in five:
            rule.demand(json.loads(json.dumps(row)) == row, f"a generated row is not JSON: {str(row)[:200]}")
    return rule


def check_imports(source: Source) -> Rule:
    rule = Rule("importing env.py loads no heavy module")
    program = (
        "import sys; from palestra.core.discovery import find; find(sys.argv[1]).load(); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, source.spec], capture_output=True, text=True, timeout=60, check=False
    )
    rule.demand(found.returncode == 0, found.stderr[-300:])
    heavy = set(HEAVY_MODULES).intersection(found.stdout.split())
    rule.demand(not heavy, f"it loads {', '.join(sorted(heavy))}")
    return rule
