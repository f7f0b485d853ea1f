"""A Python that keeps its names from one run to the next, and says of each what it printed and what came of it."""

import ast
import contextlib
import io
import linecache
import os
import signal
import socket
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

from .frames import Frames
from .values import decode, encode

TEXT_LIMIT = 20_000
LONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Numeric packages start a thread a core unless they are told not to, and a run may have none."""


class Interrupted(BaseException):
    """A limit was reached in the middle of a run. Not an Exception, so that code which catches those does not go on."""


class Printed(io.TextIOBase):
    """Keeps the first `most_bytes` of what is printed."""

    encoding = "utf-8"

    def __init__(self, most_bytes: int) -> None:
        self.left = most_bytes
        self.parts: list[str] = []
        self.is_cut = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        told = text.encode("utf-8", "surrogatepass")
        if len(told) > self.left:
            self.is_cut = True
            kept = told[: self.left].decode("utf-8", "ignore")
        else:
            kept = text
        self.left -= min(len(told), self.left)
        if kept:
            self.parts.append(kept)
        return len(text)

    def text(self) -> str:
        return "".join(self.parts)


class Session:
    """The names, and the runs made with them so far."""

    def __init__(self) -> None:
        self.module = types.ModuleType("__main__")
        sys.modules["__main__"] = self.module
        self.runs = 0

    def run(self, told: dict[str, Any]) -> dict[str, Any]:
        """One run: `code`, and its limits `wall_s`, `cpu_s` and `output_bytes`."""
        output, errors = Printed(told["output_bytes"]), Printed(told["output_bytes"])
        limit: list[str] = []
        found: dict[str, Any] = {"status": "ok", "value": None}
        streams = sys.stdout, sys.stderr
        began_s = time.process_time()
        sys.stdout, sys.stderr = output, errors
        try:
            with timed(told["wall_s"], told["cpu_s"], limit):
                found["value"] = self.evaluated(told["code"], told["output_bytes"])
        except BaseException as error:
            found |= {"status": limit[0]} if limit else failed(error)
        finally:
            sys.stdout, sys.stderr = streams
        found["cpu_s"] = time.process_time() - began_s
        return found | {"output": output.text(), "errors": errors.text(), "cut": [output.is_cut, errors.is_cut]}

    def evaluated(self, code: str, most: int) -> str | None:
        """Run statements; the repr of a last expression, unless it is None."""
        self.runs += 1
        name = f"<run {self.runs}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        names = vars(self.module)
        exec(compile(tree, name, "exec"), names)  # noqa: S102 - what this process is for
        if not isinstance(last, ast.Expr):
            return None
        value = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
        return None if value is None else repr(value)[:most]


@contextlib.contextmanager
def timed(wall_s: float, cpu_s: float, limit: list[str]) -> Iterator[None]:
    """Interrupt what runs at a limit, and note which; code that does not heed it is ended from outside."""

    def interrupt(name: str) -> Callable[[int, Any], None]:
        def handler(number: int, frame: Any) -> None:
            limit.append(name)
            raise Interrupted(name)

        return handler

    clocks = (
        (signal.ITIMER_REAL, signal.SIGALRM, wall_s, "wall_limit"),
        (signal.ITIMER_PROF, signal.SIGPROF, cpu_s, "cpu_limit"),
    )
    try:
        for clock, number, seconds, name in clocks:
            signal.signal(number, interrupt(name))
            signal.setitimer(clock, seconds)
        yield
    finally:
        for clock, number, _, _ in clocks:
            signal.signal(number, signal.SIG_IGN)
            signal.setitimer(clock, 0)


def failed(error: BaseException) -> dict[str, Any]:
    """What was raised, in the words of Python."""
    if isinstance(error, MemoryError):
        return {"status": "memory_limit", "error": "MemoryError", "error_repr": "MemoryError()"}
    own = error.__traceback__
    while own is not None and not own.tb_frame.f_code.co_filename.startswith("<run "):
        own = own.tb_next
    try:
        return {
            "status": "raised",
            "error": "".join(traceback.format_exception_only(type(error), error)).strip()[:TEXT_LIMIT],
            "error_repr": repr(error)[:TEXT_LIMIT],
            "trace": "".join(traceback.format_exception(type(error), error, own))[-TEXT_LIMIT:],
        }
    except BaseException:
        return {"status": "raised", "error": type(error).__name__, "error_repr": type(error).__name__}


def main(channel: socket.socket, options: bytes) -> None:
    """Serve runs until the other end is closed. Each message is a request or the answer to one."""
    os.environ.update(dict.fromkeys(LONE_THREAD, "1"))
    frames = Frames(channel)
    session = Session()
    while True:
        try:
            told = decode(frames.receive())
            found = session.run(told)
            frames.send(encode(found | {"number": told["number"]}))
        except EOFError:
            return
