"""A folder in a sandbox of its own: files, and commands of the system that run on them."""

import json
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from palestra.core.sandbox import DEFAULT_LIMITS, Limits, Run
from palestra.sandbox.cells import ANSWER_S
from palestra.sandbox.nursery import Nursery
from palestra.sandbox.pool import Pool
from palestra.sandbox.results import run_of

FILES_S = 60.0
"""How long writing or reading files may take."""


class LocalWorkspace:
    """Implements `core.sandbox.Workspace`."""

    def __init__(self, nursery: Nursery) -> None:
        self.nursery = nursery

    @property
    def folder(self) -> str:
        """The path of the folder as commands see it."""
        return str(self.nursery.about["folder"])

    async def run(
        self,
        command: str | Sequence[str],
        *,
        limits: Limits = DEFAULT_LIMITS,
        stdin: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a shell line, or a program with its arguments, in the folder."""
        line = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        head = {"command": line, "variables": dict(variables or {}), "limits": limits.model_dump()}
        await self.request(b"W", head, stdin.encode("utf-8", "surrogatepass"))
        return run_of(await self.nursery.answer(b"r", limits.wall_s + ANSWER_S), limits, told=False)

    async def write(self, path: str, content: bytes) -> None:
        """Make a file. Raises FileNotFoundError for a path that leads out of the folder."""
        await self.write_all({path: content})

    async def write_all(self, files: Mapping[str, bytes]) -> None:
        await self.request(b"P", {"files": [[path, len(content)] for path, content in files.items()]}, *files.values())
        await self.nursery.answer(b"d", FILES_S)

    async def read(self, path: str) -> bytes:
        """The content of a file. Raises FileNotFoundError, for a link and a pipe too."""
        await self.request(b"G", {"path": path})
        return await self.nursery.answer(b"g", FILES_S)

    async def request(self, kind: bytes, head: Mapping[str, object], *body: bytes) -> None:
        told = json.dumps(head).encode()
        await self.nursery.send(kind, struct.pack("<I", len(told)), told, *body)


@asynccontextmanager
async def open_workspace(pool: Pool, files: Mapping[str, bytes]) -> AsyncGenerator[LocalWorkspace]:
    """A workspace in a sandbox that is thrown away with it."""
    async with pool.nursery() as nursery:
        workspace = LocalWorkspace(nursery)
        if files:
            await workspace.write_all(files)
        yield workspace
