"""Programs that try what a boundary must stop, run in the boundary: what it offers is seen, not guessed."""

import asyncio
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from palestra.core.errors import Failure
from palestra.core.sandbox import Input, Limits, Program, Run
from palestra.sandbox.local import LocalSandbox
from palestra.sandbox.nursery import Kind

WORD = "a word that no run may read"
LIMITS = Limits(cpu_s=5, wall_s=20, memory_mb=256)
SEVERAL = LIMITS.model_copy(update={"processes": 2})

SECRET = "print(open({path!r}).read())"
WRITE = """
import os
for flags in (os.O_WRONLY | os.O_CREAT, os.O_WRONLY):
    try:
        os.write(os.open({path!r}, flags), b"written")
    except OSError:
        pass
"""
CONNECT = """
import socket
s = socket.create_connection(("127.0.0.1", {port}), timeout=2)
s.sendall(b"x")
"""
FORK = """
import os, time
started = 0
try:
    for _ in range(8):
        if not os.fork():
            time.sleep(1)
            os._exit(0)
        started += 1
except OSError:
    pass
print(started)
"""
DAEMON = """
import os, time
if os.fork():
    raise SystemExit
os.setsid()
if os.fork():
    os._exit(0)
while True:
    with open({path!r}, "a") as file:
        file.write("x")
    time.sleep(0.05)
"""
DAEMON_QUIET = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
print(os.getpid())
"""
ALIVE = """
import os
found = 0
for pid in range(2, 4096):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        continue
    except PermissionError:
        continue
    found += pid != os.getpid()
print(found)
"""


@dataclass(frozen=True, slots=True)
class Canary:
    """One attempt and whether it was stopped; of the honest program, whether it was let through."""

    name: str
    passed: bool
    detail: str = ""


async def try_all(kind: Kind) -> tuple[Canary, ...]:
    """Start a sandbox of this kind and run every canary in it; one entry alone if it does not start."""
    sandbox = LocalSandbox(kind, 1)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="palestra-canary-")))
            open_to_all(folder)
            return tuple([await one(sandbox, folder) for one in CANARIES])
    except Failure as failure:
        return (Canary("start", False, failure.message),)
    finally:
        await sandbox.close()


def open_to_all(folder: Path) -> None:
    """What keeps a run out has to be the boundary, not the mode of the folder."""
    folder.chmod(0o777)


async def honest(sandbox: LocalSandbox, _: Path) -> Canary:
    run = await sandbox.run(Program("print(int(input()) ** 2)"), Input("5"), limits=LIMITS)
    return Canary("honest program", run.ok and run.output == "25\n", run.error or "")


async def secret(sandbox: LocalSandbox, folder: Path) -> Canary:
    path = folder / "secret"
    path.write_text(WORD)
    path.chmod(0o644)
    run = await sandbox.run(Program(SECRET.format(path=str(path))), limits=LIMITS)
    return Canary("read a file outside", WORD not in run.output + run.errors, said(run))


async def write(sandbox: LocalSandbox, folder: Path) -> Canary:
    path = folder / "kept"
    path.write_text("as it was")
    path.chmod(0o666)
    for target in (path, folder / "new"):
        await sandbox.run(Program(WRITE.format(path=str(target))), limits=LIMITS)
    return Canary("write outside", path.read_text() == "as it was" and not (folder / "new").exists())


async def connect(sandbox: LocalSandbox, _: Path) -> Canary:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        run = await sandbox.run(Program(CONNECT.format(port=server.getsockname()[1])), limits=LIMITS)
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return Canary("connect to the loopback", True, said(run))
    return Canary("connect to the loopback", False)


async def fork(sandbox: LocalSandbox, _: Path) -> Canary:
    run = await sandbox.run(Program(FORK), limits=SEVERAL)
    return Canary("more processes than allowed", run.output.strip() in ("", "0", "1", "2"), run.output.strip())


async def daemon(sandbox: LocalSandbox, folder: Path) -> Canary:
    path = folder / "daemon"
    path.touch()
    path.chmod(0o666)
    await sandbox.run(Program(DAEMON.format(path=str(path))), limits=SEVERAL)
    before = path.stat().st_size
    await asyncio.sleep(0.2)
    outlived = path.stat().st_size != before
    if not outlived and sandbox.backend == "namespaces":
        await sandbox.run(Program(DAEMON_QUIET), limits=SEVERAL)
        run = await sandbox.run(Program(ALIVE), limits=LIMITS)
        outlived = run.output.strip() != "0"
    return Canary("a process that outlives its run", not outlived)


def said(run: Run) -> str:
    return (run.error or run.status)[:200]


CANARIES: tuple[Callable[[LocalSandbox, Path], Awaitable[Canary]], ...] = (honest, secret, write, connect, fork, daemon)
