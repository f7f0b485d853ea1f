"""Runs one program in its own process: as a script on standard input, or one call of a function of it."""

import atexit
import json
import linecache
import marshal
import os
import select
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any

from . import values

FILE_NAME = "solution.py"
TELL, GO = 3, 4
"""Where a run tells how it ended, and where it is told to go on."""
TEXT_LIMIT = 20_000
MOST_FRAMES = 40


def tell(kind: bytes, body: bytes) -> None:
    """One message to the first process: its kind, its length, its bytes."""
    view = memoryview(kind + len(body).to_bytes(4, "little") + body)
    while view:
        view = view[os.write(TELL, view) :]


def run(program: dict[str, Any], inputs: Sequence[bytes], compiled: bytes, *, tell_compiled: bool) -> None:
    """Run a program on each input in turn, and tell how each ended."""
    source = str(program["code"])
    try:
        # What is loaded was made by this same function, before any of the program's code ran.
        code = marshal.loads(compiled) if compiled else compile(source, FILE_NAME, "exec", dont_inherit=True)  # noqa: S302
    except BaseException as error:
        outcome = raised(error, source)
        for _ in inputs:
            tell(b"R", json.dumps(outcome).encode())
        return
    if tell_compiled:
        tell(b"C", marshal.dumps(code))
    act = call_of(code, program["call"]) if program["call"] else lambda _: exec(code, names("__main__"))  # noqa: S102
    for number, given in enumerate(inputs):
        if number:
            os.read(GO, 1)
            renew_input(given if not program["call"] else b"")
        is_last = number == len(inputs) - 1
        tell(b"R", json.dumps(finish(act, given, source, is_last=is_last)).encode())


def finish(act: Callable[[bytes], object], given: bytes, source: str, *, is_last: bool) -> dict[str, Any]:
    """Do it, and tell in what way it ended."""
    try:
        value = act(given)
        outcome: dict[str, Any] = {"status": "ok", "exit_code": 0}
        outcome |= told_of(value)
    except SystemExit as error:
        outcome = exit_of(error)
    except BaseException as error:
        outcome = raised(error, source)
    try:
        if is_last:
            threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue] - what Python does at its end
            atexit._run_exitfuncs()
        flush()
    except BaseException as error:
        outcome = raised(error, source)
    return outcome


def told_of(value: object) -> dict[str, Any]:
    """What a call returned, by value; of what has none, the reason."""
    if value is None:
        return {}
    try:
        return {"value": values.encode(value).decode("ascii")}
    except values.NotAValue as error:
        return {"refused": str(error)[:TEXT_LIMIT]}


def flush() -> None:
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        if stream is not None and not stream.closed:
            stream.flush()


def exit_of(error: SystemExit) -> dict[str, Any]:
    code = error.code
    if code is None or isinstance(code, int):
        return {"status": "ok", "exit_code": int(code or 0) & 0xFF}
    print(code, file=sys.stderr)
    return {"status": "ok", "exit_code": 1}


def raised(error: BaseException, source: str) -> dict[str, Any]:
    """What was raised, in the words of Python. Standard error is left to what the program itself wrote."""
    if isinstance(error, MemoryError):
        return {"status": "memory_limit", "error": "MemoryError"}
    linecache.cache[FILE_NAME] = (len(source), None, source.splitlines(keepends=True), FILE_NAME)
    outcome: dict[str, Any] = {"status": "raised"}
    try:
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename != FILE_NAME:
            own = own.tb_next
        trace = "".join(traceback.format_exception(type(error), error, own, limit=-MOST_FRAMES))
        text = str(error)
        outcome["error"] = f"{type(error).__name__}{': ' if text else ''}{text}"[:TEXT_LIMIT]
        outcome["error_repr"] = repr(error)[:TEXT_LIMIT]
        outcome["trace"] = trace[-TEXT_LIMIT:]
    except BaseException:
        outcome.setdefault("error", type(error).__name__)
    return outcome


def names(name: str) -> dict[str, Any]:
    """The names of a fresh module, which is the program's own."""
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = __builtins__
    sys.modules[name] = module
    return module.__dict__


def call_of(code: types.CodeType, name: str) -> Callable[[bytes], object]:
    """The act of calling a function of the program, or a method of its class Solution, on encoded arguments."""
    modules: list[dict[str, Any]] = []

    def act(given: bytes) -> object:
        if not modules:
            fresh = names("solution")
            exec(code, fresh)  # noqa: S102
            modules.append(fresh)
        return target_in(modules[0], name)(*decoded(given))

    return act


def target_in(found: dict[str, Any], name: str) -> Callable[..., object]:
    owner = found.get("Solution")
    if name not in found and owner is not None:
        return getattr(owner(), name)
    if name not in found:
        raise NameError(f"name {name!r} is not defined")
    return found[name]


def decoded(given: bytes) -> tuple[Any, ...]:
    arguments: Any = values.decode(given)
    return arguments if isinstance(arguments, tuple) else (arguments,)


def renew_input(given: bytes) -> None:
    """A new standard input for the next run in the same process."""
    if len(given) <= select.PIPE_BUF:
        read, write = os.pipe()
        os.write(write, given)
        os.close(write)
        os.dup2(read, 0)
        os.close(read)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(given)
            file.seek(0)
            os.dup2(file.fileno(), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
