"""`palestra data generate`."""

import argparse
from pathlib import Path

from palestra.cli.options import add_environment_options, add_json_option, read_own_options
from palestra.cli.output import print_json
from palestra.collection.generate import write_generated
from palestra.core.discovery import find
from palestra.core.errors import PalestraError

SUMMARY = "rows from an environment's generator"
DESCRIPTION = """Write task rows from an environment's generator.

The same seed and options give the same file, byte for byte, and a larger --n the same rows and more. The file appears
when it is whole; an existing one is never replaced unless --overwrite says so.

exit codes: 0 done; 1 the file cannot be written; 2 it could not start, or the generator broke. No file is left then."""
EXAMPLE = "palestra data generate word_problems --n 1000 --seed 7 --output tasks.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="a name, a folder or module:Class")
    parser.add_argument("--n", type=int, required=True, metavar="N", help="how many rows")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="decides the rows, together with the options")
    parser.add_argument("--output", type=Path, required=True, metavar="TASKS", help="the rows, as JSONL")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    add_environment_options(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.n < 1:
        raise PalestraError("usage", f"--n must be at least 1, got {arguments.n}")
    source = find(arguments.environment)
    size = write_generated(
        source,
        read_own_options(arguments.option, source),
        arguments.output,
        seed=arguments.seed,
        n=arguments.n,
        overwrites=arguments.overwrite,
    )
    if arguments.json:
        print_json({"output": str(arguments.output), "rows": arguments.n, "bytes": size})
    else:
        print(f"{arguments.n} rows of {source.name} in {arguments.output}")
    return 0
