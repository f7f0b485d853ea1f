"""The process that runs grading functions: one call at a time, killed by the kernel when its CPU time is used up."""

import importlib
import os
import pickle
import signal
import struct
import sys
from typing import Any, BinaryIO, NamedTuple

from palestra.core.discovery import FOLDER_PACKAGE, folder_of_package, import_folder
from palestra.core.errors import describe

HEADER = struct.Struct("!Q")
MEMORY_LIMIT_BYTES = 8 << 30
"""Address space of a worker: enough for sympy and numpy, less than what takes a machine down."""
NICENESS = 5
"""Above that of the parent; a core that nobody else wants is a worker's as before."""
ORPHAN_S = 1.0
"""How much later than the parent the kernel ends a sleeper."""


class Request(NamedTuple):
    """One call."""

    path: list[str]
    """The parent's `sys.path`."""
    module: str
    name: str
    arguments: bytes
    """Pickled."""
    deadline_s: float
    """Of CPU time."""
    wall_s: float


def main() -> None:
    """Serve calls from standard input until it ends."""
    limit_memory()
    # The process that talks to the model goes first: its event loop must not wait for a core that grading occupies.
    os.nice(NICENESS)
    # Ctrl-C reaches the whole group; the parent lets what is at work finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a graded library prints must not get into the answers, and it must not read the requests.
    answers, requests = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    while (request := read_frame(requests)) is not None:
        write_frame(answers, encoded(call(Request(*pickle.loads(request)))))


def limit_memory() -> None:
    if sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def call(request: Request) -> tuple[bool, Any]:
    """(True, result) or (False, exception). Importing does not count against the deadline."""
    # What can be imported in the parent can be imported here.
    sys.path[:] = request.path
    try:
        # The parent kills at `wall_s`; a sleeper whose parent is gone ends by this.
        signal.setitimer(signal.ITIMER_REAL, request.wall_s + ORPHAN_S)
        function = find_function(request.module, request.name)
        values = pickle.loads(request.arguments)
        # SIGPROF keeps its default action: the kernel ends this process even inside one long native call.
        signal.setitimer(signal.ITIMER_PROF, request.deadline_s)
        return True, function(*values)
    except Exception as error:
        return False, error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def find_function(module_name: str, name: str) -> Any:
    package, _, _ = module_name.partition(".")
    if package.startswith(FOLDER_PACKAGE):
        import_folder(folder_of_package(package))
    module = importlib.import_module(module_name)
    preload = getattr(module, "preload", None)
    if preload is not None:
        preload()
    return getattr(module, name)


def encoded(answer: tuple[bool, Any]) -> bytes:
    succeeded, value = answer
    try:
        data = pickle.dumps(answer)
        pickle.loads(data)
    except Exception as error:
        # Some exceptions pickle but cannot be built again; their text is what matters.
        reason = describe(value) if not succeeded else f"the result cannot be pickled: {describe(error)}"
        return pickle.dumps((False, RuntimeError(reason)))
    return data


def read_frame(stream: BinaryIO) -> bytes | None:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    return stream.read(length)


def write_frame(stream: BinaryIO, data: bytes) -> None:
    stream.write(HEADER.pack(len(data)) + data)
    stream.flush()


if __name__ == "__main__":
    main()
