"""One sandbox, seen from outside: its first process, the socket to it, and one request at a time."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Literal, TypeAlias

from palestra.core.errors import Failure
from palestra.sandbox.inside.serve import HEAD

Kind: TypeAlias = Literal["namespaces", "landlock", "weak"]
START_S = 30.0
"""How long a sandbox may take to start; on an idle machine it takes a tenth of a second."""
END_S = 5.0
STREAM_BYTES = 1 << 22
PACKAGE = Path(__file__).parent
BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from inside import start; start.main()"
COMMON = (
    "math", "cmath", "re", "collections", "collections.abc", "heapq", "itertools", "bisect", "functools", "string",
    "random", "json", "decimal", "fractions", "io", "statistics", "datetime", "copy", "typing", "operator", "array",
    "dataclasses", "enum", "abc", "queue", "time", "calendar", "textwrap", "traceback", "linecache", "tempfile",
    "encodings.idna", "hashlib", "struct", "numbers", "contextlib", "types", "inspect", "threading",
)  # fmt: skip
"""Modules that contest programs use: loaded once, shared by all runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a sandbox is set up."""

    kind: Kind
    preload: tuple[str, ...] = COMMON
    with_packages: bool = False
    """Whether the packages of the running Python can be imported."""
    scratch_mb: int = 64
    """Of all that can be written in it, in MiB."""


class Nursery:
    """A running sandbox. `start` makes one; `close` ends it and everything in it."""

    def __init__(self, plan: Plan, process: subprocess.Popen[bytes], scratch: str) -> None:
        self.plan = plan
        self.process = process
        self.scratch = scratch
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.raw: socket.socket
        self.is_broken = False
        self.about: dict[str, object] = {}

    @classmethod
    async def start(cls, plan: Plan) -> "Nursery":
        """Raises Failure (`sandbox`) with what the sandbox said, if it does not come up."""
        ours, theirs = socket.socketpair()
        scratch = tempfile.mkdtemp(prefix="palestra-run-") if plan.kind != "namespaces" else ""
        with theirs:
            nursery = cls(plan, launch(plan, theirs.fileno(), scratch), scratch)
        ours.setblocking(False)
        nursery.raw = ours.dup()
        nursery.reader, nursery.writer = await asyncio.open_connection(sock=ours, limit=STREAM_BYTES)
        try:
            async with asyncio.timeout(START_S):
                _, body = await nursery.receive()
        except (TimeoutError, Failure):
            said = await nursery.last_words()
            await nursery.close()
            raise Failure("sandbox", f"a {plan.kind} sandbox did not start: {said}", retryable=True) from None
        except BaseException:
            await nursery.close()
            raise
        nursery.about = json.loads(body)
        return nursery

    async def send(self, kind: bytes, *parts: bytes, channel: int = -1) -> None:
        """Send one message, with an open descriptor if one is given. Raises Failure if the sandbox is gone."""
        head = HEAD.pack(kind, sum(map(len, parts)))
        try:
            if channel >= 0:
                # Nothing is under way on this socket, so that a head of a few bytes always fits.
                socket.send_fds(self.raw, [head], [channel])
                head = b""
            self.writer.writelines((head, *parts))
            await self.writer.drain()
        except OSError as error:
            self.is_broken = True
            raise Failure("sandbox", f"the sandbox is gone: {error}", retryable=True) from error

    async def receive(self) -> tuple[bytes, bytes]:
        """The next message: its kind and its body. Raises Failure if the sandbox is gone or says that it failed."""
        try:
            kind, length = HEAD.unpack(await self.reader.readexactly(HEAD.size))
            body = await self.reader.readexactly(length) if length else b""
        except (asyncio.IncompleteReadError, OSError, struct.error) as error:
            self.is_broken = True
            raise Failure("sandbox", "the sandbox ended in the middle of a run", retryable=True) from error
        if kind == b"f":
            self.is_broken = True
            raise Failure("sandbox", f"the sandbox could not run the code: {body.decode()}", retryable=True)
        return kind, body

    async def answer(self, expected: bytes, within_s: float) -> bytes:
        """The body of the next message, which has to be of one kind. Raises Failure, and FileNotFoundError."""
        try:
            async with asyncio.timeout(within_s):
                kind, body = await self.receive()
        except TimeoutError:
            self.is_broken = True
            raise Failure("sandbox", f"the sandbox did not answer within {within_s:g} s", retryable=True) from None
        if kind == b"e":
            raise FileNotFoundError(body.decode(errors="replace"))
        if kind != expected:
            self.is_broken = True
            raise Failure("sandbox", f"the sandbox answered {kind!r} instead of {expected!r}")
        return body

    async def cancel(self) -> None:
        """End what is under way, and read what was said of it; broken afterwards if it does not answer in time."""
        try:
            async with asyncio.timeout(END_S):
                await self.send(b"X")
                while (await self.receive())[0] != b"d":
                    pass
        except (TimeoutError, Failure):
            self.is_broken = True

    async def last_words(self) -> str:
        """What a sandbox that failed wrote on its standard error."""
        self.process.kill()
        stream = self.process.stderr
        assert stream is not None
        os.set_blocking(stream.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            lines = (stream.read() or b"").decode(errors="replace").split("\n")
            return next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return "it said nothing"

    async def close(self) -> None:
        """End everything in it, and remove what it had on the disk."""
        self.is_broken = True
        self.raw.close()
        self.writer.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        for _ in range(int(END_S / 0.005)):
            if self.process.poll() is not None:
                break
            await asyncio.sleep(0.005)
        if self.process.stderr is not None:
            self.process.stderr.close()
        if self.scratch:
            rmtree(self.scratch, ignore_errors=True)


def launch(plan: Plan, control: int, scratch: str) -> subprocess.Popen[bytes]:
    interpreter = os.path.realpath(sys.executable)
    told = {
        "kind": plan.kind,
        "control": control,
        "folders": prefixes(with_packages=plan.with_packages),
        "paths": site_packages() if plan.with_packages else [],
        "preload": plan.preload,
        "scratch": scratch,
        "scratch_mb": plan.scratch_mb,
        "environment": {
            "PATH": program_path(with_packages=plan.with_packages),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
        },
    }
    arguments = [interpreter, "-I", "-S", "-B", "-X", "utf8", "-c", BOOT, str(PACKAGE), json.dumps(told)]
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        arguments,
        pass_fds=(control,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd="/",
    )


def prefixes(*, with_packages: bool) -> list[str]:
    """The folders that the running Python needs, besides the system's."""
    found = {os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)}
    if with_packages:
        found |= {os.path.realpath(sys.prefix), *site_packages()}
    return sorted(found - {"/usr", "/"})


def program_path(*, with_packages: bool) -> str:
    """Where programs are found: those of the running Python first, if it is shown."""
    own = [f"{os.path.realpath(prefix)}/bin" for prefix in (sys.prefix, sys.base_prefix)] if with_packages else []
    return ":".join(dict.fromkeys([*own, "/usr/local/bin", "/usr/bin", "/bin"]))


def site_packages() -> Sequence[str]:
    import sysconfig

    return sorted({os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")})
