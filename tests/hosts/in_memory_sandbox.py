"""A Sandbox that runs nothing: it says back what it is asked, and notes what happens to it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from palestra.core.errors import Failure, PalestraError
from palestra.core.sandbox import DEFAULT_LIMITS, Check, Input, Limits, Program, Run, SandboxPolicy


class InMemorySandbox:
    """Programs print their own text; one that is `break` meets a broken sandbox."""

    def __init__(self, backend: str = "namespaces") -> None:
        self.backend = backend
        self.is_strong = backend != "weak"
        self.log: list[str] = []

    async def close(self) -> None:
        self.log.append("close")

    async def runs(
        self, program: Program, inputs: Sequence[Input], *, limits: Limits = DEFAULT_LIMITS, isolated: bool = True
    ) -> AsyncGenerator[Run]:
        try:
            for given in inputs:
                yield Run("ok", output=f"{program.code}{given.stdin}", notes=(str(limits.cpu_s), str(isolated)))
        finally:
            self.log.append("runs ended")

    async def run(self, program: Program, given: Input = Input(), *, limits: Limits = DEFAULT_LIMITS) -> Run:  # noqa: B008
        if program.code == "break":
            raise Failure("sandbox", "the zygote is gone", retryable=True)
        return Run("ok", output=program.code + given.stdin, notes=(str(limits.cpu_s),))

    async def check(self, check: Check, *, limits: Limits = DEFAULT_LIMITS) -> Run:
        return Run("ok", output=check.solution + check.tests, notes=(str(limits.cpu_s),))

    @asynccontextmanager
    async def interpreter(self, *, limits: Limits = DEFAULT_LIMITS, prelude: str = "") -> AsyncGenerator[Any]:
        yield f"interpreter {limits.cpu_s} {prelude}"
        self.log.append("interpreter ended")

    @asynccontextmanager
    async def workspace(
        self, files: Mapping[str, bytes], *, image: str | None = None, folder: str | None = None
    ) -> AsyncGenerator[Any]:
        yield f"workspace {sorted(files)} {image} {folder}"
        self.log.append("workspace ended")


class Opener:
    """Opens in-memory sandboxes as `open_sandbox` does, for a machine that offers one strong boundary, or none."""

    def __init__(self, strong: str | None = "namespaces") -> None:
        self.strong = strong
        self.opened: list[InMemorySandbox] = []

    async def __call__(self, policy: SandboxPolicy) -> InMemorySandbox:
        backend = "weak" if policy == "weak" else self.strong
        if backend is None:
            raise PalestraError("sandbox-missing", "this machine has no strong boundary")
        self.opened.append(InMemorySandbox(backend))
        return self.opened[-1]
