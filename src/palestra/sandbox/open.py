"""Which boundary is in force: chosen by running what it must stop, refused where it is missing, never silently weak."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from palestra.core.errors import PalestraError
from palestra.core.sandbox import SandboxPolicy
from palestra.sandbox.canaries import Canary, try_all
from palestra.sandbox.local import LocalSandbox
from palestra.sandbox.nursery import Kind

STRONG: tuple[Kind, ...] = ("namespaces", "landlock")
NOT_STOPPED: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "namespaces": (
            "bugs of the kernel: only a virtual machine answers those",
            "timing of other processes of this machine, seen through shared caches and load",
        ),
        "landlock": (
            "bugs of the kernel: only a virtual machine answers those",
            "looking at the names and numbers of other processes, and at the load of this machine",
            "runs of several processes: none can be started, so commands and workspaces do not work",
        ),
        "weak": (
            "reading whatever the user can read: files, keys, other processes",
            "writing and deleting the user's files",
            "the network",
            "processes that leave their process group, and outlive the run",
            "sending signals to other processes of the user, Palestra among them",
            "memory and processes beyond the limits, where several processes add up",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Boundary:
    """A kind of sandbox, and what it was seen to stop here."""

    backend: Kind
    canaries: tuple[Canary, ...]

    @property
    def works(self) -> bool:
        return all(canary.passed for canary in self.canaries)

    @property
    def not_stopped(self) -> tuple[str, ...]:
        return NOT_STOPPED[self.backend]

    @property
    def failed(self) -> str:
        """The first canary that was not stopped, in words."""
        first = next(canary for canary in self.canaries if not canary.passed)
        return f"{first.name}{': ' if first.detail else ''}{first.detail}"


@cache
def probed(kind: Kind) -> Boundary:
    """Run the canaries in a sandbox of this kind; once a process, as a machine does not change its boundaries."""
    return Boundary(kind, asyncio.run(try_all(kind)))


async def probe(kind: Kind) -> Boundary:
    return await asyncio.to_thread(probed, kind)


async def boundary_report() -> tuple[Boundary, ...]:
    """The kinds from the strongest on, until one that works; the last is the one in force, or the weak one."""
    reports: list[Boundary] = []
    for kind in (*STRONG, "weak"):
        reports.append(await probe(kind))
        if reports[-1].works:
            break
    return tuple(reports)


async def open_sandbox(policy: SandboxPolicy = "strong", *, most: int | None = None) -> LocalSandbox:
    """A sandbox behind the strongest boundary of this machine, or the weak one if that was asked for by name.

    `most` is the number of runs at a time, a core's each unless given. Close it in the end. Raises PalestraError
    (`sandbox-missing`) without a strong boundary, unless `policy` is `weak`.
    """
    if policy == "weak":
        return LocalSandbox("weak", most)
    failed: list[str] = []
    for kind in STRONG:
        boundary = await probe(kind)
        if boundary.works:
            return LocalSandbox(kind, most)
        failed.append(f"{kind} ({boundary.failed})")
    raise PalestraError("sandbox-missing", f"no strong boundary works on this machine: {'; '.join(failed)}")


def report() -> tuple[Boundary, ...]:
    """`boundary_report` for callers without an event loop."""
    return asyncio.run(boundary_report())
