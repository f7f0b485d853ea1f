"""Show one environment (tasks, options, tools, reward, what a model is asked), or one rollout of a file."""

import argparse
import asyncio
from itertools import islice
from pathlib import Path
from typing import Any

from palestra.cli.list import entry
from palestra.cli.options import add_environment_options, add_json_option, read_own_options
from palestra.cli.output import print_json, print_table
from palestra.cli.transcript import print_rollout, read_rollout
from palestra.core.discovery import Source, find
from palestra.core.session import Session
from palestra.core.transcript import content_text
from palestra.data.load import rows_of_environment
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost

EXAMPLE = "palestra show mcqa"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", metavar="ENV|F", help="a name, a folder, module:Class, or a file of rollouts")
    parser.add_argument("--task", type=int, default=0, metavar="N", help="which task, or line of the file, from 0")
    add_environment_options(parser)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    path = Path(arguments.subject)
    if path.suffix == ".jsonl":
        rollout = read_rollout(path, arguments.task)
        print_json(rollout) if arguments.json else print_rollout(rollout)
        return 0
    source = find(arguments.subject)
    options = read_own_options(arguments.option, source)
    row = next((dict(row.content) for row in islice(rows_of_environment(source, None), arguments.task, None)), None)
    session = asyncio.run(opened(source, options, row)) if row is not None else None
    shown = {
        **entry(source),
        "version": source.manifest.version,
        "agent": source.manifest.agent,
        "answer_fields": list(source.manifest.answer_fields),
        "can_generate": source.load().can_generate(),
        "options": describe_options(options),
        "task": row,
        "prompt": list(session.prompt) if session else None,
        "tools": list(session.tools) if session else None,
    }
    print_json(shown) if arguments.json else print_shown(source, shown)
    return 0


async def opened(source: Source, options: Any, row: dict[str, Any]) -> Session:
    """A session of a row, closed again: its prompt and tools stay readable."""
    pool = GradingPool()
    host = LocalHost(source, options, pool)
    try:
        session = await host.open(row, seed=0)
        await session.close()
        return session
    finally:
        await host.close()
        await pool.close()


def describe_options(options: Any) -> list[dict[str, Any]]:
    properties = type(options).model_json_schema().get("properties", {})
    return [
        {
            "name": name,
            "type": str(properties[name].get("type") or properties[name].get("enum") or "any"),
            "value": getattr(options, name),
            "description": field.description,
        }
        for name, field in type(options).model_fields.items()
    ]


def print_shown(source: Source, shown: dict[str, Any]) -> None:
    reward = shown["reward"]
    print(f"{shown['name']}: {shown['summary']}")
    print(f"  folder    {source.folder}")
    print(f"  domain    {shown['domain']}")
    print(f"  reward    {reward['kind']}, {reward['minimum']:g} to {reward['maximum']:g}")
    print(f"  tasks     {shown['tasks']}{', and a generator (--generate N)' if shown['can_generate'] else ''}")
    print(f"  reverify  {shown['reverify']}")
    print(f"  licence   {shown['licence']}")
    if shown["options"]:
        print()
        rows = [
            (entry["name"], entry["type"], entry["value"], entry["description"] or "") for entry in shown["options"]
        ]
        print_table(("option", "type", "value", "meaning"), rows)
    for item in shown["prompt"] or []:
        print(f"\n--- {item.get('role', item.get('type'))}\n{content_text(item.get('content'))}")
    for tool in shown["tools"] or []:
        names = ", ".join((tool.get("parameters") or {}).get("properties") or {})
        print(f"\n--- tool {tool['name']}({names})\n{tool.get('description') or ''}")
