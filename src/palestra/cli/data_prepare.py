"""`palestra data prepare`."""

import argparse
import sys
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.data.prepare.config import IN_SCOPE, read_config
from palestra.data.prepare.run import Prepared, prepare
from palestra.data.sources.download import fetch_missing

SUMMARY = "datasets as training reads them, with NeMo Gym's steps and file names"
DESCRIPTION = """Check datasets, repeat their rows, give each its agent, and write train, validation or example files.

Beside each dataset: <stem>_prepare.jsonl and <stem>_metrics.json. In the output folder: <type>.jsonl and
<type>_metrics.json. A row that is no valid task ends it before anything is written. Metrics that differ from a file
that is there go to <stem>_metrics_conflict.json, and the file stays.

exit codes: 0 done; 1 metrics are in conflict, everything else is written; 2 it could not start, or a row is wrong."""
EXAMPLE = "palestra data prepare datasets.toml --mode train_preparation --output prepared"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="DATASETS", help="the datasets, as TOML")
    parser.add_argument("--mode", choices=tuple(IN_SCOPE), required=True, help="train and validation sets, or examples")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder of the collated files")
    parser.add_argument("--download", action="store_true", help="fetch datasets that are not there")
    source = "where to fetch from, for datasets that name both"
    parser.add_argument("--data-source", choices=("huggingface", "gitlab"), default="huggingface", help=source)
    invalid = "leave wrong rows out and write them to <stem>_rejected.jsonl"
    parser.add_argument("--skip-invalid", action="store_true", help=invalid)
    overwrite = "replace metrics files that differ, and say how"
    parser.add_argument("--overwrite-metrics", action="store_true", help=overwrite)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    datasets = read_config(arguments.config).in_scope(arguments.mode)
    if arguments.download:
        fetch_missing(datasets, arguments.data_source)
    result = prepare(
        datasets,
        arguments.mode,
        arguments.output,
        overwrites_metrics=arguments.overwrite_metrics,
        skips=arguments.skip_invalid,
    )
    failed = bool(result.conflicts) and not arguments.overwrite_metrics
    if arguments.json:
        files = list(map(str, result.files))
        print_json({"files": files, "rows": result.rows, "remarks": result.remarks, "conflicts": result.conflicts})
    else:
        print_result(result, failed=failed)
    return int(failed)


def print_result(result: Prepared, *, failed: bool, remedy: str = "--overwrite-metrics") -> None:
    for path in result.files:
        print(path)
    for kind, count in result.rows.items():
        print(f"{count} rows for {kind}")
    for remark in result.remarks:
        print(f"note: {remark}", file=sys.stderr)
    for path, differences in result.conflicts.items():
        print(f"{path} {'differs and stays as it is' if failed else 'differed and was replaced'}:", file=sys.stderr)
        for difference in differences:
            print(f"  {difference}", file=sys.stderr)
    if failed:
        print(f"what to do: if the new metrics are right, repeat with {remedy}", file=sys.stderr)
