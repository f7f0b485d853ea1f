"""Counting the processes, threads and memory of a tree from outside, and ending it."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SET_CHILD_SUBREAPER = 36
MEMORY_EVERY_S = 0.12
KILL_ROUNDS = 50
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc/PID/stat."""

    pid: int
    state: str
    parent: int
    threads: int
    resident_bytes: int


def processes() -> dict[int, Process]:
    """All processes that this one can see, by pid."""
    found: dict[int, Process] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            # It may end while it is looked at.
            with suppress(OSError, IndexError, ValueError):
                # Its name, in brackets, may hold anything.
                fields = Path("/proc", name, "stat").read_text(errors="replace").rpartition(")")[2].split()
                resident = int(fields[21]) * PAGE_BYTES
                found[int(name)] = Process(int(name), fields[0], int(fields[1]), int(fields[17]), resident)
    return found


def adopt_orphans(wanted: bool) -> None:
    """Have processes whose parent ends become children of this one, so that none is lost from sight."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


class Watch:
    """The processes below this one that are not among those it had before."""

    def __init__(self) -> None:
        self.strangers = {process.pid for process in processes().values() if process.parent == os.getpid()}
        self.reset()

    def reset(self) -> None:
        """Count what is new from here on."""
        tree = self.tree()
        self.known = frozenset(tree)
        self.known_threads = sum(process.threads for process in tree.values())
        self.known_bytes = memory_of(tree.values())
        self.most_processes = self.most_threads = self.most_bytes = 0
        self.memory_at = 0.0

    def tree(self) -> dict[int, Process]:
        """The living processes of the tree; those that ended and wait to be collected do not count."""
        everything = processes()
        children: dict[int, list[Process]] = {}
        for process in everything.values():
            children.setdefault(process.parent, []).append(process)
        waiting = [child for child in children.get(os.getpid(), []) if child.pid not in self.strangers]
        found: dict[int, Process] = {}
        while waiting:
            process = waiting.pop()
            if process.state not in "ZX":
                found[process.pid] = process
            waiting += children.get(process.pid, [])
        return found

    def sample(self) -> None:
        tree = self.tree()
        new = [process for pid, process in tree.items() if pid not in self.known]
        self.most_processes = max(self.most_processes, len(new))
        threads = sum(process.threads for process in tree.values()) - self.known_threads
        self.most_threads = max(self.most_threads, threads)
        if time.monotonic() >= self.memory_at:
            self.most_bytes = max(self.most_bytes, memory_of(tree.values()) - self.known_bytes)
            self.memory_at = time.monotonic() + MEMORY_EVERY_S

    def survivors(self, allowed: int, patience_s: float) -> int:
        """How many processes more than `allowed` are left after some patience."""
        deadline = time.monotonic() + patience_s
        while (extra := len(self.tree()) - allowed) > 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        return max(0, extra)

    def end(self) -> None:
        """Kill the whole tree, and collect what became a child of this process."""
        for _ in range(KILL_ROUNDS):
            tree = self.tree()
            for pid in tree:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.collect()
            if not tree:
                return
            time.sleep(0.02)

    def collect(self) -> None:
        for process in processes().values():
            if process.parent == os.getpid() and process.pid not in self.strangers:
                with suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)


def memory_of(tree: Iterable[Process]) -> int:
    """Bytes that processes hold together: shared pages once, and files in memory that no process has mapped."""
    files: dict[tuple[int, int], int] = {}
    total = 0
    for process in tree:
        total += proportional_bytes(process)
        files.update(memory_files(process.pid))
    return total + sum(files.values())


def proportional_bytes(process: Process) -> int:
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return int(text.partition("\nPss:")[2].split()[0]) << 10
    except (OSError, IndexError, ValueError):
        # Without the right to look, or too late for it.
        return process.resident_bytes


def memory_files(pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                path = f"/proc/{pid}/fd/{name}"
                if os.readlink(path).startswith("/memfd:"):
                    about = os.stat(path)
                    yield (about.st_dev, about.st_ino), about.st_blocks * 512
