"""Runs the tests of a solution that another process holds, and says in the end that they held.

The names of the solution are here as handles: a call of one is a message, and a value comes back. Nothing that the
solution does to its own process reaches this one.
"""

import ast
import builtins
import importlib
import linecache
import socket
import sys
import traceback
import types
from typing import Any

from .frames import Frames
from .peer import Guard
from .values import decode, encode

FILE_NAME = "tests.py"
TEXT_LIMIT = 20_000
TO_SOLUTION, DONE = b"S", b"D"
PACKAGES = ("numpy", "scipy", "pandas")
"""Besides the standard library, what tests may find under a name that the solution gave a module."""


def main(channel: socket.socket, options: bytes) -> None:
    """Run the check that the options tell; the last message says how it ended, with the word that was given.

    Messages to the solution begin with `S`, the last one with `D`.
    """
    told = decode(options)
    frames = Frames(channel)
    verdict: dict[str, Any] = {"word": told["word"]}
    try:
        run(told, Guard(lambda message: frames.send(TO_SOLUTION + message), frames.receive))
        verdict["status"] = "ok"
    except BaseException as error:
        verdict |= failed(error, told["tests"])
    sys.stdout.flush()
    frames.send(DONE + encode(verdict))


def run(told: dict[str, Any], guard: Guard) -> None:
    """The tests, and the call that is made in the end. Raises what they raise."""
    tree = ast.parse(told["tests"], FILE_NAME)
    call, argument = told["call"], told["argument"]
    names, modules = guard.request("call", 0, (), {})
    names.pop(call, None)
    module = types.ModuleType(guard.tests_module)
    sys.modules[guard.tests_module] = module
    found = vars(module)
    found |= known(tree, argument, names) | modules_for(tree, names, modules)
    exec(compile(tree, FILE_NAME, "exec"), found)  # noqa: S102 - what this process is for
    if call is not None:
        missing = next((name for name in (call, argument) if name not in found), None)
        if missing is not None:
            raise NameError(f"name {missing!r} is not defined")
        found[call](found[argument])


def known(tree: ast.Module, argument: str | None, names: dict[str, Any]) -> dict[str, Any]:
    """What the tests find defined by the solution: nothing under a name that Python itself defines, unless it is what
    is tested. A solution with an `abs` of its own would else judge itself."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(names)
    tested = {argument} if argument is not None else used - set(dir(builtins)) or used
    return {name: value for name, value in names.items() if name in tested or not hasattr(builtins, name)}


def modules_for(tree: ast.Module, names: dict[str, Any], modules: dict[str, str]) -> dict[str, Any]:
    """The modules that the tests use and leave to the solution to import.

    A name that is only read from, as in `math.pi`, is the module of the standard library if there is one, whatever the
    solution has under it.
    """
    bases = {id(node.value): node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    direct = {node.id for node in loads if id(node) not in bases}
    found: dict[str, Any] = {}
    for name in {node.id for node in loads} & {*names, *modules}:
        if name in sys.stdlib_module_names and (name in modules or name not in direct):
            found[name] = importlib.import_module(name)
        elif modules.get(name, "").partition(".")[0] in {*sys.stdlib_module_names, *PACKAGES}:
            found[name] = importlib.import_module(modules[name])
    return found


def failed(error: BaseException, tests: str) -> dict[str, Any]:
    """How the tests ended, in the words of Python; of the trace only their own lines."""
    linecache.cache[FILE_NAME] = (len(tests), None, tests.splitlines(keepends=True), FILE_NAME)
    try:
        told = traceback.TracebackException.from_exception(error)
        told.stack[:] = [frame for frame in told.stack if frame.filename == FILE_NAME]
        return {
            "status": "raised",
            "error": "".join(told.format_exception_only()).strip()[:TEXT_LIMIT],
            "error_repr": repr(error)[:TEXT_LIMIT],
            "trace": "".join(told.format(chain=False))[-TEXT_LIMIT:],
        }
    except BaseException:
        return {"status": "raised", "error": type(error).__name__, "error_repr": type(error).__name__}
