"""Collecting rollouts: the parts of a run put together, run, and summed up."""

import asyncio
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from typing import Any, TypeAlias

from pydantic import BaseModel

from palestra.agents.tool_loop import ToolLoop
from palestra.collection.agents import agent_of
from palestra.collection.config import CollectConfig
from palestra.collection.endpoints import Endpoints
from palestra.collection.fingerprint import (
    describe_environment,
    describe_tasks,
    fingerprint,
    require_same_run,
    write_description,
)
from palestra.collection.models import open_model, open_roles, require_roles
from palestra.collection.progress import ProgressLine
from palestra.collection.report import Report, write_metrics
from palestra.collection.signals import Signals
from palestra.core.discovery import Source, find
from palestra.core.errors import Failure, PalestraError, boundary, suggestion
from palestra.core.session import Host
from palestra.data.load import count_rows, generated_rows, rows_of_environment, rows_of_file
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.http import HttpHost
from palestra.hosts.lent_sandbox import lend
from palestra.hosts.local import LocalHost
from palestra.rollout.engine import Engine, RunLimits
from palestra.rollout.plan import Job, Row, jobs
from palestra.rollout.record import Outcome
from palestra.rollout.route import ByEnvironment, EnvironmentPlan
from palestra.store.jsonl import JsonlStore
from palestra.store.ledger import RolloutLedger
from palestra.store.paths import RunPaths, writing
from palestra.store.resume import resume

Show: TypeAlias = Callable[[str], None]

AUTO_CONCURRENCY_MAXIMUM = 1024
PROGRESS_INTERVAL_S = 0.2
FILES_PER_ROLLOUT = 4
"""Open files a rollout may need at a time: its connections, and pipes of what it runs."""
FILES_OF_A_RUN = 256


@dataclass(frozen=True, slots=True)
class Entrant:
    """One environment of a run, found and configured."""

    source: Source
    options: BaseModel
    agent: ToolLoop
    description: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known of a run after its last rollout."""

    progress: ProgressLine
    stored: int
    given_up: int
    problems: list[str]
    stop_reason: str | None


async def collect(
    config: CollectConfig,
    *,
    show: Show = lambda text: None,
    observe: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Collect what `config` says. Raises PalestraError before any rollout if something cannot work.

    `show` gets remarks for people (a fork's name, a healed file); `observe` each outcome once it is safe on disk.
    Progress goes to standard error.
    """
    entrants = await asyncio.to_thread(enter, config)
    total = await asyncio.to_thread(count_rollouts, config, entrants)
    if total == 0:
        where = config.input or ", ".join(entrant.source.name for entrant in entrants)
        raise PalestraError("usage", f"there is no task to play: {where} has none", fix="Give rows with --input.")
    with writing(config.output):
        paths = choose_paths(config, show)
    raise_file_limit(run_limits(config).concurrency)
    with Signals() as signals:
        ended = await play(config, entrants, paths, total, signals, show, observe)
        found: list[str] = []
        metrics = await asyncio.to_thread(write_metrics, paths, found, signals.is_time_over)
    for problem in found:
        show(problem)
    return Report(
        paths=paths,
        judged=ended.progress.judged,
        stored=ended.stored,
        failures=dict(ended.progress.failures),
        given_up=ended.given_up,
        elapsed_s=time.monotonic() - ended.progress.began,
        output_tokens=ended.progress.output_tokens,
        metrics=metrics,
        problems=[*ended.problems, *found],
        stop_reason=ended.stop_reason,
        signal_number=signals.number,
        max_failure_rate=config.max_failure_rate,
    )


async def play(
    config: CollectConfig,
    entrants: list[Entrant],
    paths: RunPaths,
    total: int | None,
    signals: Signals,
    show: Show,
    observe: Callable[[Outcome], None],
) -> Ended:
    """Read back what is stored, play what is owed, and close everything that was opened for it."""
    ledger = RolloutLedger(config.repeats, config.attempts)
    progress = ProgressLine(sys.stderr, total)
    remark = progress.remarks(show)
    async with AsyncExitStack() as stack:
        store = JsonlStore(paths, ledger, patience_s=config.disk_patience_s, tell=remark)
        stack.push_async_callback(store.close)
        resumed = await asyncio.to_thread(resume, paths, ledger)
        for problem in resumed.problems:
            show(problem)
        descriptions = {entrant.source.name: entrant.description for entrant in entrants}
        require_same_run(paths, descriptions, resumed)
        endpoints = Endpoints(config.endpoint_patience_s, run_limits(config).concurrency, config.concurrency == "auto")
        route = await open_route(config, entrants, endpoints, stack, show)
        tasks = await asyncio.to_thread(describe_tasks, config, paths.rollouts)
        write_description(paths, descriptions, tasks)
        # A resume may read millions of finished rows between two jobs; a stop must not wait for that.
        rows = takewhile(lambda row: engine.stop_reason is None, input_rows(config, entrants))
        planned = jobs(rows, ledger, environment_of=route.environment_of, repeats=config.repeats, seed=config.seed)
        progress.begin(resumed.rollouts)
        engine = Engine(route, store, run_limits(config), both(progress.observe, observe))
        signals.tell(engine.stop)
        with endpoints.heeded(remark, engine.stop):
            await run_shown(engine, planned, progress)
        # From here on nothing is left to stop.
        signals.stop = None
    if engine.error is not None:
        raise engine.error
    stored = resumed.rollouts + store.stored
    return Ended(progress, stored, ledger.given_up, resumed.problems, engine.stop_reason)


def enter(config: CollectConfig) -> list[Entrant]:
    """Find and configure all environments, so that a wrong name or option is told before anything starts."""
    sources = [find(spec) for spec in config.environments]
    names = [source.name for source in sources]
    for settings, label in ((config.options, "--option"), (config.sampling, "sampling")):
        for name in settings:
            if name != "*" and name not in names:
                raise PalestraError(
                    "usage", f"{label} names {name!r}, which is not collected.{suggestion(name, names)}"
                )
    if len(set(names)) != len(names):
        raise PalestraError("usage", f"an environment is named twice: {', '.join(names)}")
    entrants: list[Entrant] = []
    for source in sources:
        options = source.options(config.options_of(source.name))
        if config.host_url is None:
            require_roles(source, options, config.roles)
        description = describe_environment(source, options, config)
        entrants.append(Entrant(source, options, agent_of(source, config), description))
    return entrants


def choose_paths(config: CollectConfig, show: Show) -> RunPaths:
    if config.output.exists() and not config.output.is_file():
        kind = "a folder" if config.output.is_dir() else "no regular file"
        raise PalestraError("usage", f"--output {config.output} is {kind}", fix="Name a file of its own.")
    paths = RunPaths(config.output)
    if config.fork and (paths.is_used() or paths.run.exists()):
        paths = paths.forked()
        show(f"writing to {paths.rollouts}")
    elif paths.is_used() and not config.resume:
        raise PalestraError("output-exists", f"{paths.rollouts} or a file beside it already holds a run")
    written = [path for path in (paths.rollouts, paths.failures, paths.inputs) if path.exists()]
    if config.input is not None and any(config.input.samefile(path) for path in written):
        # Each line written would be another row to play.
        raise PalestraError("usage", f"--input {config.input} is a file that this run writes", fix="Copy it first.")
    return paths


def raise_file_limit(concurrency: int) -> None:
    """Allow this process the open files that so many rollouts need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_PER_ROLLOUT * concurrency + FILES_OF_A_RUN
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


async def open_route(
    config: CollectConfig, entrants: list[Entrant], endpoints: Endpoints, stack: AsyncExitStack, show: Show
) -> ByEnvironment:
    """Models, grading workers and hosts; closed by `stack` in reverse order."""
    model = open_model(config.model, endpoints)
    stack.push_async_callback(model.close)
    roles = await open_roles(config.roles, endpoints, stack)
    pool = GradingPool()
    stack.push_async_callback(pool.close)
    needing = [entrant.source for entrant in entrants if config.host_url is None]
    lent = await lend(config.sandbox, needing, stack)
    plans: dict[str, EnvironmentPlan] = {}
    for entrant in entrants:
        name = entrant.source.name
        local = LocalHost(entrant.source, entrant.options, pool, roles, lent)
        stack.push_async_callback(close_host, local, name, show)
        host: Host = local
        if config.host_url is not None:
            host = HttpHost(config.host_url, environment=name, prompt_source=local)
            stack.push_async_callback(close_host, host, name, show)
        sandbox = local.backend if host is local else None
        sampling, print_of_run = config.sampling_of(name), fingerprint(entrant.description)
        plans[name] = EnvironmentPlan(host, entrant.agent, model, sampling, print_of_run, sandbox)
    return ByEnvironment(plans)


async def close_host(host: Host, name: str, show: Show) -> None:
    try:
        with boundary("environment"):
            await host.close()
    except Failure as failure:
        # What the episodes left is safe on disk; a shared resource that cannot be given back takes nothing from it.
        show(f"{name} could not be closed: {failure.message}")


def run_limits(config: CollectConfig) -> RunLimits:
    concurrency = AUTO_CONCURRENCY_MAXIMUM if config.concurrency == "auto" else config.concurrency
    return RunLimits(concurrency, config.rollout_timeout_s, config.run_timeout_s)


def input_rows(config: CollectConfig, entrants: list[Entrant]) -> Iterator[Row]:
    """The rows of a run, in order; `limit` counts rows of the file, or of each environment."""
    if config.input is not None:
        return islice(rows_of_file(config.input), config.limit)
    return chain.from_iterable(islice(own_rows(config, entrant), config.limit) for entrant in entrants)


def own_rows(config: CollectConfig, entrant: Entrant) -> Iterator[Row]:
    if config.generate is not None:
        return generated_rows(entrant.source, entrant.options, seed=config.seed, n=config.generate)
    return rows_of_environment(entrant.source, config.split)


def count_rollouts(config: CollectConfig, entrants: list[Entrant]) -> int | None:
    """How many rollouts the whole run has. Reads the input once more, but keeps none of it; a pipe is not counted."""
    if config.input is not None and config.input.exists() and not (config.input.is_file() or config.input.is_dir()):
        return None
    if config.generate is not None:
        rows = config.generate if config.limit is None else min(config.generate, config.limit)
        return rows * len(entrants) * config.repeats
    counts = [count_rows(config.input)] if config.input else [count_own(config, entrant) for entrant in entrants]
    return sum(min(count, config.limit or count) for count in counts) * config.repeats


def count_own(config: CollectConfig, entrant: Entrant) -> int:
    return sum(1 for _ in rows_of_environment(entrant.source, config.split))


def both(first: Callable[[Outcome], None], second: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
    def observe(outcome: Outcome) -> None:
        first(outcome)
        second(outcome)

    return observe


async def run_shown(engine: Engine, planned: Iterator[Job], progress: ProgressLine) -> None:
    """Run to the end, showing progress."""
    with ExitStack() as undo:
        showing = asyncio.create_task(show_progress(progress))
        undo.callback(progress.end)
        undo.callback(showing.cancel)
        await engine.run(planned)


async def show_progress(progress: ProgressLine) -> None:
    while True:
        progress.show()
        await asyncio.sleep(PROGRESS_INTERVAL_S)
