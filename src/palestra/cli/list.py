"""List the environments of this installation. Nothing is imported for it."""

import argparse

from palestra.cli.options import add_json_option
from palestra.cli.output import print_json, print_table
from palestra.core.discovery import Source, every_environment
from palestra.data.load import count_rows, rows_of_file
from palestra.wire.rows import PARAMS

EXAMPLE = "palestra list --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    sources = sorted(every_environment(), key=lambda source: source.name)
    if arguments.json:
        print_json([entry(source) for source in sources])
        return 0
    rows = [
        (
            source.name,
            source.manifest.domain,
            source.manifest.reward.kind,
            len(source.manifest.tools) or ("in rows" if rows_bring_tools(source) else "-"),
            tasks(source),
            source.manifest.summary,
        )
        for source in sources
    ]
    print_table(("name", "domain", "reward", "tools", "tasks", "summary"), rows)
    return 0


def entry(source: Source) -> dict[str, object]:
    manifest = source.manifest
    return {
        "name": source.name,
        "domain": manifest.domain,
        "reward": manifest.reward.model_dump(),
        "tools": list(manifest.tools),
        "tools_in_rows": rows_bring_tools(source),
        "tasks": tasks(source),
        "reverify": manifest.reverify,
        "summary": manifest.summary,
        "licence": manifest.licence,
        "requires": list(manifest.requires),
    }


def tasks(source: Source) -> int:
    path = source.folder / "tasks.jsonl"
    return count_rows(path) if path.is_file() else 0


def rows_bring_tools(source: Source) -> bool:
    """Whether the first task brings its own tools, as all of them then do."""
    path = source.folder / "tasks.jsonl"
    first = next(rows_of_file(path), None) if path.is_file() else None
    params = first.content.get(PARAMS) if first is not None else None
    return isinstance(params, dict) and bool(params.get("tools"))
