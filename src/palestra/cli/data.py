"""Task rows and datasets: made, checked, prepared, split, compared, registered and exchanged."""

import argparse
import importlib
from types import MappingProxyType

EXAMPLE = "palestra data validate tasks.jsonl --env word_problems"

COMMANDS = MappingProxyType(
    {
        "init": "data_init",
        "generate": "data_generate",
        "validate": "data_validate",
        "convert": "data_convert",
        "prepare": "data_prepare",
        "split": "data_split",
        "decontaminate": "data_decontaminate",
        "diff": "data_diff",
        "version": "data_version",
        "lineage": "data_lineage",
        "download": "data_download",
        "upload": "data_upload",
    }
)
"""Which module knows a command: its SUMMARY, DESCRIPTION, EXAMPLE, `add_arguments` and `run`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(f"palestra.cli.{module_name}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)


def execute(arguments: argparse.Namespace) -> int:
    return arguments.run(arguments)
