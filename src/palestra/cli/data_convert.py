"""`palestra data convert`."""

import argparse
import sys
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.collection.generate import require_free
from palestra.core.errors import PalestraError
from palestra.data.adapters.convert import task_rows
from palestra.data.adapters.mapping import read_mapping
from palestra.data.lineage import record_derivation
from palestra.store.paths import replacing
from palestra.wire.encoding import encode

SUMMARY = "CSV, parquet, chat, ShareGPT, Alpaca, xLAM and DPO rows as task rows or rollouts"
DESCRIPTION = """Write rows of another file or shape as task rows, as a mapping file says.

A mapping with a table [rollout] makes rollouts of rows that hold what a model said and what it was worth.

Reads JSONL, JSON arrays, CSV, TSV, parquet, and folders that Hugging Face datasets saved. A row that cannot be mapped
is told with its place and is not written; columns that nothing reads are kept.

exit codes: 0 all rows are written; 1 some could not be mapped, the others are written; 2 it could not start."""
EXAMPLE = "palestra data convert gsm8k.csv --mapping gsm8k.toml --output tasks.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="TABLE", help="rows, or a folder saved by Hugging Face datasets")
    parser.add_argument(
        "--mapping", type=Path, required=True, metavar="MAPPING", help="how a row becomes a task, as TOML"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="TASKS", help="the task rows, as JSONL")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    require_free(arguments.output, overwrites=arguments.overwrite)
    mapping = read_mapping(arguments.mapping)
    written = broken = 0
    with replacing(arguments.output) as file:
        for row in task_rows(arguments.file, mapping):
            if row.problem is not None:
                broken += 1
                print(row.problem, file=sys.stderr)
                continue
            written += 1
            file.write(encode(dict(row.content)) + b"\n")
        if not written:
            raise PalestraError("invalid-row", f"no row of {arguments.file} could be written", fix="Mend the mapping.")
    record_derivation(arguments.output, [arguments.file], "convert", mapping.model_dump(mode="json"))
    if arguments.json:
        print_json({"output": str(arguments.output), "rows": written, "not_mapped": broken})
    else:
        print(f"{written} rows in {arguments.output}" + (f", {broken} could not be mapped" if broken else ""))
    return int(broken > 0)
