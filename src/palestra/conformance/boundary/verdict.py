"""Whether a case was stopped: each of its marks, as seen from outside."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palestra.conformance.boundary.corpus import Case, Detect
from palestra.conformance.boundary.scene import Scene

WALL_SLACK_S = 10.0
MEMORY_SLACK = 1.25
"""Memory is sampled, by the sandbox and here; what grows fast is caught a moment late."""
NUMBER = re.compile(r"^N (\d+)\s*$", re.MULTILINE)


@dataclass(slots=True)
class Observed:
    """What was seen of one case."""

    reply: Mapping[str, Any] | None = None
    """What the runner told of it; None if it was harmed."""
    was_ended: bool = False
    """Whether it was ended from outside, for using far too much of the machine."""
    most_processes: int = 0
    most_threads: int = 0
    most_bytes: int = 0
    survivors: int = 0
    helper_alive: bool = False
    next_ok: bool = False
    why_not: str = ""
    """What the honest program met afterwards."""


def problems(case: Case, seen: Observed, scene: Scene, *, memory_mb: int, wall_s: float) -> Iterator[str]:
    """What did not hold, in words; nothing if the case was stopped."""
    if seen.reply is None:
        ended = "it used so much of the machine that it was ended"
        yield ended if seen.was_ended else "the host process was harmed or did not return"
    elif "trouble" in seen.reply:
        yield f"the sandbox broke: {seen.reply['trouble']}"
    if not seen.next_ok:
        yield f"the next honest run failed {seen.why_not}".rstrip()
    detect = case.detect
    if detect.helper_alive and not seen.helper_alive:
        yield "a process beside it was killed"
    yield from of_resources(detect, seen, memory_mb, wall_s)
    yield from of_host(detect, seen, scene)
    if detect.stdout_absent is not None and detect.stdout_absent in learned(case, seen, scene):
        yield "it printed what it must not learn"
    if seen.reply is not None:
        yield from of_output(detect, seen.reply)


def of_resources(detect: Detect, seen: Observed, memory_mb: int, wall_s: float) -> Iterator[str]:
    if detect.procs_max is not None and seen.most_processes > detect.procs_max:
        yield f"{seen.most_processes} processes at a time, allowed are {detect.procs_max}"
    if detect.tasks_max is not None and seen.most_threads > detect.tasks_max:
        yield f"{seen.most_threads} threads at a time, allowed are {detect.tasks_max}"
    if detect.mem_max and seen.most_bytes > memory_mb * MEMORY_SLACK * 2**20:
        yield f"{seen.most_bytes >> 20} MiB of memory, allowed are {memory_mb}"
    if detect.no_survivor and seen.survivors:
        yield f"{seen.survivors} processes were left"
    told_s = seen.reply.get("wall_s", 0.0) if seen.reply is not None else 0.0
    if detect.wall_max and told_s > wall_s + WALL_SLACK_S:
        yield f"it took {told_s:.0f} s, allowed are {wall_s + WALL_SLACK_S:.0f}"


def of_host(detect: Detect, seen: Observed, scene: Scene) -> Iterator[str]:
    if detect.no_connection and scene.was_reached():
        yield "it reached a listener of the host"
    if detect.path_absent is not None and Path(detect.path_absent).exists():
        yield "it made a file on the host"
    if detect.path_present is not None and not Path(detect.path_present).exists():
        yield "it deleted a file of the host"
    if detect.path_content is not None and not scene.holds_canary(detect.path_content):
        yield "it changed a file of the host"


def learned(case: Case, seen: Observed, scene: Scene) -> str:
    """All that a program printed or wrote, without the lines of its own source that a traceback shows."""
    source = {line.strip() for line in case.code.splitlines()}
    told = seen.reply.get("output", "") if seen.reply is not None else ""
    printed = [line for line in told.splitlines() if not (line.startswith("    ") and line.strip() in source)]
    return "\n".join(printed) + scene.written()


def of_output(detect: Detect, reply: Mapping[str, Any]) -> Iterator[str]:
    if detect.output_max is not None and reply.get("kept_bytes", 0) > detect.output_max:
        yield f"{reply['kept_bytes']} bytes of output were kept, allowed are {detect.output_max}"
    numbers = [int(number) for number in NUMBER.findall(reply.get("output", ""))]
    if detect.stdout_int_max is not None and numbers and max(numbers) > detect.stdout_int_max:
        yield f"it got {max(numbers)}, allowed are {detect.stdout_int_max}"
    if detect.verdict == "fail" and reply.get("verdict", "fail") != "fail":
        yield "the wrong solution was judged right"
