"""Collecting rollouts: the parts of a run put together, run, and summed up."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel

from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.collection.config import CollectConfig
from palestra.collection.fingerprint import (
    describe_environment,
    fingerprint,
    require_same_run,
    write_description,
)
from palestra.collection.models import open_model
from palestra.collection.progress import ProgressLine
from palestra.core.discovery import Source, find
from palestra.core.errors import PalestraError, suggestion
from palestra.core.model import Model
from palestra.data.load import count_rows, generated_rows, rows_of_environment, rows_of_file
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.models.scripted import PerRollout
from palestra.monitor.metrics import aggregate, read_columns
from palestra.rollout.adaptive import AdaptiveLimit
from palestra.rollout.engine import Engine, RunLimits
from palestra.rollout.plan import Row, jobs
from palestra.rollout.record import Outcome
from palestra.rollout.route import ByEnvironment, EnvironmentPlan
from palestra.store.jsonl import JsonlStore
from palestra.store.ledger import RolloutLedger
from palestra.store.paths import RunPaths
from palestra.store.resume import resume

AGENTS = ("tool_loop", "simple_agent")
"""Names of the agent; NeMo Gym's name is accepted."""
AUTO_CONCURRENCY_MAXIMUM = 1024
PROGRESS_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class Entrant:
    """One environment of a run, found and configured."""

    source: Source
    options: BaseModel
    description: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    paths: RunPaths
    judged: int
    """Rollouts judged by this process."""
    stored: int
    """Rollouts in the output file, those of earlier parts of the run included."""
    failures: dict[str, int]
    given_up: int
    """Rollouts not tried any more because they failed in too many attempts."""
    elapsed_s: float
    output_tokens: int
    metrics: list[dict[str, Any]]
    problems: list[str]
    stop_reason: str | None
    signal_number: int | None
    max_failure_rate: float

    @property
    def failure_rate(self) -> float:
        failed = sum(self.failures.values())
        return failed / (failed + self.judged) if failed else 0.0

    @property
    def exit_code(self) -> int:
        """0; 1 if too many rollouts failed or the run was cut short; 128 + number after a signal."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        return int(self.stop_reason is not None or self.failure_rate > self.max_failure_rate)

    def to_json(self) -> dict[str, Any]:
        return {
            "output": str(self.paths.rollouts),
            "judged": self.judged,
            "stored": self.stored,
            "failures": self.failures,
            "given_up": self.given_up,
            "elapsed_s": round(self.elapsed_s, 3),
            "output_tokens": self.output_tokens,
            "key_metrics": {entry["agent_ref"]["name"]: entry["key_metrics"] for entry in self.metrics},
            "problems": self.problems,
            "stop_reason": self.stop_reason,
            "exit_code": self.exit_code,
        }


async def collect(
    config: CollectConfig,
    *,
    show: Callable[[str], None] = lambda text: None,
    observe: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Collect what `config` says. Raises PalestraError before any rollout if something cannot work.

    `show` gets remarks for people (a fork's name, a healed file); `observe` each outcome once it is safe on disk.
    Progress goes to standard error.
    """
    entrants = await asyncio.to_thread(enter, config)
    paths = choose_paths(config, show)
    ledger = RolloutLedger(config.repeats, config.attempts)
    async with AsyncExitStack() as stack:
        store = JsonlStore(paths, ledger)
        stack.push_async_callback(store.close)
        resumed = await asyncio.to_thread(resume, paths, ledger)
        for problem in resumed.problems:
            show(problem)
        descriptions = {entrant.source.name: entrant.description for entrant in entrants}
        require_same_run(paths, descriptions, resumed)
        write_description(paths, descriptions)
        route = await open_route(config, entrants, stack)
        rows = input_rows(config, entrants)
        planned = jobs(rows, ledger, environment_of=route.environment_of, repeats=config.repeats, seed=config.seed)
        progress = ProgressLine(sys.stderr, await asyncio.to_thread(count_rollouts, config, entrants), resumed.rollouts)

        def acknowledge(outcome: Outcome) -> None:
            progress.observe(outcome)
            observe(outcome)

        engine = Engine(route, store, run_limits(config), acknowledge)
        signal_number = await run_watched(engine, planned, progress)
    problems = list(resumed.problems)
    metrics = await asyncio.to_thread(write_metrics, paths, problems)
    return Report(
        paths=paths,
        judged=progress.judged,
        stored=resumed.rollouts + progress.judged,
        failures=dict(progress.failures),
        given_up=ledger.given_up,
        elapsed_s=time.monotonic() - progress.began,
        output_tokens=progress.output_tokens,
        metrics=metrics,
        problems=problems,
        stop_reason=engine.stop_reason,
        signal_number=signal_number,
        max_failure_rate=config.max_failure_rate,
    )


def enter(config: CollectConfig) -> list[Entrant]:
    """Find and configure all environments, so that a wrong name or option is told before anything starts."""
    if config.agent is not None and config.agent not in AGENTS:
        raise PalestraError("usage", f"no agent is named {config.agent!r}.{suggestion(config.agent, AGENTS)}")
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
        entrants.append(Entrant(source, options, describe_environment(source, options, config)))
    return entrants


def choose_paths(config: CollectConfig, show: Callable[[str], None]) -> RunPaths:
    paths = RunPaths(config.output)
    if config.fork and (paths.is_used() or paths.run.exists()):
        paths = paths.forked()
        show(f"writing to {paths.rollouts}")
    elif paths.is_used() and not config.resume:
        raise PalestraError("output-exists", f"{paths.rollouts} or a file beside it already holds a run")
    return paths


async def open_route(config: CollectConfig, entrants: list[Entrant], stack: AsyncExitStack) -> ByEnvironment:
    """Models, grading workers and hosts; closed by `stack` in reverse order."""
    limit = AdaptiveLimit(maximum=AUTO_CONCURRENCY_MAXIMUM) if config.concurrency == "auto" else None
    model = open_model(config.model, limit)
    stack.push_async_callback(model.close)
    roles: dict[str, Model] = {}
    for role, choice in config.roles.items():
        opened = open_model(choice)
        if isinstance(opened, PerRollout):
            raise PalestraError("usage", f"{choice.spec!r} replies to rollouts, so it cannot be the {role}")
        roles[role] = opened
        stack.push_async_callback(opened.close)
    pool = GradingPool()
    stack.push_async_callback(pool.close)
    agent = ToolLoop(AgentLimits(config.max_steps, config.max_rollout_tokens, config.time_limit_s))
    plans: dict[str, EnvironmentPlan] = {}
    for entrant in entrants:
        host = LocalHost(entrant.source, entrant.options, pool, roles)
        stack.push_async_callback(host.close)
        name = entrant.source.name
        plans[name] = EnvironmentPlan(host, agent, model, config.sampling_of(name), fingerprint(entrant.description))
    return ByEnvironment(plans)


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


def count_rollouts(config: CollectConfig, entrants: list[Entrant]) -> int:
    """How many rollouts the whole run has. Reads the input once more, but keeps none of it."""
    if config.generate is not None:
        rows = config.generate if config.limit is None else min(config.generate, config.limit)
        return rows * len(entrants) * config.repeats
    counts = [count_rows(config.input)] if config.input else [count_own(config, entrant) for entrant in entrants]
    return sum(min(count, config.limit or count) for count in counts) * config.repeats


def count_own(config: CollectConfig, entrant: Entrant) -> int:
    return sum(1 for _ in rows_of_environment(entrant.source, config.split))


async def run_watched(engine: Engine, planned: Any, progress: ProgressLine) -> int | None:
    """Run to the end, showing progress and stopping cleanly on SIGINT and SIGTERM; the signal's number if one came."""
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        engine.stop(f"stopped by {number.name}")

    with ExitStack() as undo:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
            undo.callback(loop.remove_signal_handler, number)
        showing = asyncio.create_task(show_progress(progress))
        undo.callback(progress.end)
        undo.callback(showing.cancel)
        await engine.run(planned)
    return received[0] if received else None


async def show_progress(progress: ProgressLine) -> None:
    while True:
        progress.show()
        await asyncio.sleep(PROGRESS_INTERVAL_S)


def write_metrics(paths: RunPaths, problems: list[str]) -> list[dict[str, Any]]:
    """Metrics over the whole output, as a second pass; no file if nothing was judged."""
    metrics = aggregate(read_columns([paths.rollouts], problems))
    if metrics:
        temporary = paths.metrics.with_suffix(".tmp")
        temporary.write_text(json.dumps(metrics, indent=2))
        temporary.replace(paths.metrics)
    return metrics
