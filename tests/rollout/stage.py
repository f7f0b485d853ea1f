"""Host, route, model and store of a run in memory, for tests of the engine."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from palestra.agents.tool_loop import ToolLoop
from palestra.core.errors import Failure
from palestra.core.model import Reply, Sampling
from palestra.core.session import Step
from palestra.core.transcript import assistant_message, user_message
from palestra.core.verdict import Verdict
from palestra.rollout.engine import Engine, Lane, RunLimits
from palestra.rollout.plan import Job
from palestra.rollout.record import Outcome


class Says:
    """A model that says yes, after some time or never."""

    name = "says"

    def __init__(self, delay_s: float = 0.0, failure: Failure | None = None) -> None:
        self.delay_s = delay_s
        self.failure = failure
        self.at_work = 0
        self.most_at_work = 0

    async def respond(self, items: Any, tools: Any, sampling: Any, trace: Any = None) -> Reply:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await asyncio.sleep(self.delay_s)
        finally:
            self.at_work -= 1
        if self.failure is not None:
            raise self.failure
        return Reply((assistant_message("yes"),), "stop", self.name)

    async def close(self) -> None:
        return


async def nothing() -> None:
    return


@dataclass
class Episode:
    """A session whose parts can be replaced."""

    closing: Callable[[], Any] = nothing
    judging: Callable[[], Any] = lambda: 1.0
    answer: tuple[Any, ...] = ()
    prompt: tuple[Any, ...] = (user_message("?"),)
    tools: tuple[Any, ...] = ()
    closed: bool = False

    async def step(self, items: Sequence[Any]) -> Step:
        return Step(self.answer, done=True)

    async def verify(self, transcript: Any) -> Verdict:
        return Verdict.of(self.judging())

    async def close(self) -> None:
        await self.closing()
        self.closed = True


@dataclass
class Stage:
    """Host, route and store of a run in memory."""

    model: Any = field(default_factory=Says)
    episode: Callable[[], Episode] = Episode
    broken: Exception | None = None
    rollouts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    inputs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    episodes: list[Episode] = field(default_factory=list[Episode])
    taken: int = 0

    async def open(self, row: Any, *, seed: int) -> Episode:
        self.episodes.append(self.episode())
        return self.episodes[-1]

    async def close(self) -> None:
        return

    def __call__(self, job: Job) -> Lane:
        return Lane(self, ToolLoop(), self.model, Sampling())

    def fingerprint(self, job: Job) -> str:
        return "print"

    def add_rollout(self, line: dict[str, Any]) -> asyncio.Future[None]:
        return self.kept(self.rollouts, line)

    def add_failure(self, line: dict[str, Any]) -> asyncio.Future[None]:
        return self.kept(self.failures, line)

    def kept(self, lines: list[dict[str, Any]], line: dict[str, Any]) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        if self.broken is None:
            lines.append(line)
            done.set_result(None)
        else:
            done.set_exception(self.broken)
        return done

    async def ready(self) -> None:
        return

    async def settled(self) -> None:
        return

    def add_input(self, line: dict[str, Any], job: Job) -> None:
        self.inputs.append(line)

    def jobs(self, count: int, problem: str | None = None) -> Iterator[Job]:
        for number in range(count):
            self.taken += 1
            yield Job({"n": number}, "e", f"h{number}", number, 0, 0, 0, problem)

    def engine(self, **limits: Any) -> Engine:
        return Engine(self, self, RunLimits(**limits), self.outcomes.append)

    def play(self, count: int = 1, *, stops: Sequence[float] = (), **limits: Any) -> Engine:
        """Run so many jobs, asking the engine to stop after so many seconds."""
        engine = self.engine(**limits)

        async def main() -> None:
            for seconds in stops:
                asyncio.get_running_loop().call_later(seconds, engine.stop, "asked to")
            async with asyncio.timeout(20):
                await engine.run(self.jobs(count))
            assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing is left running"

        asyncio.run(main())
        return engine

    def classes(self) -> list[str]:
        return [line["palestra"]["failure"]["class"] for line in self.failures]
