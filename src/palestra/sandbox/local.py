"""The sandbox of this machine: programs, cells and workspaces on pools of sandboxed processes."""

import asyncio
import json
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from palestra.core.sandbox import DEFAULT_LIMITS, Check, Input, Interpreter, Limits, Program, Run, Workspace
from palestra.sandbox.cells import ANSWER_S, Cell, open_cell
from palestra.sandbox.containers import Containers
from palestra.sandbox.exchange import driver_options, new_word, relay, solution_options
from palestra.sandbox.inside.values import encode
from palestra.sandbox.nursery import COMMON, Kind, Plan
from palestra.sandbox.pool import Pool
from palestra.sandbox.results import run_of
from palestra.sandbox.session import CellInterpreter
from palestra.sandbox.workspace import open_workspace

PACKAGES = ("numpy",)
"""Loaded once where a program uses packages."""


class Pools:
    """The pools of one sandbox, each started when it is first needed."""

    def __init__(self, kind: Kind, most: int | None = None) -> None:
        self.kind: Kind = kind
        self.plain = Pool(Plan(kind), most)
        self.packages = Pool(Plan(kind, preload=(*COMMON, *PACKAGES), with_packages=True), most)
        self.drivers = Pool(Plan(kind), most)
        self.drivers_with_packages = Pool(Plan(kind, preload=(*COMMON, *PACKAGES), with_packages=True), most)
        self.interpreters = Pool(Plan(kind, preload=(*COMMON, *PACKAGES), with_packages=True), 256)
        self.workspaces = Pool(Plan(kind, preload=(), with_packages=True, scratch_mb=1024), 64, single_use=True)

    async def close(self) -> None:
        pools = [pool for pool in vars(self).values() if isinstance(pool, Pool)]
        await asyncio.gather(*(pool.close() for pool in pools))


class LocalSandbox:
    """Implements `core.sandbox.Sandbox` on processes of this machine."""

    def __init__(self, kind: Kind, most: int | None = None) -> None:
        self.pools = Pools(kind, most)
        self.containers = Containers()

    @property
    def backend(self) -> Kind:
        return self.pools.kind

    @property
    def is_strong(self) -> bool:
        return self.pools.kind != "weak"

    def runs(
        self, program: Program, inputs: Sequence[Input], *, limits: Limits = DEFAULT_LIMITS, isolated: bool = True
    ) -> AsyncGenerator[Run]:
        """One run an input, in order."""
        return run_inputs(self.pool_for(program.code), program, inputs, limits, isolated=isolated)

    async def run(self, program: Program, given: Input = Input(), *, limits: Limits = DEFAULT_LIMITS) -> Run:  # noqa: B008
        """One run of a program."""
        found = self.runs(program, [given], limits=limits)
        try:
            return await anext(found)
        finally:
            await found.aclose()

    def cell(
        self, entry: str, options: bytes = b"", limits: Limits = DEFAULT_LIMITS, *, pool: Pool | None = None
    ) -> AbstractAsyncContextManager[Cell]:
        """A process that runs `main(channel, options)` of the module `inside.ENTRY`."""
        return open_cell(pool or self.pools.interpreters, entry, options, limits)

    def workspace(
        self, files: Mapping[str, bytes], *, image: str | None = None, folder: str | None = None
    ) -> AbstractAsyncContextManager[Workspace]:
        """A folder with these files, and commands on them. Raises ValueError for a folder without an image."""
        if image is not None:
            return self.containers.workspace(files, image=image, folder=folder)
        if folder is not None:
            raise ValueError(f"the folder {folder!r} can only be chosen in an image")
        return open_workspace(self.pools.workspaces, files)

    async def check(self, check: Check, *, limits: Limits = DEFAULT_LIMITS) -> Run:
        """Run assertions about a solution: `ok` says that all held. Each of the two processes has the limits."""
        word = new_word()
        pools = self.pools
        drivers = pools.drivers_with_packages if uses_packages(check.tests + check.solution) else pools.drivers
        solution = self.cell("solution", solution_options(check), limits, pool=self.pool_for(check.solution))
        driver = self.cell("driver", driver_options(check, word), limits, pool=drivers)
        # First the solution, whose pool is the narrow one: who has one of those gets a driver in the end.
        async with solution as solution_cell, driver as driver_cell:
            return await relay(solution_cell, driver_cell, word)

    @asynccontextmanager
    async def interpreter(self, *, limits: Limits = DEFAULT_LIMITS, prelude: str = "") -> AsyncGenerator[Interpreter]:
        """A stateful Python, with what `prelude` defines. `limits` hold for each run."""
        found = CellInterpreter(self.cell, limits, prelude)
        try:
            yield found
        finally:
            await found.close()

    def pool_for(self, code: str) -> Pool:
        """Programs that name a package get a sandbox that has it; the others one that starts faster."""
        return self.pools.packages if uses_packages(code) else self.pools.plain

    async def close(self) -> None:
        """End all that runs."""
        await self.pools.close()


def uses_packages(code: str) -> bool:
    return any(name in code for name in ("numpy", "scipy", "pandas"))


async def run_inputs(
    pool: Pool, program: Program, inputs: Sequence[Input], limits: Limits, *, isolated: bool
) -> AsyncGenerator[Run]:
    parts = [program.code.encode("utf-8", "surrogatepass")]
    for given in inputs:
        parts.append(encode(given.arguments) if program.call else given.stdin.encode("utf-8", "surrogatepass"))
    head = json.dumps(
        {
            "call": program.call,
            "isolated": isolated,
            "limits": limits.model_dump(),
            "sizes": [len(part) for part in parts],
        }
    ).encode()
    if not inputs:
        return
    async with pool.nursery() as nursery:
        done = 0
        await nursery.send(b"R", struct.pack("<I", len(head)), head, *parts)
        try:
            while done < len(inputs):
                run = run_of(await nursery.answer(b"r", limits.wall_s + ANSWER_S), limits)
                done += 1
                yield run
        finally:
            if done < len(inputs) and not nursery.is_broken:
                await asyncio.shield(nursery.cancel())
