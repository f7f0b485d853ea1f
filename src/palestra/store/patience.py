"""Waiting for a disk that takes nothing more: one message when that begins, and one when it is over."""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Errors of a disk that may be mended while the run waits: it is full, the quota is used up, or it is ill."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 15.0


class DiskPatience:
    """Tries again what the disk refused, with growing pauses, for `patience_s` at most."""

    def __init__(self, patience_s: float, tell: Callable[[str], None]) -> None:
        self.patience_s = patience_s
        self.tell = tell
        self.accepting = asyncio.Event()
        """Cleared while the disk refuses."""
        self.accepting.set()
        self.ending = asyncio.Event()

    async def keep_trying(self, write: Callable[[], Awaitable[None]]) -> None:
        """Call `write` until it succeeds. Raises its OSError if waiting does not help, or has lasted too long."""
        try:
            await write()
        except OSError as error:
            if not self.may_wait(error, 0.0):
                raise
            self.accepting.clear()
            try:
                await self.wait_out(error, write)
            finally:
                self.accepting.set()

    async def wait_out(self, error: OSError, write: Callable[[], Awaitable[None]]) -> None:
        began, pause_s = time.monotonic(), FIRST_PAUSE_S
        self.tell(await asyncio.to_thread(refused, error, self.patience_s))
        while True:
            await self.pause(min(pause_s, max(began + self.patience_s - time.monotonic(), 0.0)))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            try:
                await write()
                break
            except OSError as again:
                if not self.may_wait(again, time.monotonic() - began):
                    raise
        self.tell(f"{error.filename} can be written again after {time.monotonic() - began:.1f} s: the run goes on")

    def may_wait(self, error: OSError, waited_s: float) -> bool:
        return error.errno in REFUSALS and waited_s < self.patience_s and not self.ending.is_set()

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the run."""
        try:
            async with asyncio.timeout(seconds):
                await self.ending.wait()
        except TimeoutError:
            return

    def end(self) -> None:
        """Wait no more: what is refused now is tried once again and then given up."""
        self.ending.set()


def refused(error: OSError, patience_s: float) -> str:
    """What to tell people when the waiting begins. `error` names the file."""
    return (
        f"{error.filename} cannot be written: {error.strerror} ({room(Path(error.filename))} on its disk). "
        f"Nothing new is started and what is at work waits; it is tried again for up to {patience_s:g} s "
        "(--disk-patience-s). Make room and the run goes on by itself."
    )


def room(path: Path) -> str:
    try:
        disk = os.statvfs(path)
    except OSError:
        return "nobody knows how much is free"
    return f"{disk.f_bavail * disk.f_frsize / 1e9:.3f} GB free"
