"""Test an environment: golden cases, determinism, hostile replies, tools, leaks into the prompt, imports.

exit codes: 0 every rule holds; 1 a rule is broken."""

import argparse

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.conformance.check import MAX_PROBLEMS, CheckReport, check
from palestra.core.discovery import find

EXAMPLE = "palestra check ./letter_count"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="a name, a folder or module:Class")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    report = check(find(arguments.environment))
    if arguments.json:
        print_json(report.to_json())
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
