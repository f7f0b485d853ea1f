"""Test an environment: golden cases, determinism, attacks on its verifier, tools, leaks into the prompt, imports.

With --adversarial only the attacks, in detail: false passes, false fails, and between which mean rewards (floor: the
best attack; ceiling: the worst form of a right reply) a policy can move.

exit codes: 0 every rule holds; 1 a rule is broken."""

import argparse

from palestra.cli.options import add_json_option, add_sandbox_option
from palestra.cli.output import print_json, print_table
from palestra.conformance.adversarial import NO_GOLDS, AdversarialReport
from palestra.conformance.check import MAX_PROBLEMS, CheckReport, check, check_adversarial
from palestra.core.discovery import find

EXAMPLE = "palestra check ./letter_count"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="a name, a folder or module:Class")
    parser.add_argument("--adversarial", action="store_true", help="attack the verifier, and tell of each attack")
    add_sandbox_option(parser)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    source = find(arguments.environment)
    report = (check_adversarial if arguments.adversarial else check)(source, arguments.sandbox)
    if arguments.json:
        print_json(report.to_json())
    elif isinstance(report, AdversarialReport):
        print_attacks(report)
    else:
        print_report(report)
    return int(not report.passed)


def print_report(report: CheckReport) -> None:
    for rule in report.rules:
        print(f"{'ok  ' if not rule.problems else 'FAIL'}  {rule.name} ({rule.checked} checked)")
        for problem in rule.problems[:MAX_PROBLEMS]:
            print(f"        {problem}")
        if len(rule.problems) > MAX_PROBLEMS:
            print(f"        and {len(rule.problems) - MAX_PROBLEMS} more")
    for probe, reason in report.expected_full.items():
        print(f"note  the reply {probe!r} may score full: {reason}")
    print(f"{report.environment}: {'every rule holds' if report.passed else 'not yet'}")


def print_attacks(report: AdversarialReport) -> None:
    rows = [
        (name, must, f"{mean:.3f}") for must in ("fail", "pass", "any") for name, mean in report.means(must).items()
    ]
    print_table(("attack", "must", "mean reward"), rows)
    kinds = {"false pass": report.false_passes, "false fail": report.false_fails, "failure": report.failures}
    for kind, outcomes in kinds.items():
        for outcome in outcomes[:MAX_PROBLEMS]:
            print(f"{kind}: {outcome}")
        if len(outcomes) > MAX_PROBLEMS:
            print(f"  and {len(outcomes) - MAX_PROBLEMS} more, all of them with --json")
    if not report.has_golds:
        print(NO_GOLDS)
    for name, reason in report.excused.items():
        print(f"note: the attack {name!r} may score full: {reason}")
    counts = ", ".join(f"{len(outcomes)} {kind}{'e' * kind.endswith('s')}s" for kind, outcomes in kinds.items())
    floor, ceiling = (f"{value:.3f}" if value is not None else "-" for value in (report.floor, report.ceiling))
    print(f"{report.environment}: {len(report.outcomes)} cases, {counts}; floor {floor}, ceiling {ceiling}")
