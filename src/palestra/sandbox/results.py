"""What a sandbox tells of a run, as a Run: everything in it was made by untrusted code but how the process ended."""

import json
import os
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from palestra.core.errors import Failure
from palestra.core.sandbox import Limits, Run, RunStatus
from palestra.sandbox.inside import watch
from palestra.sandbox.inside.serve import OUTCOME
from palestra.sandbox.inside.values import Malformed, decode

AT_LIMIT: Mapping[int, tuple[RunStatus, str]] = MappingProxyType(
    {
        watch.CPU: ("cpu_limit", "ended after {limits.cpu_s:g} s of CPU time"),
        watch.WALL: ("wall_limit", "ended after {limits.wall_s:g} s"),
        watch.MEMORY: ("memory_limit", "ended beyond {limits.memory_mb} MiB of memory"),
    }
)


class Refused:
    """Stands for a returned object that cannot be told by value. It is equal to nothing but itself."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"Refused({self.reason!r})"


def run_of(body: bytes, limits: Limits, *, told: bool = True) -> Run:
    """The Run that an outcome tells; a process that is not to tell how it ended has ended well by any exit of its own.

    Raises Failure if the process did not come as far as the code.
    """
    limit, status, cpu_s, wall_s, cut, *sizes = OUTCOME.unpack_from(body)
    parts: list[bytes] = []
    offset = OUTCOME.size
    for size in sizes:
        parts.append(body[offset : offset + size])
        offset += size
    told_bytes, output, errors = parts
    said = read_told(told_bytes) if told else {}
    code = os.waitstatus_to_exitcode(status)
    if not cut & 4:
        raise Failure("sandbox", f"a run could not be made ready: {code}", retryable=True)
    if not told and code >= 0:
        said = {"status": "memory_limit" if code == watch.OUT_OF_MEMORY else "ok"}
    ended, note = ending(limit, code, said, cpu_s, limits, is_told=told)
    names = [f"standard {name} cut after {limits.output_bytes} bytes" for bit, name in ((1, "output"), (2, "error"))
             if cut & bit]  # fmt: skip
    return Run(
        status=ended,
        output=output.decode(errors="replace"),
        errors=errors.decode(errors="replace"),
        value=value_of(said) if ended == "ok" else None,
        error=text(said, "error"),
        error_repr=text(said, "error_repr"),
        trace=text(said, "trace"),
        exit_code=exit_of(said, code) if ended in ("ok", "raised", "died") else None,
        cpu_s=cpu_s,
        wall_s=wall_s,
        truncated=bool(names),
        notes=(*names, *([note] if note else [])),
    )


def read_told(body: bytes) -> dict[str, Any]:
    """What the run said of itself; nothing if it is not in the form, which is then no way to end."""
    try:
        told = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def ending(
    limit: int, code: int, told: dict[str, Any], cpu_s: float, limits: Limits, *, is_told: bool
) -> tuple[RunStatus, str]:
    if limit in AT_LIMIT:
        status, note = AT_LIMIT[limit]
        return status, note.format(limits=limits)
    if code in (-signal.SIGXCPU, -signal.SIGKILL) and cpu_s >= limits.cpu_s:
        status, note = AT_LIMIT[watch.CPU]
        return status, note.format(limits=limits)
    if told.get("status") == "memory_limit" or (is_told and code == watch.OUT_OF_MEMORY):
        return "memory_limit", f"a request for memory beyond {limits.memory_mb} MiB was refused"
    if (code == 0 or not is_told) and told.get("status") in ("ok", "raised"):
        return told["status"], ""
    if code < 0:
        return "died", f"ended by signal {signal_name(-code)}"
    return "died", f"ended with exit code {code} in the middle of the program"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def exit_of(told: dict[str, Any], code: int) -> int:
    found = told.get("exit_code")
    if told.get("status") == "raised":
        return 1
    return found if type(found) is int and 0 <= found <= 255 and code == 0 else code


def value_of(told: dict[str, Any]) -> Any:
    if "refused" in told:
        return Refused(str(told["refused"]))
    if "value" not in told:
        return None
    try:
        return decode(str(told["value"]).encode())
    except Malformed as error:
        return Refused(str(error))


def text(told: dict[str, Any], name: str) -> str | None:
    found = told.get(name)
    return found if isinstance(found, str) else None
