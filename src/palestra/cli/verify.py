"""Judge stored rollouts again, without playing them, and compare with the reward they were given.

F holds plain rollouts of any producer, or with --recorded lines of {"row": ..., "recorded": ...}. A rollout that cannot
be judged is a failure, never a reward of 0. Where a judge model decided, its stored replies are read again; with
--role judge=... it is asked anew. With --second another verifier judges the same rollouts, and the two are compared;
roles are for both, and --option 'second.judge_roles=["other"]' gives the second a judge of its own.
With --group the environment compares the rollouts of each task (its `verify_group`) and makes the rewards of --output
anew; `raw_reward` keeps the first ones.

exit codes: 0 all agree; 1 some disagree or failed; 2 it could not start."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from palestra.cli.options import (
    add_environment_options,
    add_json_option,
    add_role_options,
    add_sandbox_option,
    read_options,
)
from palestra.cli.output import print_json
from palestra.cli.verify_output import print_agreement, show_comparison, show_groups
from palestra.collection.answer_keys import environment_of
from palestra.collection.endpoints import Endpoints
from palestra.collection.group import GroupReport, verify_groups, with_group_verdict
from palestra.collection.models import open_roles, read_roles
from palestra.collection.second import Comparison, compare_verifiers
from palestra.collection.verify import Agreement, compare, stored_rollouts, verify_all, with_verdict
from palestra.core.discovery import Source, find
from palestra.core.errors import Failure, PalestraError
from palestra.core.verdict import Verdict
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.lent_sandbox import lend
from palestra.hosts.local import LocalHost
from palestra.store.paths import replacing
from palestra.wire.encoding import encode_with_checksum

EXAMPLE = "palestra verify rollouts.jsonl --env mcqa --output judged_again.jsonl"

SECOND = "second"
"""In --option: the second verifier, which may be the same environment with other options."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="F", help="rollouts")
    parser.add_argument("--env", metavar="ENV", help="the environment that judges; without it, the one of the rollouts")
    parser.add_argument("--output", type=Path, metavar="F", help="write the rollouts with the new verdicts")
    parser.add_argument("--recorded", action="store_true", help='lines are {"row": ..., "recorded": ...}')
    ways = parser.add_mutually_exclusive_group()
    second = "another verifier: an environment or module:Class; its options are --option second.KEY=VALUE"
    ways.add_argument("--second", metavar="VERIFIER", help=second)
    ways.add_argument("--group", action="store_true", help="compare the rollouts of each task; needs --output")
    add_role_options(parser)
    add_sandbox_option(parser)
    add_environment_options(parser)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    require_sense(arguments)
    if arguments.second:
        return show_comparison(asyncio.run(compare_with_second(arguments)), as_json=arguments.json)
    if arguments.group:
        return show_groups(asyncio.run(judge_groups(arguments)), as_json=arguments.json)
    agreement = asyncio.run(verify(arguments))
    if arguments.json:
        print_json(agreement.to_json())
    else:
        print_agreement(agreement)
    return int(bool(agreement.disagree or agreement.failed))


def require_sense(arguments: argparse.Namespace) -> None:
    if arguments.group and (arguments.output is None or arguments.recorded):
        raise PalestraError("usage", "--group needs --output, and plain rollouts instead of --recorded")
    if arguments.second and arguments.output is not None:
        raise PalestraError("usage", "--second compares and writes nothing", fix="Leave out --output.")
    if arguments.output is not None and arguments.output.exists():
        raise PalestraError("output-exists", f"{arguments.output} exists already", fix="Name another --output.")


async def verify(arguments: argparse.Namespace) -> Agreement:
    agreement = Agreement()
    with arguments.output.open("wb") if arguments.output else nullcontext() as output:
        async with hosts(arguments) as (host,):
            stored = stored_rollouts(arguments.file, recorded=arguments.recorded)
            async for rollout, outcome in verify_all(host, stored, reverify=host.source.manifest.reverify):
                compare(agreement, rollout, outcome)
                if output is not None and isinstance(outcome, Verdict):
                    output.write(
                        encode_with_checksum(with_verdict(rollout.line, outcome, sandbox=host.backend)) + b"\n"
                    )
    return agreement


@asynccontextmanager
async def hosts(arguments: argparse.Namespace) -> AsyncIterator[list[LocalHost]]:
    """A host of the environment that judges, and one of the second verifier if there is one."""
    source = find(arguments.env or environment_of_file(arguments.file, recorded=arguments.recorded))
    chosen: list[tuple[Source, tuple[str, ...]]] = [(source, ("*", source.name))]
    if arguments.second:
        second = find(arguments.second)
        own = () if second.name == source.name else (second.name,)
        chosen.append((second, (*own, SECOND)))
    values = read_options(arguments.option, [*(environment.name for environment, _ in chosen), SECOND])
    if SECOND in values and not arguments.second:
        raise PalestraError("usage", f"--option {SECOND}.KEY=VALUE needs --second")
    async with AsyncExitStack() as stack:
        roles = await open_roles(read_roles(arguments.role, arguments.role_option), Endpoints(), stack)
        pool = GradingPool()
        stack.push_async_callback(pool.close)
        lent = await lend(arguments.sandbox, [environment for environment, _ in chosen], stack)
        opened: list[LocalHost] = []
        for environment, places in chosen:
            merged = {name: value for place in places for name, value in values.get(place, {}).items()}
            opened.append(LocalHost(environment, environment.options(merged), pool, roles, lent))
            stack.push_async_callback(opened[-1].close)
        yield opened


def environment_of_file(path: Path, *, recorded: bool) -> str:
    """The environment of the first rollout. Raises PalestraError if it names none."""
    first = next(stored_rollouts(path, recorded=recorded), None)
    name = environment_of(first.line) if first is not None else None
    if name is None:
        raise PalestraError("usage", f"{path} does not say which environment made it", fix="Name it with --env.")
    return name


async def compare_with_second(arguments: argparse.Namespace) -> Comparison:
    async with hosts(arguments) as (first, second):
        comparison = Comparison(first.source.name, second.source.name)
        async for latest in compare_verifiers(arguments.file, first, second, recorded=arguments.recorded):
            comparison = latest
        return comparison


async def judge_groups(arguments: argparse.Namespace) -> GroupReport:
    report = GroupReport()
    async with hosts(arguments) as (host,):
        with replacing(arguments.output) as output:
            async for outcome in verify_groups(host, arguments.file):
                report.add(outcome)
                if not isinstance(outcome.verdicts, Failure):
                    for stored, verdict in zip(outcome.rollouts, outcome.verdicts, strict=True):
                        output.write(encode_with_checksum(with_group_verdict(stored.line, verdict)) + b"\n")
    return report
