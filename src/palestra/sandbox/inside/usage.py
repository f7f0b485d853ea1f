"""What the processes of a sandbox use: CPU time and memory, of one or of all."""

import os
import time

EVERY_S = 0.05
"""How often a run of several processes is looked at, at least."""
SOONEST_S = 0.002
GROWTH_BYTES_PER_S = 8 << 30
"""Faster than two processes can make memory theirs: what is left of a limit is looked at before it can be used up."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def patience_s(room_bytes: int) -> float:
    """How long a run may go unwatched that has so much memory left."""
    return min(EVERY_S, max(SOONEST_S, room_bytes / GROWTH_BYTES_PER_S))


def cpu_of(pid: int) -> float:
    """CPU seconds of a living process with its threads; 0 if it is gone or the system does not tell."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def of_all(own: int, session: int, memory_limit: int) -> tuple[float, int]:
    """CPU seconds and bytes of all processes but our own, or of those of a session.

    Memory is counted page by page only near its limit.
    """
    seconds, resident = 0.0, 0
    pids: list[str] = []
    for pid in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not pid.isdigit() or int(pid) == own:
            continue
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if session and int(fields[3]) != session:
            continue
        pids.append(pid)
        seconds += sum(int(field) for field in fields[11:15]) / TICKS
        resident += int(fields[21]) * PAGE
    if resident > memory_limit:
        resident = sum(proportional(pid) for pid in pids)
    return seconds, resident


def proportional(pid: str) -> int:
    """Bytes of a process, where a page that n processes share counts one nth."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0
    return 0
