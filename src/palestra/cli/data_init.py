"""`palestra data init`."""

import argparse
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.data.layout import make_layout

SUMMARY = "the folders of a dataset project"
DESCRIPTION = """Make the folders of a dataset project, with a README that says what belongs where.

Nothing that is there already is changed, so the command can be repeated.

exit codes: 0 done; 1 the folder cannot be written; 2 it could not start."""
EXAMPLE = "palestra data init my_data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the project's folder")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    made = make_layout(arguments.folder)
    if arguments.json:
        print_json({"made": [str(path) for path in made]})
    else:
        print("\n".join(map(str, made)) or f"{arguments.folder} has everything already")
    return 0
