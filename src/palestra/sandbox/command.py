"""A command of the host's own, such as a container runtime's: every wait bounded, its group killed in the end."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

READ_BYTES = 1 << 16
DRAIN_S = 2.0
"""How long the pipes of a command that has ended are read: a process it left behind may hold them open."""
REAP_S = 5.0
LONGEST_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a command."""

    exit_code: int | None
    """As the system tells it, a signal as a negative number; None if it was killed at the deadline."""
    output: bytes
    errors: bytes
    dropped: tuple[str, ...]
    """Which of its streams held more than was kept."""
    wall_s: float

    @property
    def is_late(self) -> bool:
        return self.exit_code is None

    @property
    def words(self) -> str:
        """What it said last, in one line of at most 300 characters."""
        said = (self.errors or self.output).decode(errors="replace").split()
        return " ".join(said)[-300:] or "(it said nothing)"


async def run_command(
    command: Sequence[str], *, deadline_s: float, stdin: bytes = b"", keep_bytes: int = 1 << 20
) -> Ended:
    """Run a program to its end, or to the deadline. Raises OSError if it cannot be started."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    output, errors = Kept(keep_bytes), Kept(keep_bytes)
    assert process.stdout is not None
    assert process.stderr is not None
    pumps = [
        asyncio.create_task(feed(process, stdin)),
        asyncio.create_task(output.read(process.stdout)),
        asyncio.create_task(errors.read(process.stderr)),
    ]
    is_late = False
    try:
        async with asyncio.timeout(deadline_s):
            await exited(process)
    except TimeoutError:
        is_late = True
    finally:
        kill_group(process)
        await asyncio.wait(pumps, timeout=DRAIN_S)
        for pump in pumps:
            pump.cancel()
        await reaped(process)
    streams = (("standard output", output), ("standard error", errors))
    dropped = tuple(name for name, kept in streams if kept.dropped)
    code = None if is_late else process.returncode
    return Ended(code, bytes(output.content), bytes(errors.content), dropped, time.monotonic() - began)


class Kept:
    """The first bytes of a stream; the rest is read and dropped, so that its writer is not held up."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.content = bytearray()
        self.dropped = False

    async def read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(READ_BYTES):
            room = self.limit - len(self.content)
            self.content += data[:room]
            self.dropped = self.dropped or len(data) > room


async def feed(process: Process, stdin: bytes) -> None:
    assert process.stdin is not None
    # A program that does not read all of its input is no error.
    with suppress(ConnectionError):
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()


def kill_group(process: Process) -> None:
    # Its group outlives the process itself if it left children behind.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def exited(process: Process) -> None:
    # `process.wait()` would also wait for the pipes, which a daemon of the command can hold for ever.
    pause_s = 0.001
    while process.returncode is None:
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def reaped(process: Process) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(REAP_S):
            await exited(process)
    # asyncio keeps the pipes as long as someone else holds their other ends.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
