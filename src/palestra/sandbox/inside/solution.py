"""Holds a solution and does what the tests of it ask: its functions are called here, and only values leave."""

import socket
import sys
import types
from typing import Any

from .frames import Frames
from .peer import Broken, Peer
from .values import NotAValue, decode, encode

NAME = "solution"
"""Of its module: not `__main__`, so that what a program does when it is run by itself is not done."""


def main(channel: socket.socket, options: bytes) -> None:
    """Run the `solution` of the options when it is first asked for, and answer until nobody asks any more."""
    source = decode(options)["solution"]
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    names = vars(module)
    loaded = False

    def load() -> tuple[dict[str, Any], dict[str, str]]:
        """What the module has: values, objects that stay here, and modules, which are told by name."""
        nonlocal loaded
        if not loaded:
            loaded = True
            exec(compile(source, "solution.py", "exec", dont_inherit=True), names)  # noqa: S102
        own = {name: value for name, value in names.items() if type(name) is str and not name.startswith("__")}
        modules = {name: value.__name__ for name, value in own.items() if isinstance(value, types.ModuleType)}
        return {name: value for name, value in own.items() if name not in modules and is_told(value)}, modules

    frames = Frames(channel)
    peer = Peer(frames.send, frames.receive, names)
    peer.export(load)
    while True:
        try:
            peer.serve()
        except (EOFError, Broken):
            return


def is_told(value: Any) -> bool:
    try:
        encode(value, lambda _: None)
    except NotAValue:
        return False
    return True
