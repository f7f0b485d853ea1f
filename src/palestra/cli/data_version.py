"""`palestra data version`."""

import argparse
from pathlib import Path
from typing import Any

from palestra.cli.options import add_json_option, read_value
from palestra.cli.output import print_json, print_table
from palestra.core.errors import PalestraError
from palestra.data.registry import Registry, Version
from palestra.data.versions import register, state_of

SUMMARY = "a name and a number for a content that never changes"
DESCRIPTION = """Register a file or folder as a version of a dataset, by the hash of its content.

The same content again is the same version. <DATA>.version.json beside it says which it is, for git. Without DATA, list
what is registered; with --check, say which of it is still as it was.

exit codes: 0 done; 1 with --check, something has changed or is missing; 2 it could not start."""
EXAMPLE = "palestra data version tasks.jsonl --name word_problems --license MIT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, nargs="?", metavar="DATA", help="a file or a folder")
    parser.add_argument("--name", metavar="DATASET", help="what it is a version of; the file's stem if not given")
    parser.add_argument("--license", metavar="LICENCE", help="under which it may be used")
    parser.add_argument("--source", metavar="TEXT", help="where it comes from")
    parents = "a file or folder that it was made from, where no record says so; repeatable"
    parser.add_argument("--parent", type=Path, action="append", default=[], metavar="DATA", help=parents)
    more = "anything else that should be known; VALUE is JSON or text; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=more)
    parser.add_argument("--check", action="store_true", help="compare what is registered with what is there")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.path is None:
        return list_versions(Registry.near(Path("x")), arguments)
    registry = Registry.near(arguments.path)
    if not arguments.path.exists():
        raise PalestraError("missing-file", f"no file or folder {arguments.path}")
    metadata = {**read_metadata(arguments.set), "license": arguments.license, "source": arguments.source}
    given = {name: value for name, value in metadata.items() if value is not None}
    name = arguments.name or arguments.path.stem
    version = register(arguments.path, name, given, tuple(arguments.parent), registry=registry)
    if arguments.json:
        print_json(version.to_json())
    else:
        rows = "" if version.rows is None else f"{version.rows} rows, "
        print(f"{version.label}: {rows}{version.size_bytes} bytes, sha256 {version.sha256}")
    return 0


def read_metadata(texts: list[str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise PalestraError("usage", f"--set must be KEY=VALUE, got {text!r}")
        metadata[key] = read_value(value)
    return metadata


def list_versions(registry: Registry, arguments: argparse.Namespace) -> int:
    versions = registry.versions(name=arguments.name)
    states = {version.label: state_of(version) if arguments.check else "" for version in versions}
    if arguments.json:
        told = [version.to_json() for version in versions]
        if arguments.check:
            told = [{**entry, "state": states[entry["version"]]} for entry in told]
        print_json({"registry": str(registry.path), "versions": told})
    elif versions:
        header = ("version", "rows", "sha256", "license", "path", *(("state",) if arguments.check else ()))
        print_table(header, [line_of(version, states[version.label]) for version in versions])
    else:
        print(f"nothing is registered in {registry.path}")
    return int(arguments.check and any(state != "as registered" for state in states.values()))


def line_of(version: Version, state: str) -> list[Any]:
    rows = "" if version.rows is None else version.rows
    licence = version.metadata.get("license", "")
    return [version.label, rows, version.sha256[:12], licence, version.path, *([state] if state else [])]
