"""What runs the code that models write.

`check` runs a file of hostile programs against the boundary in force and says which of them it did not stop. Each case
stands beside secrets, listeners and processes that must not be reached or harmed; what it did is observed from outside.
With --backend none the programs run without any boundary, so that one sees that the check can fail.

exit codes: 0 every case was stopped; 1 some were not; 2 it could not start."""

import argparse
import asyncio
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json, remark
from palestra.conformance.boundary.check import CorpusReport, check_corpus
from palestra.conformance.boundary.corpus import Case, read_corpus
from palestra.core.errors import PalestraError
from palestra.sandbox.open import open_sandbox

EXAMPLE = "palestra sandbox check hostile.jsonl --json"

BACKENDS = ("namespaces", "landlock", "weak", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="run hostile programs against the boundary",
        description="Run hostile programs against the boundary; say which were not stopped.",
        epilog=f"example:\n  {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    check.add_argument("corpus", type=Path, metavar="CORPUS", help="the programs, as JSONL")
    chosen = "another boundary than the strongest that this machine has; none is no boundary at all"
    check.add_argument("--backend", choices=BACKENDS, help=chosen)
    add_json_option(check)
    check.set_defaults(run=run_check, parser=check)


def execute(arguments: argparse.Namespace) -> int:
    return arguments.run(arguments)


def run_check(arguments: argparse.Namespace) -> int:
    backend = arguments.backend or strongest()
    cases = list(read_corpus(arguments.corpus))
    if not cases:
        raise PalestraError("invalid-row", f"{arguments.corpus} holds no program", fix="Give at least one line.")
    report = check_corpus(cases, backend, tell)
    if arguments.json:
        named = report.to_json()
        print_json({name: named[name] for name in ("n", "stopped", "failed", "backend")})
    else:
        print_check(report)
    return int(bool(report.failed))


def strongest() -> str:
    """The boundary in force. Raises PalestraError (`sandbox-missing`) if no strong one is."""

    async def opened() -> str:
        sandbox = await open_sandbox("strong")
        await sandbox.close()
        return sandbox.backend

    return asyncio.run(opened())


def tell(case: Case, found: list[str]) -> None:
    remark(f"{'stopped' if not found else 'NOT stopped'}  {case.id}")


def print_check(report: CorpusReport) -> None:
    for name, reasons in report.failed.items():
        print(f"not stopped  {name}: {'; '.join(reasons)}")
    print(f"{report.backend}: {report.stopped} of {report.n} stopped")
