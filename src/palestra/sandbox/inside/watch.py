"""One untrusted process, from its fork to its end, seen from the first process of the sandbox."""

import contextlib
import gc
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable

from . import kernel, landlock, limits, seccomp, usage

TELL_LIMIT = 16 << 20
"""Bytes that a run may say on its own channel: a returned value, an error."""
CHUNK = 1 << 16
STRAGGLERS_S = 2.0
"""How long children that leave their group are hunted, where there is no process namespace."""
NO_LIMIT, CPU, WALL, MEMORY, CANCELLED = range(5)
BROKEN, OUT_OF_MEMORY = 70, 71
"""Exit statuses of a process that could not be made ready, and of one that had no memory left to say so."""
TELL = 3
READY = b"A\0\0\0\0"


class Capture:
    """The first `most` bytes of a stream; the rest is read and dropped, so that nobody waits for us."""

    def __init__(self, descriptor: int, most: int) -> None:
        self.descriptor = descriptor
        self.most = most
        self.kept = bytearray()
        self.dropped = False

    def read(self) -> int:
        """Take what is there: the number of bytes, 0 at the end of the stream, -1 if there is nothing yet."""
        try:
            chunk = os.read(self.descriptor, CHUNK)
        except BlockingIOError:
            return -1
        room = self.most - len(self.kept)
        self.dropped = self.dropped or len(chunk) > room
        self.kept += chunk[:room]
        return len(chunk)

    def drain(self) -> None:
        """Take what is left of a process that is gone; bounded, should somebody still write."""
        for _ in range(64):
            if self.read() <= 0:
                return

    def take(self) -> tuple[bytes, bool]:
        taken = bytes(self.kept), self.dropped
        self.kept.clear()
        self.dropped = False
        return taken


class Watch:
    """A process, its streams, and what it has used."""

    def __init__(self, run_limits: limits.RunLimits, feed: bytes, boundary: "Boundary") -> None:
        self.limits = run_limits
        self.boundary = boundary
        self.feed = memoryview(feed)
        self.pid = self.all_bytes = 0
        self.limit = NO_LIMIT
        self.status = 0
        self.cpu_s = self.cpu_before_s = 0.0
        self.began = time.monotonic()
        self.poll = select.poll()
        self.pidfd = -1
        self.was_ready = False

    def start(self, act: Callable[[], None], keep: int = -1, *, alone: bool = True) -> None:
        """Fork; the child gets its limits, its streams and `keep` as descriptor 5, and then acts.

        Without `alone` it may start other programs.
        """
        ours: list[int] = []
        theirs: list[int] = []
        for number in range(5):
            read, write = os.pipe()
            ours.append(write if number in (0, 4) else read)
            theirs.append(read if number in (0, 4) else write)
        self.pid = os.fork()
        if not self.pid:
            self.become(act, [*theirs, *([keep] if keep >= 0 else [])], alone=alone)
        for descriptor in theirs:
            os.close(descriptor)
        self.input, out, errors, tell, self.go = ours
        for descriptor in (self.input, out, errors, tell):
            os.set_blocking(descriptor, False)
        self.out = Capture(out, self.limits.output_bytes)
        self.errors = Capture(errors, self.limits.output_bytes)
        self.told = Capture(tell, TELL_LIMIT)
        for capture in (self.out, self.errors, self.told):
            self.poll.register(capture.descriptor, select.POLLIN)
        self.poll.register(self.boundary.control, select.POLLIN)
        self.write_input()
        if self.input >= 0:
            self.poll.register(self.input, select.POLLOUT)
        self.pidfd = open_pidfd(self.pid)
        if self.pidfd >= 0:
            self.poll.register(self.pidfd, select.POLLIN)

    def become(self, act: Callable[[], None], descriptors: list[int], *, alone: bool) -> None:
        """The child's side: never returns. It says that it is ready before any code that nobody trusts."""
        status = BROKEN
        try:
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number, inheritable=number <= 2)
            os.closerange(len(descriptors), self.boundary.rules if self.boundary.rules >= 0 else 1024)
            if self.boundary.rules >= 0:
                os.closerange(self.boundary.rules + 1, 1024)
            self.boundary.enter_run(self.limits, alone=alone)
            random.seed()
            gc.enable()
            os.write(TELL, READY)
            act()
            status = 0
        except MemoryError:
            status = OUT_OF_MEMORY
        finally:
            os._exit(status)

    def write_input(self) -> None:
        """Give the process what its standard input has room for."""
        try:
            self.feed = self.feed[os.write(self.input, self.feed) :] if self.feed else self.feed
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.feed = memoryview(b"")
        if not self.feed:
            os.close(self.input)
            self.input = -1

    def step(self) -> bool:
        """Wait for whatever comes next. False when the process has ended, by itself or at a limit."""
        fed = self.input
        for descriptor, _ in self.poll.poll(self.patience_ms()):
            if descriptor == self.pidfd:
                return not self.reap()
            if descriptor == self.input:
                self.write_input()
                if self.input < 0:
                    self.poll.unregister(fed)
            else:
                for capture in (self.out, self.errors, self.told):
                    if capture.descriptor == descriptor and capture.read() == 0:
                        self.poll.unregister(descriptor)
                if descriptor == self.boundary.control:
                    self.limit = CANCELLED
        if (self.pidfd < 0 or self.limits.processes) and self.reap():
            return False
        self.check()
        return self.limit == NO_LIMIT

    def patience_ms(self) -> int:
        if self.pidfd < 0:
            return 5
        left_s = min(self.limits.wall_s - self.wall_s(), self.limits.cpu_s - self.used_s())
        if self.limits.processes:
            left_s = min(left_s, usage.patience_s(self.limits.memory_bytes - self.all_bytes))
        return max(1, int(left_s * 1000) + 1)

    def used_s(self) -> float:
        return usage.cpu_of(self.pid) - self.cpu_before_s

    def check(self) -> None:
        """Whether a limit is reached."""
        if self.limit:
            return
        used_s = self.used_s()
        if self.limits.processes:
            all_s, self.all_bytes = usage.of_all(self.boundary.own, self.session(), self.limits.memory_bytes)
            used_s = max(used_s, all_s - self.cpu_before_s)
            if self.all_bytes > self.limits.memory_bytes:
                self.limit = MEMORY
        if used_s >= self.limits.cpu_s:
            self.limit = CPU
        elif self.wall_s() >= self.limits.wall_s:
            self.limit = WALL
        elif self.told.dropped:
            self.limit = MEMORY

    def session(self) -> int:
        """The session whose processes are the run's; 0 where all that can be seen are."""
        return 0 if self.boundary.kind == "namespaces" else self.pid

    def reap(self) -> bool:
        """Take leave of what has ended. Whether the process itself has."""
        pid = -1
        while pid and self.pid:
            pid, status, used = os.wait4(-1 if self.limits.processes else self.pid, os.WNOHANG)
            if pid:
                self.cpu_s += used.ru_utime + used.ru_stime
            if pid == self.pid:
                self.status, self.pid = status, 0
        return not self.pid

    def end(self) -> None:
        """Nothing of the run is alive after this, and all it said has been read."""
        self.boundary.kill_everything(self.pid)
        if self.pid:
            _, self.status, used = os.wait4(self.pid, 0)
            self.cpu_s += used.ru_utime + used.ru_stime
            self.pid = 0
        self.cpu_s += self.boundary.reap_others()
        for capture in (self.out, self.errors, self.told):
            capture.drain()
            os.close(capture.descriptor)
        for descriptor in (self.input, self.go, self.pidfd):
            if descriptor >= 0:
                os.close(descriptor)

    def is_ready(self) -> bool:
        """Whether the process came as far as the code that it was started for."""
        return self.was_ready or bool(self.told.kept)

    def wall_s(self) -> float:
        return time.monotonic() - self.began

    def take_what_is_there(self) -> None:
        for capture in (self.out, self.errors):
            capture.drain()

    def renew(self) -> None:
        """The limits start again, for the next input of the same process."""
        self.began = time.monotonic()
        self.cpu_before_s = usage.cpu_of(self.pid)


class Boundary:
    """What differs between the kinds of sandbox, as the first process sees it."""

    def __init__(self, kind: str, control: int, folder: str) -> None:
        self.kind = kind
        self.control = control
        self.folder = folder
        self.own = os.getpid()
        self.base_bytes = limits.base_address_space()
        self.rules = -1

    def enter_run(self, run_limits: limits.RunLimits, *, alone: bool) -> None:
        """In the child, before untrusted code."""
        os.setsid()
        os.chdir(self.folder)
        if kernel.IS_LINUX:
            kernel.control(kernel.PR_SET_DUMPABLE, 1)
        # In a user namespace of its own there are the process outside, the first one and this one.
        processes = 3 + run_limits.processes if self.kind == "namespaces" else -1
        limits.apply(limits.settings(run_limits, self.base_bytes, processes))
        if self.rules >= 0:
            landlock.restrict(self.rules)
            os.close(self.rules)
            seccomp.install(seccomp.program())
            if alone:
                seccomp.install(seccomp.lone_program(threads=run_limits.processes > 0))

    def kill_everything(self, leader: int) -> None:
        """Kill the run. In a process namespace that is everything but us; elsewhere its group, and our children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.kind == "namespaces":
                os.kill(-1, signal.SIGKILL)
            elif leader:
                os.killpg(leader, signal.SIGKILL)

    def reap_others(self) -> float:
        """Wait for all that is left; the CPU seconds they took."""
        used_s = 0.0
        deadline = time.monotonic() + STRAGGLERS_S
        try:
            while self.kind == "namespaces" or time.monotonic() < deadline:
                pid, _, used = os.wait4(-1, 0 if self.kind == "namespaces" else os.WNOHANG)
                used_s += used.ru_utime + used.ru_stime if pid else 0.0
                if not pid:
                    # Not in a process namespace: orphans become our children, where the system knows of that.
                    self.kill_children()
                    time.sleep(0.001)
        except ChildProcessError:
            return used_s
        return used_s

    def kill_children(self) -> None:
        with contextlib.suppress(OSError), open(f"/proc/self/task/{self.own}/children") as file:
            for pid in file.read().split():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(pid), signal.SIGKILL)


def open_pidfd(pid: int) -> int:
    if sys.platform != "linux":
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1
