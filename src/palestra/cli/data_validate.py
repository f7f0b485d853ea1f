"""`palestra data validate`."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.core.discovery import find
from palestra.core.errors import PalestraError
from palestra.data.validate.files import LARGE_ROW_BYTES, Tally, validate
from palestra.data.validate.rows import Demands
from palestra.data.validate.rules import RULES, Finding

SUMMARY = "everything that is wrong with files of tasks, rollouts or failures"
DESCRIPTION = """Say everything that is wrong with files of tasks, rollouts or failures.

Each finding names file, line, field, value and rule; what to do stands with the rule. Nothing is changed or left out.
With --env, rows are held to the environment's Task type and rewards to its range.

exit codes: 0 no error was found; 1 there are errors (with --strict also for warnings); 2 it could not start."""
EXAMPLE = "palestra data validate tasks.jsonl --env word_problems"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="DATA", help="JSONL files of any producer")
    parser.add_argument("--env", metavar="ENV", help="the environment whose tasks they are")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    shown = "findings printed for each rule; 0 prints all"
    parser.add_argument("--show", type=int, default=10, metavar="N", help=shown)
    large = "a longer row is a finding"
    parser.add_argument("--max-row-bytes", type=int, default=LARGE_ROW_BYTES, metavar="BYTES", help=large)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    for path in arguments.files:
        if not path.is_file():
            raise PalestraError("missing-file", f"no file {path}" + (": it is a folder" if path.is_dir() else ""))
    demands = Demands.of(find(arguments.env) if arguments.env else None)
    tally = Tally()
    findings = validate(arguments.files, tally, demands, large_row_bytes=arguments.max_row_bytes)
    if arguments.json:
        print_json_stream(findings, tally)
    else:
        print_findings(findings, tally, arguments.show)
    return int(tally.errors > 0 or (arguments.strict and tally.warnings > 0))


def print_json_stream(findings: Iterator[Finding], tally: Tally) -> None:
    """One JSON document, written as the findings come: there may be millions."""
    sys.stdout.write('{"findings": [')
    for number, finding in enumerate(findings):
        sys.stdout.write((",\n" if number else "\n") + json.dumps(finding.to_json()))
    sys.stdout.write("],\n" + json.dumps({**tally.to_json(), "valid": tally.errors == 0})[1:] + "\n")


def print_findings(findings: Iterator[Finding], tally: Tally, most: int) -> None:
    printed: Counter[str] = Counter()
    for finding in findings:
        printed[finding.rule] += 1
        if not most or printed[finding.rule] <= most:
            print(finding)
    for rule, count in tally.rules.items():
        more = f" ({count - most} not printed, --show 0)" if most and count > most else ""
        print(f"\n{rule}: {count} found{more}. {RULES[rule].meaning}\n  what to do: {RULES[rule].fix}")
    rows = ", ".join(f"{count} {kind.replace('_', ' ')}s" for kind, count in sorted(tally.rows.items())) or "no rows"
    print(f"\n{rows}: {tally.errors} errors, {tally.warnings} warnings" if tally.rules else f"{rows}: valid")
