"""`palestra data lineage`."""

import argparse
import json
from pathlib import Path

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json
from palestra.core.errors import PalestraError
from palestra.data.registry import FOLDER, Registry
from palestra.data.trace import Node, Step, lineage
from palestra.data.versions import find_version

SUMMARY = "what a file was made from, and what was made from it"
DESCRIPTION = """Show what a file was made from and what was made from it, with the settings of each step.

Steps are those of convert, prepare, split, download, curate and export, and runs of collect. DATA may also be a
registered version. A file that has changed since is marked.

exit codes: 0 done; 2 it could not start."""
EXAMPLE = "palestra data lineage curated.jsonl --json"
SETTINGS_SHOWN = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="a file, a folder, or a version as NAME@NUMBER")
    parser.add_argument("--settings", action="store_true", help="print all settings of each step")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.data)
    if not path.exists():
        path = path_of_version(arguments.data)
    made_from, made_with = lineage(path)
    if arguments.json:
        print_json({"path": made_from.path, "sha256": made_from.sha256, "rows": made_from.rows,
                    "versions": made_from.versions, "made_by": made_from.to_json()["steps"],
                    "used_by": made_with.to_json()["steps"]})  # fmt: skip
        return 0
    print(described(made_from))
    if not made_from.steps and not made_with.steps:
        print(f"  nothing is known of it in any {FOLDER} folder above it or beside it")
    print_steps(made_from.steps, "made by", 1, arguments.settings)
    print_steps(made_with.steps, "used by", 1, arguments.settings)
    return 0


def path_of_version(label: str) -> Path:
    registry = Registry.near(Path("x"))
    if "@" not in label and not registry.versions(name=label):
        raise PalestraError("missing-file", f"no file, folder or version {label!r}")
    version = find_version(label, registry)
    if not Path(version.path).exists():
        raise PalestraError("missing-file", f"{version.label} was {version.path}, which is gone", fix="Restore it.")
    return Path(version.path)


def print_steps(steps: list[Step], verb: str, depth: int, settings: bool) -> None:
    indent = "  " * depth
    for step in steps:
        code = f" (palestra {step.palestra})" if step.palestra else ""
        print(f"{indent}{verb} {step.operation}{code}")
        text = json.dumps(step.config)
        is_short = settings or len(text) <= SETTINGS_SHOWN
        print(f"{indent}  settings: {text if is_short else text[:SETTINGS_SHOWN] + '... (--settings)'}")
        for node in step.files:
            print(f"{indent}  {'from' if verb == 'made by' else 'into'} {described(node)}")
            print_steps(node.steps, verb, depth + 2, settings)


def described(node: Node) -> str:
    rows = "" if node.rows is None else f", {node.rows} rows"
    versions = f" [{', '.join(node.versions)}]" if node.versions else ""
    state = "" if node.state == "as recorded" else f", {node.state} since"
    return f"{node.path}{versions}{rows}, sha256 {node.sha256[:12]}{state}"
