"""Find damage in a run's files and set it aside.

Checks F, and the failures and materialized inputs beside it: bits that flipped, lines cut short by a crash, lines that
are there twice. They move to <F stem>_quarantine.jsonl, and nothing is ever deleted; `palestra collect --resume` then
plays the rollouts again that were lost with them. F may be rollouts of any producer: lines without a checksum have to
be JSON objects.

exit codes: 0 sound; 1 damage was found; 2 it could not start."""

import argparse
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.store.fsck import Checked, fsck
from palestra.store.repair import FileState

EXAMPLE = "palestra fsck rollouts.jsonl --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="F", help="rollouts")
    parser.add_argument("--dry-run", action="store_true", help="only report, change nothing")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    checked = fsck(arguments.file, repairs=not arguments.dry_run)
    if arguments.json:
        print_json(checked.to_json())
    else:
        for state in checked.files:
            print_state(state)
        print(advice(checked, repaired=not arguments.dry_run))
    return 0 if checked.is_sound else 1


def print_state(state: FileState) -> None:
    vouched = "" if state.without_checksum == 0 else f", {state.without_checksum} of them without a checksum"
    print(f"{state.path}: {state.lines} lines{vouched}: {'sound' if state.is_sound else 'damaged'}")
    for finding in state.findings():
        print(f"  {finding}")


def advice(checked: Checked, *, repaired: bool) -> str:
    if checked.is_sound:
        return "sound"
    if not repaired:
        return "damaged; nothing was changed. Run this again without --dry-run: it sets the damage aside."
    return (
        f"the damage is set aside in {checked.paths.quarantine}. Run the `palestra collect` that made the file again, "
        "with --resume: it plays what is missing."
    )
