"""Processes in a sandbox that we exchange messages with: the tests and the solution of a check, an interpreter."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from palestra.core.sandbox import Limits, Run
from palestra.sandbox.inside.values import MAX_BYTES
from palestra.sandbox.nursery import Nursery
from palestra.sandbox.pool import Pool
from palestra.sandbox.results import run_of

HEAD_BYTES = 4
ANSWER_S = 10.0
"""How much longer than its limits we wait for the end of a process."""


class Cell:
    """One process. Messages are bytes, of at most MAX_BYTES."""

    def __init__(self, nursery: Nursery, limits: Limits, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.nursery = nursery
        self.limits = limits
        self.reader = reader
        self.writer = writer
        self.ended: Run | None = None

    async def send(self, message: bytes) -> None:
        """Raises EOFError if the process is gone."""
        try:
            async with asyncio.timeout(self.limits.wall_s + ANSWER_S):
                self.writer.writelines((len(message).to_bytes(HEAD_BYTES, "little"), message))
                await self.writer.drain()
        except (OSError, TimeoutError):
            raise EOFError("the process is gone") from None

    async def receive(self) -> bytes:
        """The next message. Raises EOFError if the process is gone, or sends what is no message."""
        try:
            async with asyncio.timeout(self.limits.wall_s + ANSWER_S):
                length = int.from_bytes(await self.reader.readexactly(HEAD_BYTES), "little")
                if length > MAX_BYTES:
                    raise EOFError(f"a message of {length} bytes; at most {MAX_BYTES} are read")
                return await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError, TimeoutError):
            raise EOFError("the process is gone") from None

    async def outcome(self) -> Run:
        """What became of the process, once it has ended. Raises Failure if the sandbox does not say."""
        if self.ended is None:
            self.ended = run_of(await self.nursery.answer(b"r", self.limits.wall_s + ANSWER_S), self.limits, told=False)
        return self.ended

    async def end(self) -> None:
        """End the process if it has not ended."""
        self.writer.close()
        if self.ended is None and not self.nursery.is_broken:
            await asyncio.shield(self.nursery.cancel())


@asynccontextmanager
async def open_cell(pool: Pool, entry: str, options: bytes, limits: Limits) -> AsyncGenerator[Cell]:
    """Start `main(channel, options)` of a module of `inside`, in a sandbox that nobody else uses meanwhile."""
    async with pool.nursery() as nursery:
        cell = await start_cell(nursery, entry, options, limits)
        try:
            yield cell
        finally:
            await cell.end()


async def start_cell(nursery: Nursery, entry: str, options: bytes, limits: Limits) -> Cell:
    ours, theirs = socket.socketpair()
    with theirs:
        head = json.dumps({"entry": entry, "limits": limits.model_dump()}).encode()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            await nursery.send(b"C", struct.pack("<I", len(head)), head, options, channel=theirs.fileno())
        except BaseException:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            raise
    return Cell(nursery, limits, reader, writer)
