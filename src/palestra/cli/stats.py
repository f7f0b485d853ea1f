"""Metrics of rollout files, of any producer of the format: read once, streaming."""

import argparse
import sys
from pathlib import Path

from palestra.cli.collect import metric_rows
from palestra.cli.options import add_json_option
from palestra.cli.output import print_json, print_table
from palestra.core.errors import PalestraError
from palestra.monitor.metrics import aggregate, read_columns

EXAMPLE = "palestra stats rollouts.jsonl --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="F", help="rollout files")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    for path in arguments.files:
        if not path.is_file():
            raise PalestraError("missing-file", f"no file {path}")
    problems: list[str] = []
    metrics = aggregate(read_columns(arguments.files, problems))
    for problem in problems:
        print(problem, file=sys.stderr)
    if arguments.json:
        print_json(metrics)
        return 0
    for entry in metrics:
        groups = entry["group_level_metrics"]
        count = sum(group["num_rollouts"] for group in groups)
        print(f"{entry['agent_ref']['name']}: {count} rollouts of {len(groups)} tasks")
        print_table(("metric", "value"), metric_rows(entry["agent_metrics"]))
        print()
    return 0
