"""The sandbox that a run lends to its episodes: one for all hosts, opened when it is first needed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Protocol, cast

from palestra.core.discovery import Source
from palestra.core.sandbox import (
    DEFAULT_LIMITS,
    Check,
    Input,
    Interpreter,
    Limits,
    Program,
    Run,
    Sandbox,
    SandboxPolicy,
    Workspace,
)
from palestra.sandbox.open import open_sandbox


class OpenedSandbox(Sandbox, Protocol):
    """A sandbox whose processes end when it is closed."""

    async def close(self) -> None: ...


class LentSandbox:
    """A Sandbox that is opened by its first use. Closing it ends all that runs in it.

    Whatever opens it raises PalestraError (`sandbox-missing`) if this machine lacks the boundary of `policy`.
    """

    def __init__(
        self,
        policy: SandboxPolicy = "strong",
        opener: Callable[[SandboxPolicy], Awaitable[OpenedSandbox]] | None = None,
    ) -> None:
        self.policy: SandboxPolicy = policy
        self.opener = opener or open_sandbox
        self.opening = asyncio.Lock()
        self.opened: OpenedSandbox | None = None

    @property
    def backend(self) -> str:
        return self.known.backend

    @property
    def is_strong(self) -> bool:
        return self.known.is_strong

    @property
    def known(self) -> OpenedSandbox:
        if self.opened is None:
            raise RuntimeError("the sandbox is not open yet: it is opened when code is first run in it")
        return self.opened

    async def open(self) -> OpenedSandbox:
        async with self.opening:
            if self.opened is None:
                self.opened = await self.opener(self.policy)
            return self.opened

    async def close(self) -> None:
        async with self.opening:
            opened, self.opened = self.opened, None
            if opened is not None:
                await opened.close()

    async def runs(
        self, program: Program, inputs: Sequence[Input], *, limits: Limits = DEFAULT_LIMITS, isolated: bool = True
    ) -> AsyncGenerator[Run]:
        sandbox = await self.open()
        found = cast("AsyncGenerator[Run]", sandbox.runs(program, inputs, limits=limits, isolated=isolated))
        async with aclosing(found):
            async for run in found:
                yield run

    async def run(self, program: Program, given: Input = Input(), *, limits: Limits = DEFAULT_LIMITS) -> Run:  # noqa: B008
        return await (await self.open()).run(program, given, limits=limits)

    async def check(self, check: Check, *, limits: Limits = DEFAULT_LIMITS) -> Run:
        return await (await self.open()).check(check, limits=limits)

    @asynccontextmanager
    async def interpreter(self, *, limits: Limits = DEFAULT_LIMITS, prelude: str = "") -> AsyncGenerator[Interpreter]:
        async with (await self.open()).interpreter(limits=limits, prelude=prelude) as interpreter:
            yield interpreter

    @asynccontextmanager
    async def workspace(
        self, files: Mapping[str, bytes], *, image: str | None = None, folder: str | None = None
    ) -> AsyncGenerator[Workspace]:
        async with (await self.open()).workspace(files, image=image, folder=folder) as workspace:
            yield workspace


async def lend(policy: SandboxPolicy, sources: Iterable[Source], stack: AsyncExitStack) -> LentSandbox:
    """A sandbox to lend, closed by `stack`; open already if one of the environments needs it.

    Raises PalestraError (`sandbox-missing`): a run is refused before its first rollout, not in the middle.
    """
    lent = LentSandbox(policy)
    stack.push_async_callback(lent.close)
    if any(source.manifest.sandbox for source in sources):
        await lent.open()
    return lent
