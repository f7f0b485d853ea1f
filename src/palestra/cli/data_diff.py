"""`palestra data diff`."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.data.diff import Change, diff, usual_key
from palestra.data.validate.rules import shown

SUMMARY = "rows that were added, removed or changed between two files"
DESCRIPTION = """Compare two files by what their rows are, wherever they stand: rows added, removed, and changed fields.

Rows are told apart by --key; without it by palestra.key, id, uuid or task_id if both files begin with it, else by
their content, and then a changed row is one removed and one added.

exit codes: 0 the same rows; 1 they differ; 2 it could not start."""
EXAMPLE = "palestra data diff tasks_1.jsonl tasks_2.jsonl --key id"
SIGNS = {"added": "+", "removed": "-", "changed": "~"}.items()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", type=Path, metavar="A", help="the earlier file")
    parser.add_argument("new", type=Path, metavar="B", help="the later file")
    parser.add_argument("--key", metavar="FIELD", help="what a row is known by; a path with dots")
    parser.add_argument("--show", type=int, default=20, metavar="N", help="changes printed; 0 prints all")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    key = arguments.key or usual_key(arguments.old, arguments.new)
    counts = Counter[str]()
    changes = diff(arguments.old, arguments.new, counts, key=key)
    if arguments.json:
        sys.stdout.write('{"changes": [')
        for number, change in enumerate(changes):
            sys.stdout.write((",\n" if number else "\n") + json.dumps(change.to_json()))
        totals = {name: counts[name] for name in ("added", "removed", "changed", "same")}
        sys.stdout.write("],\n" + json.dumps({"key": key, **totals})[1:] + "\n")
    else:
        for number, change in enumerate(changes):
            if not arguments.show or number < arguments.show:
                print_change(change)
        total = counts["added"] + counts["removed"] + counts["changed"]
        if arguments.show and total > arguments.show:
            print(f"and {total - arguments.show} more changes (--show 0)")
        told = ", ".join(f"{counts[name]} {name}" for name in ("added", "removed", "changed", "same"))
        print(f"{told}; rows are known by {key or 'their content'}")
    return int(any(counts[name] for name in ("added", "removed", "changed")))


def print_change(change: Change) -> None:
    print(f"{dict(SIGNS)[change.kind]} line {change.line}: {change.key}")
    for name, old, new in change.fields:
        print(f"    {name}: {shown(old)} -> {shown(new)}")
