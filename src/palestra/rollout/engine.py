"""The loop of a run: take a job, play it, judge it, record it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Protocol

from palestra.agents.tool_loop import ToolLoop
from palestra.core.deadline import TimeLimits
from palestra.core.errors import Failure, PalestraError, boundary, is_stray
from palestra.core.model import Model, Sampling
from palestra.core.session import Host, Session
from palestra.rollout.plan import Job
from palestra.rollout.record import Outcome, Progress, failed, judged, materialized
from palestra.wire.rows import create_params

STARTED_TOGETHER = 32
JOBS_READ_AHEAD = 64
JOBS_LEFT = 32
"""Fewer left, and the next ones are read."""
RECORD_EVERY_S = 0.02
RECORD_TOGETHER = 64
CLOSE_TIMEOUT_S = 60.0
ABANDON_AGAIN_S = 2.0
ENVIRONMENT = boundary("environment")
HOST = boundary("host")


@dataclass(slots=True)
class Lane:
    """What plays one job: decided for each row by a Route."""

    host: Host
    agent: ToolLoop
    model: Model
    sampling: Sampling
    sandbox: str | None = None


class Route(Protocol):
    def __call__(self, job: Job) -> Lane:
        """Raises Failure if the row cannot be played."""
        ...

    def fingerprint(self, job: Job) -> str: ...


class Store(Protocol):
    """Where rollouts go. A line is stored when its future is done: it survives the loss of the process.

    Lines may share their future.
    """

    async def ready(self) -> None:
        """Wait until more can be stored: nothing new is started before. Raises if nothing can be stored any more."""
        ...

    def add_rollout(self, line: dict[str, object]) -> "asyncio.Future[None]":
        """Raises Failure if the line cannot be written."""
        ...

    def add_failure(self, line: dict[str, object]) -> "asyncio.Future[None]": ...

    def add_input(self, line: dict[str, object], job: Job) -> None:
        """Note what is being dispatched. Durable before the rollout that comes of it."""
        ...

    async def settled(self) -> None:
        """Wait until everything that was added is stored. Raises if that cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Bounds of a run."""

    concurrency: int = 64
    """Rollouts at work at the same time."""
    rollout_timeout_s: float = 1800.0
    """A rollout that takes longer fails. The time in which an endpoint that was gone was waited for does not count."""
    run_timeout_s: float | None = None
    """The run stops cleanly after this."""
    grace_s: float = 5.0
    """How long rollouts at work may go on after the run was asked to stop."""


@dataclass
class Engine:
    """One run. `observe` is called with each outcome after it is durable."""

    route: Route
    store: Store
    limits: RunLimits
    observe: Callable[[Outcome], None]
    stop_reason: str | None = None
    fatal: Failure | None = None
    buffer: deque[Job] = field(default_factory=deque[Job])
    workers: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    error: BaseException | None = None
    """What the store or the observer raised; the observer perhaps only while the store is closed."""
    is_over: bool = False
    timers: list[asyncio.TimerHandle] = field(default_factory=list[asyncio.TimerHandle])
    finished: list[tuple[Job, Progress, Failure | None]] = field(
        default_factory=list["tuple[Job, Progress, Failure | None]"]
    )
    """Rollouts that wait to be recorded."""

    def __post_init__(self) -> None:
        self.rollouts = TimeLimits(self.limits.rollout_timeout_s)
        self.closings = TimeLimits(CLOSE_TIMEOUT_S)
        self.pulling: asyncio.Task[None] | None = None
        self.exhausted = False

    async def run(self, jobs: Iterator[Job]) -> None:
        """Play all jobs. Raises PalestraError for what no rollout can survive; the lines stored until then stay."""
        if self.limits.run_timeout_s is not None:
            self.later(self.limits.run_timeout_s, self.stop, "the run's time is over")
        try:
            async with asyncio.TaskGroup() as self.group:
                players: list[asyncio.Task[None]] = []
                self.workers = players
                for number in range(self.limits.concurrency):
                    players.append(self.group.create_task(self.work(jobs)))
                    # A thousand in one turn would keep everything else on the loop waiting for a tenth of a second.
                    if number % STARTED_TOGETHER == STARTED_TOGETHER - 1:
                        await asyncio.sleep(0)
                self.workers = [*players, self.group.create_task(self.settle(players))]
        except* PalestraError as errors:
            raise errors.exceptions[0] from errors
        finally:
            self.is_over = True
            for timer in self.timers:
                timer.cancel()
            # Who was abandoned while the last of them waited to be recorded: the store still writes them.
            if self.finished:
                self.record()
        if self.error is not None:
            raise self.error

    def later(self, seconds: float, action: Callable[..., None], *arguments: str) -> None:
        """Do something unless the run is over by then."""
        if self.is_over:
            return
        self.timers.append(asyncio.get_running_loop().call_later(seconds, action, *arguments))

    def stop(self, reason: str) -> None:
        """Dispatch nothing more; a second call, or the end of the grace, abandons what is at work."""
        if self.stop_reason is not None:
            self.abandon()
            return
        self.stop_reason = reason
        self.stop_pulling()
        self.later(self.limits.grace_s, self.abandon)

    def abandon(self) -> None:
        for worker in self.workers:
            worker.cancel()
        self.stop_pulling()
        # Once more for episodes that hang while they are closed.
        self.later(ABANDON_AGAIN_S, self.abandon)

    def stop_pulling(self) -> None:
        """Wake who waits for a job: reading can take long, and what it finds is not played any more."""
        if self.pulling is not None:
            self.pulling.cancel()

    async def settle(self, players: list[asyncio.Task[None]]) -> None:
        """See the last rollouts acknowledged."""
        await asyncio.wait(players)
        if self.stop_reason is None and any(player.cancelled() for player in players):
            raise RuntimeError("a rollout's task was cancelled by something that is not this run")
        if self.finished:
            self.record()
        await self.store.settled()
        # The futures' callbacks, which acknowledge, run in the turn of the loop after they are done.
        await asyncio.sleep(0)

    async def work(self, jobs: Iterator[Job]) -> None:
        while (job := await self.next_job(jobs)) is not None:
            await self.play(job)

    async def next_job(self, jobs: Iterator[Job]) -> Job | None:
        await self.store.ready()
        while self.stop_reason is None:
            if self.pulling is None and len(self.buffer) < JOBS_LEFT and not self.exhausted:
                self.pulling = self.group.create_task(self.pull(jobs))
            if self.buffer:
                return self.buffer.popleft()
            if self.pulling is None:
                break
            await asyncio.wait([self.pulling])
        return None

    async def pull(self, jobs: Iterator[Job]) -> None:
        """Read some jobs ahead."""
        # In a thread: a resume may skip millions of finished rows before the next job.
        try:
            batch = await asyncio.to_thread(lambda: list(islice(jobs, JOBS_READ_AHEAD)))
        except asyncio.CancelledError as error:
            if is_stray(error):
                raise RuntimeError("reading the jobs was cancelled by something that is not this run") from error
            raise
        self.exhausted = len(batch) < JOBS_READ_AHEAD
        self.buffer.extend(batch)
        self.pulling = None

    async def play(self, job: Job) -> None:
        """One rollout, from row to durable line."""
        progress = Progress()
        failure = None
        try:
            await self.attempt(job, progress)
        except Failure as error:
            failure = error
            if failure.fatal and self.fatal is None:
                self.fatal = failure
                self.stop(f"no rollout of this run can succeed: {failure}")
        progress.total_s = time.monotonic() - progress.began
        self.finished.append((job, progress, failure))
        # Nobody waits here: the next rollout is under way while this one is recorded and made safe.
        if len(self.finished) == 1:
            self.recording = asyncio.get_running_loop().call_later(RECORD_EVERY_S, self.record)
        elif len(self.finished) == RECORD_TOGETHER:
            self.record()

    def record(self) -> None:
        """Record what has finished. Together, as the same work done in a row costs half of that done in between."""
        self.recording.cancel()
        finished, self.finished = self.finished, []
        outcomes: dict[asyncio.Future[None], list[Outcome]] = {}
        for job, progress, failure in finished:
            fingerprint = self.route.fingerprint(job)
            try:
                if failure is not None:
                    raise failure
                with ENVIRONMENT:
                    outcome = judged(job, progress, fingerprint)
                stored = self.store.add_rollout(outcome.line)
            except Failure as error:
                outcome = failed(job, progress, fingerprint, error)
                stored = self.store.add_failure(outcome.line)
            together = outcomes.setdefault(stored, [])
            if not together:
                # It is called in a later turn of the loop, when all that share the future are there.
                stored.add_done_callback(partial(self.acknowledge, together))
            together.append(outcome)

    def acknowledge(self, outcomes: list[Outcome], stored: "asyncio.Future[None]") -> None:
        error = stored.exception()
        if error is not None and self.is_over:
            # What a stopped run could not store any more is owed again; how it was stopped is what counts.
            return
        if error is None:
            try:
                for outcome in outcomes:
                    self.observe(outcome)
            except Exception as raised:
                error = raised
        if error is not None and self.error is None:
            # A callback's errors go nowhere by themselves; without store or observer there is no run.
            self.error = error
            self.abandon()

    async def attempt(self, job: Job, progress: Progress) -> None:
        """Open an episode, play and judge it in time, and close it whatever happened."""
        if job.problem is not None:
            raise Failure("environment", job.problem, code="task-invalid")
        session: Session | None = None
        try:
            with self.rollouts.deadline(), boundary("host") as stage:
                lane = self.route(job)
                progress.sandbox = lane.sandbox
                session = await lane.host.open(job.row, seed=job.seed)
                progress.open_s = time.monotonic() - progress.began
                stage.name = "environment"
                progress.params = create_params(job.row, session.prompt, session.tools, lane.sampling)
                self.store.add_input(materialized(job, progress), job)
                stage.name = "model"
                progress.trajectory = await lane.agent.run(session, lane.model, lane.sampling)
                stage.name = "verifier"
                began = time.monotonic()
                progress.verdict = await session.verify(progress.trajectory.transcript)
                progress.verify_s = time.monotonic() - began
        except TimeoutError as error:
            raise Failure("limit", f"not finished after {self.rollouts.seconds:g} s", code="rollout-timeout") from error
        finally:
            if session is not None:
                await self.close(session, progress)

    async def close(self, session: Session, progress: Progress) -> None:
        try:
            with HOST, self.closings.limit():
                await session.close()
        except Failure as failure:
            # A judged rollout is not lost because its episode could not be tidied up.
            progress.warnings.append(str(failure))
