"""Starts the first process of a sandbox: `python -I -S -B -c START FOLDER CONFIGURATION`."""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
from typing import Any

from . import kernel, landlock, namespaces, seccomp, serve, watch

FIRST_FREE = 10
"""Descriptors below are held, so that what a run is given never gets in the way of its own numbers."""
MOST_DESCRIPTORS = 1024


def main() -> None:
    told: dict[str, Any] = json.loads(sys.argv[2])
    package = sys.argv[1]
    del sys.argv[1:]
    sys.path[:] = [path for path in sys.path if path != package] + told["paths"]
    load(told["preload"])
    control = socket.socket(fileno=fcntl.fcntl(told["control"], fcntl.F_DUPFD_CLOEXEC, FIRST_FREE))
    for descriptor in range(3, FIRST_FREE):
        os.dup2(1, descriptor)
    os.closerange(FIRST_FREE, control.fileno())
    os.closerange(control.fileno() + 1, MOST_DESCRIPTORS)
    boundary, scratch = confine(told, control.fileno())
    os.environ.clear()
    temporary = namespaces.SCRATCH[1] if told["kind"] == "namespaces" else scratch[1]
    os.environ.update(told["environment"] | {"HOME": temporary, "TMPDIR": temporary})
    tempfile.tempdir = None
    gc.collect()
    gc.disable()
    gc.freeze()
    serve.Server(control, boundary, scratch).serve()


def load(preload: list[str]) -> None:
    """Import what runs share: the modules that programs use most, and all that this folder holds."""
    here = os.path.dirname(__file__)
    for name in sorted(os.listdir(here)):
        if name.endswith(".py") and name != "__init__.py":
            importlib.import_module(f"{__package__}.{name[:-3]}")
    for name in preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def confine(told: dict[str, Any], control: int) -> tuple[watch.Boundary, list[str]]:
    """Put up the walls. Also the folders that runs may write to, the first of them the working folder."""
    kind, folders = told["kind"], told["folders"]
    scratch = list[str](namespaces.SCRATCH)
    if kind == "namespaces":
        namespaces.enter(folders, told["scratch_mb"])
        kernel.drop_capabilities()
    else:
        scratch = [f"{told['scratch']}/{name}" for name in ("work", "tmp")]
        stay_outside(kind, told["scratch"], scratch)
    boundary = watch.Boundary(kind, control, scratch[0])
    if kind == "namespaces":
        kernel.control(kernel.PR_SET_NO_NEW_PRIVS, 1)
        rules = landlock.ruleset(scratch, ["/"])
        if rules >= 0:
            landlock.restrict(rules)
            os.close(rules)
        seccomp.install(seccomp.program())
    elif kind == "landlock":
        if landlock.abi() < landlock.LEAST_ABI:
            raise OSError(38, f"Landlock of version {landlock.LEAST_ABI} is needed, the kernel has {landlock.abi()}")
        kernel.control(kernel.PR_SET_NO_NEW_PRIVS, 1)
        boundary.rules = landlock.ruleset(scratch, [*landlock.system_folders(), *folders])
    if kernel.IS_LINUX:
        kernel.control(kernel.PR_SET_DUMPABLE, 0)
    return boundary, scratch


def stay_outside(kind: str, base: str, scratch: list[str]) -> None:
    """Without namespaces: folders on the disk, another user if we can, and no orphans that get away."""
    for folder in scratch:
        os.mkdir(folder)
    if not kernel.IS_LINUX:
        return
    if kind == "landlock" and os.geteuid() == 0:
        for folder in (base, *scratch):
            os.chown(folder, namespaces.UNPRIVILEGED, namespaces.UNPRIVILEGED)
        namespaces.become_unprivileged()
    kernel.control(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.control(kernel.PR_SET_CHILD_SUBREAPER, 1)
