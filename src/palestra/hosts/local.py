"""Episodes in this process."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from palestra.core.discovery import Source
from palestra.core.environment import Environment, settled
from palestra.core.errors import Failure, PalestraError, boundary
from palestra.core.manifest import Reward
from palestra.core.model import Item, Model, ToolSchema
from palestra.core.sandbox import Sandbox
from palestra.core.session import Step
from palestra.core.task import Task
from palestra.core.tools import validation_text
from palestra.core.transcript import Transcript
from palestra.core.verdict import Verdict
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.lent_sandbox import LentSandbox
from palestra.wire.rows import Opening, materialize

Result = TypeVar("Result")

CLOSE_TIMEOUT_S = 30.0
NO_ROLES: Mapping[str, Model] = MappingProxyType({})
ENVIRONMENT = boundary("environment")
TASK = boundary("environment", code="task-invalid")
VERIFIER = boundary("verifier")


class LocalContext:
    """The Context of an episode in this process."""

    def __init__(
        self,
        *,
        seed: int,
        folder: Path,
        shared: Any,
        pool: GradingPool,
        roles: Mapping[str, Model],
        sandbox: Sandbox | None = None,
    ) -> None:
        self.seed = seed
        self.own_random: Random | None = None
        self.folder = folder
        self.shared = shared
        self.pool = pool
        self.roles = roles
        self.own_sandbox = sandbox

    @property
    def sandbox(self) -> Sandbox:
        if self.own_sandbox is None:
            message = "an episode asks for the sandbox, which its environment.toml does not mention"
            raise PalestraError("invalid-environment", message, fix="Write `sandbox = true` into environment.toml.")
        return self.own_sandbox

    @property
    def random(self) -> Random:
        # Made when it is asked for: seeding it costs more than the rest of an episode's context.
        if self.own_random is None:
            self.own_random = Random(self.seed)
        return self.own_random

    async def grade(self, function: Callable[..., Result], *arguments: Any, deadline_s: float = 10.0) -> Result:
        return await self.pool.call(function, *arguments, deadline_s=deadline_s)

    def model(self, role: str) -> Model:
        if role not in self.roles:
            raise PalestraError(
                "usage", f"the environment asks for a {role!r} model", fix=f"Name one with --role {role}=MODEL@URL."
            )
        return self.roles[role]


@dataclass
class LocalHost:
    """Opens episodes of one environment here. What it is given is lent and outlives the host.

    Without a sandbox to lend, an environment that needs one gets a strong one of this host's own.
    """

    source: Source
    options: BaseModel
    pool: GradingPool
    roles: Mapping[str, Model] = field(default_factory=dict[str, Model])
    lent: LentSandbox | None = None

    def __post_init__(self) -> None:
        self.environment_class = self.source.load()
        self.resources = AsyncExitStack()
        self.sandbox: LentSandbox | None = None
        if self.source.manifest.sandbox:
            self.sandbox = self.lent or LentSandbox()
            if self.lent is None:
                self.resources.push_async_callback(self.sandbox.close)
        self.entering = asyncio.Lock()
        self.shared: Any = None
        self.entered = False

    @property
    def backend(self) -> str | None:
        """The boundary that episodes run untrusted code in, once it is open; None if they run none."""
        return self.sandbox.backend if self.sandbox is not None else None

    async def open(self, row: Mapping[str, Any], *, seed: int, roles: Mapping[str, Model] = NO_ROLES) -> "LocalSession":
        """An episode of a row; `roles` are models of this episode alone, before those of the host."""
        if not self.entered:
            await self.enter()
        task = self.task_of(row)
        context = LocalContext(
            seed=seed,
            folder=self.source.folder,
            shared=self.shared,
            pool=self.pool,
            roles={**self.roles, **roles} if roles else self.roles,
            sandbox=self.sandbox,
        )
        environment = None
        try:
            with ENVIRONMENT:
                environment = self.environment_class(task, context, self.options)
                preparing = environment.setup()
                if preparing is not None:
                    await settled(preparing)
                return LocalSession(environment, materialize(row, environment), self.source.manifest.reward)
        except BaseException:
            if environment is not None:
                # What broke the setup is what is reported, not that a half-made episode cannot be tidied up.
                with suppress(Failure), ENVIRONMENT:
                    closing = environment.close()
                    if closing is not None:
                        await finish(closing)
            raise

    def task_of(self, row: Mapping[str, Any]) -> Task:
        with TASK:
            try:
                return self.environment_class.task_type.from_row(row)
            except ValidationError as error:
                raise Failure("environment", validation_text(error), code="task-invalid") from error

    async def enter(self) -> None:
        """Enter the environment's shared resource, once for all episodes."""
        async with self.entering:
            if not self.entered:
                with ENVIRONMENT:
                    self.shared = await self.resources.enter_async_context(self.environment_class.shared(self.options))
                self.entered = True

    async def close(self) -> None:
        await self.resources.aclose()


class LocalSession:
    """An Environment instance as a Session."""

    prompt: tuple[Item, ...]
    tools: tuple[ToolSchema, ...]

    def __init__(self, environment: Environment[Any], opening: Opening, reward: Reward) -> None:
        self.environment = environment
        self.prompt = opening.prompt
        self.tools = opening.tools
        self.reward = reward

    async def step(self, items: Sequence[Item]) -> Step:
        with ENVIRONMENT:
            step = await settled(self.environment.step(items))
            if not isinstance(step, Step):
                raise TypeError(f"step returned {type(step).__name__}, not a Step")
            if step.reward is not None and not math.isfinite(step.reward):
                raise ValueError(f"the reward of a step is {step.reward}; it must be a finite number")
            return step

    async def verify(self, transcript: Transcript) -> Verdict:
        with VERIFIER:
            try:
                judgement = self.environment.verify(transcript)
                if not isinstance(judgement, (float, Verdict)):
                    judgement = await settled(judgement)
            except TimeoutError as error:
                raise Failure("verifier", str(error), code="verifier-timeout") from error
            return self.verdict_of(judgement)

    async def verify_group(self, transcripts: Sequence[Transcript], rewards: Sequence[float]) -> list[Verdict]:
        """A verdict for each conversation about this task, by comparing them. Raises Failure (`verifier`, `judge`)."""
        with VERIFIER:
            try:
                judgements = await settled(self.environment.verify_group(transcripts, rewards))
            except TimeoutError as error:
                raise Failure("verifier", str(error), code="verifier-timeout") from error
            verdicts = [self.verdict_of(judgement) for judgement in judgements]
            if len(verdicts) != len(transcripts):
                raise ValueError(f"verify_group gave {len(verdicts)} judgements for {len(transcripts)} transcripts")
            return verdicts

    def verdict_of(self, judgement: object) -> Verdict:
        verdict = Verdict.of(judgement)
        if not self.reward.minimum <= verdict.reward <= self.reward.maximum:
            declared = f"{self.reward.minimum}..{self.reward.maximum}"
            raise ValueError(f"reward {verdict.reward} is outside the declared range {declared}")
        return verdict

    async def close(self) -> None:
        with ENVIRONMENT:
            closing = self.environment.close()
        if closing is not None:
            await finish(closing)


async def finish(closing: Awaitable[None]) -> None:
    with ENVIRONMENT:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await settled(closing)
