"""What stands in one process for an object of the other."""

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

OPERATIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{kind.__name__: kind for kind in (bool, int, float, str)},
        **{function.__name__: function for function in (len, iter, next, repr, abs, isinstance, reversed, dir, round)},
        **{
            name: getattr(operator, name)
            for name in (
                "getitem", "setitem", "delitem", "eq", "ne", "lt", "le", "gt", "ge",
                "add", "sub", "mul", "truediv", "floordiv", "mod", "or_", "and_", "xor", "neg",
            )
        },
        "enter": lambda manager: type(manager).__enter__(manager),
        "exit": lambda manager, *error: type(manager).__exit__(manager, *error),
    }
)  # fmt: skip
"""What is asked of an object of the other process, by name."""


class Asks(Protocol):
    """The end of the connection that a handle asks through."""

    def request(self, verb: str, number: int, *content: Any) -> Any: ...


def asked(name: str) -> Callable[..., Any]:
    """A method of handles that has the other process do it."""

    def method(self: "Handle", *arguments: Any) -> Any:
        return self.palestra_peer.request("operate", self.palestra_number, name, arguments)

    return method


def asked_among_handles(name: str) -> Callable[..., Any]:
    """The same for operators, between two objects of the other process only.

    Next to a value the other process would be asked about it: an object of a solution could say that it is equal to
    what is expected.
    """

    def method(self: "Handle", other: Any) -> Any:
        if not isinstance(other, Handle) or other.palestra_peer is not self.palestra_peer:
            return NotImplemented
        if other is self and name in ("eq", "ne"):
            return name == "eq"
        return self.palestra_peer.request("operate", self.palestra_number, name, (other,))

    return method


class Handle:
    """An object of the other process: calls, attributes and items are asked for there, and come as values."""

    __slots__ = ("palestra_kind", "palestra_number", "palestra_peer")

    def __init__(self, peer: Asks, number: int, kind: str) -> None:
        for name, value in (("palestra_peer", peer), ("palestra_number", number), ("palestra_kind", kind)):
            object.__setattr__(self, name, value)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.palestra_peer.request("call", self.palestra_number, arguments, keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__doc__", "__dict__", "__next__"):
            raise AttributeError(f"{self.palestra_kind!r} has no attribute {name!r} here")
        return self.palestra_peer.request("get", self.palestra_number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.palestra_peer.request("set", self.palestra_number, name, value)

    def __instancecheck__(self, other: Any) -> bool:
        return isinstance(other, Handle) and self.palestra_peer.request(
            "operate", other.palestra_number, "isinstance", (self,)
        )

    def __hash__(self) -> int:
        return hash((Handle, self.palestra_number))

    __bool__ = asked("bool")
    __int__ = asked("int")
    __float__ = asked("float")
    __str__ = asked("str")
    __repr__ = asked("repr")
    __len__ = asked("len")
    __iter__ = asked("iter")
    __next__ = asked("next")
    __reversed__ = asked("reversed")
    __abs__ = asked("abs")
    __neg__ = asked("neg")
    __round__ = asked("round")
    __dir__ = asked("dir")
    __getitem__ = asked("getitem")
    __setitem__ = asked("setitem")
    __delitem__ = asked("delitem")
    __enter__ = asked("enter")

    def __exit__(self, *error: object) -> Any:
        return self.palestra_peer.request("operate", self.palestra_number, "exit", (None, None, None))

    __eq__ = asked_among_handles("eq")
    __ne__ = asked_among_handles("ne")
    __lt__ = asked_among_handles("lt")
    __le__ = asked_among_handles("le")
    __gt__ = asked_among_handles("gt")
    __ge__ = asked_among_handles("ge")
    __add__ = asked_among_handles("add")
    __sub__ = asked_among_handles("sub")
    __mul__ = asked_among_handles("mul")
    __truediv__ = asked_among_handles("truediv")
    __floordiv__ = asked_among_handles("floordiv")
    __mod__ = asked_among_handles("mod")
    __or__ = asked_among_handles("or_")
    __and__ = asked_among_handles("and_")
    __xor__ = asked_among_handles("xor")
