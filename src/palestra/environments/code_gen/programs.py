"""Programs under test as the sandbox runs them: Python as it is, C++ after a compiler."""

import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from palestra.core.errors import Failure, PalestraError
from palestra.core.sandbox import Input, Limits, Program, Run, Sandbox, Workspace

COMPILER = "g++"
COMPILE = (COMPILER, "-O2", "-std=gnu++17", "-pipe", "-o", "program", "program.cpp")
COMPILE_LIMITS = Limits(
    cpu_s=60, wall_s=240, memory_mb=2048, processes=16, file_size_mb=64, open_files=256, output_bytes=1 << 16
)
WALL_PER_CPU = 4
"""Seconds on the clock for each second of CPU time: runs share the machine."""
WALL_MARGIN_S = 10.0
IDLE_SHARE = 0.1
"""Of its CPU time: a program that used less when the clock ran out was waiting, not computing."""
GROWTH = 1.5
"""By this factor a program on a busy machine gets more CPU time if it is given twice as long."""


class Runnable(Protocol):
    """A program and where it runs."""

    def runs(self, inputs: Sequence[Input], limits: Limits) -> AsyncIterator[Run]:
        """One run an input, each in a process of its own; ask for no more than are needed."""
        ...


@dataclass(frozen=True, slots=True)
class PythonProgram:
    """A program of the sandbox's Python."""

    sandbox: Sandbox
    program: Program

    def runs(self, inputs: Sequence[Input], limits: Limits) -> AsyncIterator[Run]:
        return self.sandbox.runs(self.program, inputs, limits=limits)


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """A binary in a folder of the sandbox, or why there is none."""

    workspace: Workspace
    error: str | None = None
    """In one line."""

    async def runs(self, inputs: Sequence[Input], limits: Limits) -> AsyncIterator[Run]:
        for given in inputs:
            if self.error is not None:
                yield Run("raised", error=f"CompileError: {self.error}")
                return
            run = await self.workspace.run(["./program"], limits=limits, stdin=given.stdin)
            yield replace(run, status="died") if run.ok and run.exit_code else run


@asynccontextmanager
async def compiled(sandbox: Sandbox, source: str) -> AsyncIterator[CompiledProgram]:
    """A C++ program, compiled in the sandbox: a compiler reads files and may be made to run for long."""
    content = source.encode(errors="surrogatepass")
    async with sandbox.workspace({"program.cpp": content}) as workspace:
        built = await workspace.run(COMPILE, limits=COMPILE_LIMITS)
        failed = not built.ok or built.exit_code
        error = " ".join(built.errors.split()) or f"{COMPILER}: {built.status}"
        yield CompiledProgram(workspace, error if failed else None)


@asynccontextmanager
async def interpreted(sandbox: Sandbox, program: Program) -> AsyncIterator[PythonProgram]:
    yield PythonProgram(sandbox, program)


def demand_compiler() -> None:
    """Raises PalestraError if there is no C++ compiler."""
    if shutil.which(COMPILER) is None:
        raise PalestraError(
            "missing-package",
            f"language=cpp needs {COMPILER}, and there is none on the PATH",
            fix=f"Install {COMPILER} (Debian: apt install g++), or leave the option language at python.",
        )


def limits_of(cpu_s: float, memory_mb: int, output_bytes: int) -> Limits:
    """The limits of one test. Eight threads: many programs put their recursion into one."""
    return Limits(
        cpu_s=cpu_s,
        wall_s=WALL_PER_CPU * cpu_s + WALL_MARGIN_S,
        memory_mb=memory_mb,
        processes=8,
        output_bytes=output_bytes,
    )


async def fair_runs(program: Runnable, inputs: Sequence[Input], limits: Limits) -> AsyncGenerator[Run]:
    """One run an input, of which none ran out of time because the machine was busy.

    What the clock ended is a verdict only if the program waited: it used hardly any CPU time, or no more when it was
    run again for twice as long. Raises Failure (`sandbox`) if it cannot be told.
    """
    async with aclosing(program.runs(inputs, limits)) as runs:  # pyright: ignore[reportArgumentType]
        number = 0
        async for run in runs:
            yield await looked_into(program, inputs[number], limits, run) if run.status == "wall_limit" else run
            number += 1


async def looked_into(program: Runnable, given: Input, limits: Limits, run: Run) -> Run:
    """A run that the clock ended, or the longer one that shows how the program ends."""
    if run.cpu_s <= IDLE_SHARE * limits.cpu_s:
        return run
    longer = limits.model_copy(update={"wall_s": 2 * limits.wall_s})
    async with aclosing(program.runs([given], longer)) as runs:  # pyright: ignore[reportArgumentType]
        again = await anext(runs)
    if again.status != "wall_limit" or again.cpu_s < GROWTH * run.cpu_s:
        return again
    raise Failure(
        "sandbox",
        f"the program got {again.cpu_s:.1f} s of CPU time in {longer.wall_s:g} s: the machine is too busy to judge it",
        retryable=True,
    )


def opened(sandbox: Sandbox, language: str, program: Program) -> AbstractAsyncContextManager[Runnable]:
    return compiled(sandbox, program.code) if language == "cpp" else interpreted(sandbox, program)
