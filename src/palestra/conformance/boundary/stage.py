"""Starting the host process of a case where it can do no harm, and talking to it while its tree is watched."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from palestra.conformance.boundary import plain
from palestra.conformance.boundary.scene import Scene
from palestra.conformance.boundary.watch import Watch, adopt_orphans
from palestra.core.errors import PalestraError

RUNNER = "palestra.conformance.boundary.runner"
UNGUARDED = ("none", "weak")
"""Boundaries that would let a case harm this machine."""
OWN_USER = 61500
"""Whom these run as when this process is root's: a user that owns nothing, and whose processes can be limited."""
MOST_PROCESSES = 120
SAMPLE_EVERY_S = 0.025
HELPERS = 'for name in host helper; do sh -c "sleep 900; :" "$0-$name" </dev/null >/dev/null 2>&1 & done; "$@"; exit $?'
"""The first process of a case: two processes that must not be seen or harmed, and then the runner."""
CONFINED = ("unshare", "--fork", "--kill-child", "--pid", "--mount-proc")
"""Processes of their own, so that a case that kills whatever it may kills nothing of this machine's."""


class Stage:
    """The runner of one case, and the processes below it. Whatever happens, `with` leaves none of them."""

    def __init__(self, scene: Scene, backend: str) -> None:
        self.scene = scene
        self.backend = backend
        self.pending = b""
        self.is_dead = False
        self.was_ended = False
        """Whether a case was ended from here, because it used too much of this machine."""

    def __enter__(self) -> "Stage":
        adopt_orphans(True)
        self.watch = Watch()
        command = [*confined(self.backend), "sh", "-c", HELPERS, self.scene.mark, *runner_of(self.backend)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**surroundings(), "SBX_CANARY": self.scene.canary, "TMPDIR": str(self.scene.folder / "work")},
            pass_fds=self.scene.inherited,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watch.end()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            # What it did not take any more is lost with it.
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()
        adopt_orphans(False)

    def ask(
        self, order: Mapping[str, Any], within_s: float, harmful: Callable[[Watch], bool] = lambda watch: False
    ) -> dict[str, Any] | None:
        """Have the runner do something; None if it ended or did not answer in time, or `harmful` stopped it."""
        assert self.process.stdin is not None
        if order:
            with suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps(order).encode() + b"\n")
                self.process.stdin.flush()
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and not self.is_dead:
            line = self.line()
            if line is not None:
                self.watch.sample()
                return json.loads(line)
            self.watch.sample()
            if harmful(self.watch):
                self.was_ended = True
                break
        # Nothing more can be said of it, so nothing more is asked.
        self.is_dead = True
        return None

    def line(self) -> bytes | None:
        """A line of the runner's, if there is one within a moment."""
        assert self.process.stdout is not None
        if b"\n" not in self.pending and select.select([self.process.stdout], [], [], SAMPLE_EVERY_S)[0]:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            self.pending += data
            self.is_dead = not data
        line, newline, rest = self.pending.partition(b"\n")
        if not newline:
            return None
        self.pending = rest
        return line

    def has_process(self, name: str) -> bool:
        """Whether the process of that name stands."""
        wanted = f"{self.scene.mark}-{name}".encode()
        for pid in self.watch.tree():
            # It may have ended meanwhile.
            with suppress(OSError):
                if wanted in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    return True
        return False


def runner_of(backend: str) -> list[str]:
    if backend == "none":
        return [usable_python("json, subprocess"), "-I", "-S", "-c", Path(plain.__file__).read_text()]
    python = usable_python(RUNNER) if backend in UNGUARDED else sys.executable
    return [python, "-P", "-m", RUNNER, backend]


def usable_python(modules: str) -> str:
    """A Python that the user of a case can start: this one may be in a folder that is private to root."""
    if os.geteuid() != 0:
        return sys.executable
    for path in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        # By way of a shell, as setpriv itself still may what its user may not.
        started = ["sh", "-c", '"$@"; exit $?', "sh", path, "-P", "-c", f"import {modules}"]
        if os.path.exists(path) and succeeds([*as_own_user(), *started]):
            return path
    message = "no Python here can be started by a user without rights"
    raise PalestraError("usage", message, fix="Install Palestra where every user may read it, or Debian's python3.")


def as_own_user() -> list[str]:
    return ["setpriv", f"--reuid={OWN_USER}", f"--regid={OWN_USER}", "--clear-groups"]


def surroundings() -> dict[str, str]:
    """The environment of a runner: it can import what this process can, whatever Python it is."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def confined(backend: str) -> list[str]:
    """What keeps the machine from harm. Raises PalestraError where that cannot be and there is no strong boundary."""
    is_root = os.geteuid() == 0
    mapped = () if is_root else ("--user", "--map-current-user")
    own = [*(as_own_user() if is_root else []), "prlimit", f"--nproc={MOST_PROCESSES}"]
    if shutil.which(CONFINED[0]) and succeeds([*CONFINED, *mapped, "true"]):
        return [*CONFINED, *mapped, *(own if backend in UNGUARDED else [])]
    if backend in UNGUARDED:
        message = f"cases cannot be run with --backend {backend}: they could kill processes of this machine"
        raise PalestraError("usage", message, fix="Run them where `unshare --pid --fork true` works.")
    return []


def succeeds(command: Sequence[str]) -> bool:
    try:
        ended = subprocess.run(command, capture_output=True, timeout=20, check=False, env=surroundings())
        return ended.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
