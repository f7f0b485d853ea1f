"""Judge stored rollouts again, without playing them, and compare with the reward they were given.

F holds plain rollouts of any producer, or with --recorded lines of {"row": ..., "recorded": ...}. A rollout that cannot
be judged is a failure, never a reward of 0. Where a judge model decided, its stored replies are read again; with
--role judge=... it is asked anew.

exit codes: 0 all agree; 1 some disagree or failed; 2 it could not start."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from palestra.cli.options import add_environment_options, add_json_option, add_role_options, read_options
from palestra.cli.output import print_json
from palestra.collection.endpoints import Endpoints
from palestra.collection.models import open_roles, read_roles
from palestra.collection.verify import Agreement, compare, stored_rollouts, verify_all, with_verdict
from palestra.core.discovery import find
from palestra.core.errors import PalestraError
from palestra.core.verdict import Verdict
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.wire.encoding import encode_with_checksum

EXAMPLE = "palestra verify rollouts.jsonl --env mcqa --output judged_again.jsonl"

SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="F", help="rollouts")
    parser.add_argument("--env", required=True, metavar="ENV", help="the environment that judges")
    parser.add_argument("--output", type=Path, metavar="F", help="write the rollouts with the new verdicts")
    parser.add_argument("--recorded", action="store_true", help='lines are {"row": ..., "recorded": ...}')
    add_role_options(parser)
    add_environment_options(parser)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    agreement = asyncio.run(verify(arguments))
    if arguments.json:
        print_json(agreement.to_json())
    else:
        print_agreement(agreement)
    return int(bool(agreement.disagree or agreement.failed))


async def verify(arguments: argparse.Namespace) -> Agreement:
    source = find(arguments.env)
    values = read_options(arguments.option, [source.name])
    options = source.options({**values.get("*", {}), **values.get(source.name, {})})
    if arguments.output is not None and arguments.output.exists():
        raise PalestraError("output-exists", f"{arguments.output} exists already", fix="Name another --output.")
    agreement = Agreement()
    async with AsyncExitStack() as stack:
        roles = await open_roles(read_roles(arguments.role, arguments.role_option), Endpoints(), stack)
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        host = LocalHost(source, options, pool, roles)
        stack.push_async_callback(host.close)
        output = stack.enter_context(arguments.output.open("wb")) if arguments.output else None
        stored = stored_rollouts(arguments.file, recorded=arguments.recorded)
        async for rollout, outcome in verify_all(host, stored, reverify=source.manifest.reverify):
            compare(agreement, rollout, outcome)
            if output is not None and isinstance(outcome, Verdict):
                output.write(encode_with_checksum(with_verdict(rollout.line, outcome)) + b"\n")
    return agreement


def print_agreement(agreement: Agreement) -> None:
    print(f"{agreement.n} rollouts: {agreement.agree} agree, {len(agreement.disagree)} disagree,", end=" ")
    print(f"{len(agreement.failed)} failed, {agreement.unsupported} unsupported")
    for entry in agreement.disagree[:SHOWN]:
        reason = f": {entry['reason']}" if entry["reason"] else ""
        print(f"  row {entry['row']}: recorded {entry['recorded']}, ours {entry['ours']}{reason}")
    for entry in agreement.failed[:SHOWN]:
        print(f"  row {entry['row']}: {entry['class']}: {entry['reason']}")
    if max(len(agreement.disagree), len(agreement.failed)) > SHOWN:
        print("  ... all of them with --json")
