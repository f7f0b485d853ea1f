"""Answer a task yourself: see what a model sees, reply, and read the verdict.

Type your reply and end it with an empty line. Call a tool with a line such as
  /get_weather {"city": "Rome"}
End of input (Ctrl-D) ends the episode and has it judged."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from typing import Any, TextIO

from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.cli.options import add_environment_options, add_role_options, add_sandbox_option, read_own_options
from palestra.collection.endpoints import Endpoints
from palestra.collection.models import open_roles, read_roles, require_roles
from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Reply, Sampling, TokenTrace, ToolSchema
from palestra.core.transcript import assistant_message, content_text, function_calls, output_text
from palestra.core.verdict import Verdict
from palestra.data.load import rows_of_environment
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.lent_sandbox import lend
from palestra.hosts.local import LocalHost

EXAMPLE = "palestra play guess_number --task 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV", help="a name, a folder or module:Class")
    parser.add_argument("--task", type=int, default=0, metavar="N", help="which of its tasks, from 0")
    add_role_options(parser)
    add_sandbox_option(parser)
    add_environment_options(parser)


def execute(arguments: argparse.Namespace) -> int:
    verdict = asyncio.run(play(arguments, sys.stdin, sys.stdout))
    print(f"\nreward {verdict.reward:g}" + (f": {verdict.reason}" if verdict.reason else ""))
    for name, value in {**verdict.components, **verdict.metrics}.items():
        print(f"  {name}: {value}")
    return 0


async def play(arguments: argparse.Namespace, source_of_text: TextIO, screen: TextIO) -> Verdict:
    source = find(arguments.environment)
    options = read_own_options(arguments.option, source)
    row = next((row.content for row in islice(rows_of_environment(source, None), arguments.task, None)), None)
    if row is None:
        raise PalestraError("usage", f"{source.name} has no task {arguments.task}")
    choices = read_roles(arguments.role, arguments.role_option)
    require_roles(source, options, choices)
    async with AsyncExitStack() as stack:
        roles = await open_roles(choices, Endpoints(), stack)
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        lent = await lend(arguments.sandbox, [source], stack)
        host = LocalHost(source, options, pool, roles, lent)
        stack.push_async_callback(host.close)
        try:
            return await played(host, row, Person(source_of_text, screen))
        except Failure as failure:
            raise PalestraError(failure.code, str(failure)) from failure


async def played(host: LocalHost, row: Mapping[str, Any], person: "Person") -> Verdict:
    session = await host.open(row, seed=0)
    try:
        trajectory = await ToolLoop(AgentLimits()).run(session, person, Sampling())
        return await session.verify(trajectory.transcript)
    finally:
        await session.close()


class Person:
    """A model that is you."""

    name = "person"

    def __init__(self, source_of_text: TextIO, screen: TextIO) -> None:
        self.source_of_text = source_of_text
        self.screen = screen
        self.shown = 0

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        for item in items[self.shown :]:
            self.show(item)
        if self.shown == 0 and tools:
            print(f"\n(tools: {', '.join(tool['name'] for tool in tools)})", file=self.screen)
        reply, ended = await asyncio.to_thread(self.read)
        # What was typed here need not be shown again.
        self.shown = len(items) + len(reply)
        calls = bool(function_calls(reply))
        stop_reason = "max_output_tokens" if ended and not reply else "tool_calls" if calls else "stop"
        return Reply(tuple(reply), stop_reason, self.name)

    def show(self, item: Item) -> None:
        if item.get("type") == "function_call_output":
            print(f"\n--- result\n{output_text(item)}", file=self.screen)
        else:
            text = content_text(item.get("content"))
            print(f"\n--- {item.get('role', item.get('type'))}\n{text}", file=self.screen)

    def read(self) -> tuple[list[Item], bool]:
        """The items of one reply, and whether the input has ended."""
        print("\n> ", end="", file=self.screen, flush=True)
        lines: list[str] = []
        calls: list[Item] = []
        while line := self.source_of_text.readline():
            if line.startswith("/"):
                name, _, arguments = line[1:].strip().partition(" ")
                call_id = f"call_{len(calls)}"
                calls.append(
                    {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments or "{}"}
                )
            elif not line.strip() and (lines or calls):
                break
            else:
                lines.append(line)
        text = "".join(lines).strip()
        return ([assistant_message(text)] if text else []) + calls, not line

    async def close(self) -> None:
        return
