"""Two processes that use each other's functions and objects: values travel, objects stay where they are.

One end holds a solution, the other the tests of it. Both ends run this; what they may do differs: the tests may do
anything to the objects of the solution, the solution may only call what it was handed and read and set the public
attributes of objects whose class the tests define.
"""

import builtins
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .handles import OPERATIONS, Handle
from .values import Malformed, NotAValue, decode, encode

MAX_OBJECTS = 100_000
"""Of one end, in use at the other."""
MUTABLE = (list, dict, set, bytearray, deque)
HANDED = frozenset({"iter", "next", "len", "bool", "getitem"})
"""What a solution may ask of the objects that it was handed, besides calling them."""
NO_CLASSES: Mapping[str, type] = MappingProxyType({})

Send = Callable[[bytes], None]
Receive = Callable[[], bytes]


class Broken(BaseException):
    """The other end sent what is no message: nothing more can be said of it."""


class Peer:
    """One end. `own_classes` are the named tuples that values may be of, by name."""

    def __init__(self, send: Send, receive: Receive, own_classes: Mapping[str, Any] = NO_CLASSES) -> None:
        self.send = send
        self.receive = receive
        self.own_classes = own_classes
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        """The place in `objects` by id; the list keeps them alive, so that no id is used again."""
        self.others: dict[int, Any] = {}

    def request(self, verb: str, number: int, *content: Any) -> Any:
        """Ask the other end, and serve it until it answers. Raises what it raised, and EOFError if it is gone."""
        self.send(encode([verb, number, *content], self.export))
        while True:
            kind, *rest = self.read(self.receive())
            if kind == "returned":
                value, changed = rest
                if verb == "call" and changed is not None:
                    renew_arguments(content, changed)
                return value
            if kind == "raised":
                raise rebuilt(*rest)
            self.answer(kind, *rest)

    def serve(self) -> None:
        """Answer one request. Raises EOFError if the other end is gone."""
        self.answer(*self.read(self.receive()))

    def read(self, message: bytes) -> list[Any]:
        try:
            told = decode(message, self.resolve, self.own_classes)
        except Malformed as error:
            raise Broken(str(error)) from None
        if type(told) is not list or not told:
            raise Broken("not a request and not an answer")
        return told

    def answer(self, verb: Any, *content: Any) -> None:
        try:
            told = encode(["returned", *self.perform(verb, *content)], self.export)
        except (EOFError, Broken):
            raise
        except BaseException as error:
            told = encode(raised(error), self.export)
        self.send(told)

    def perform(self, verb: str, number: int, *content: Any) -> tuple[Any, Any]:
        """The value of a request, and the arguments if the call changed them."""
        target = self.objects[number]
        if verb == "call":
            return self.called(target, *content)
        if verb == "get":
            return getattr(target, content[0]), None
        if verb == "set":
            setattr(target, content[0], content[1])
            return None, None
        if verb == "operate":
            return OPERATIONS[content[0]](target, *content[1]), None
        raise Broken(f"not a request: {verb!r}")

    def called(self, target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any]:
        given = (arguments, keywords)
        if not any(isinstance(value, MUTABLE) for value in (*arguments, *keywords.values())):
            return target(*arguments, **keywords), None
        before = encode(given, self.export)
        value = target(*arguments, **keywords)
        return value, None if encode(given, self.export) == before else given

    def export(self, value: Any) -> Any:
        """How an object is told that has no value. Raises NotAValue if too many are."""
        if type(value) is Handle and value.palestra_peer is self:
            return ["yours", value.palestra_number]
        number = self.numbers.get(id(value))
        if number is None:
            if len(self.objects) >= MAX_OBJECTS:
                raise NotAValue(f"more than {MAX_OBJECTS} objects that are no values")
            number = self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        if isinstance(value, type) and issubclass(value, BaseException):
            bases = [base.__name__ for base in value.__mro__ if base.__module__ == "builtins"]
            return ["error", number, value.__name__, bases]
        return ["mine", number, type(value).__name__]

    def resolve(self, content: Any) -> Any:
        place, number, *rest = content
        if type(number) is not int:
            raise Malformed("a reference without a number")
        if place == "yours":
            return self.objects[number]
        if number not in self.others:
            if len(self.others) >= MAX_OBJECTS:
                raise Malformed(f"more than {MAX_OBJECTS} references")
            known = {"mine": lambda: Handle(self, number, str(rest[0])), "error": lambda: error_class(*rest)}
            self.others[number] = known[place]()
        return self.others[number]


class Guard(Peer):
    """The end that does not trust the other: it runs the tests. `tests_module` is the name of theirs."""

    tests_module = "tests"

    def perform(self, verb: str, number: int, *content: Any) -> tuple[Any, Any]:
        target = self.objects[number]
        if verb == "call" and callable(target):
            return self.called(target, *content)
        if verb == "operate" and content[0] in HANDED:
            return OPERATIONS[content[0]](target, *content[1]), None
        is_plain = type(target).__module__ == self.tests_module and type(content[0]) is str
        if verb in ("get", "set") and is_plain and not content[0].startswith("_"):
            return super().perform(verb, number, *content)
        raise PermissionError("the tests' own objects can be called, and no more")


def raised(error: BaseException) -> list[Any]:
    """The answer that an exception is: its class, its arguments if they are values, and its text."""
    kind = type(error)
    try:
        encode(error.args)
        arguments = error.args
    except ValueError:
        arguments = None
    try:
        text = str(error)
    except Exception as other:
        text = f"<no text: {type(other).__name__}>"
    is_builtin = getattr(builtins, kind.__name__, None) is kind
    return ["raised", kind.__name__ if is_builtin else kind, arguments, text]


def rebuilt(kind: Any, arguments: tuple[Any, ...] | None, text: str) -> BaseException:
    """The exception that the other end told: of the builtin class of that name, or of a class that stands for its."""
    if type(kind) is str:
        kind = getattr(builtins, kind, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)) or type(text) is not str:
        raise Broken("an answer that raises no exception")
    try:
        return kind(*arguments) if type(arguments) is tuple else kind(text)
    except TypeError:
        return RuntimeError(f"{kind.__name__}: {text}")


def error_class(name: str, bases: list[str]) -> type[BaseException]:
    """A class of exceptions of the other end, so that the tests can catch it."""
    found = [getattr(builtins, base, None) for base in bases]
    base = next((kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseException)), None)
    if base is None or type(name) is not str:
        raise Malformed("a class of exceptions without a base")
    return type(name, (base,), {})


def renew_arguments(content: tuple[Any, ...], changed: Any) -> None:
    """Give the arguments of a call the content that the call left them with."""
    (arguments, keywords), (new_arguments, new_keywords) = content, changed
    for old, new in zip(arguments, new_arguments, strict=True):
        renew(old, new)
    for name, old in keywords.items():
        renew(old, new_keywords[name])


def renew(old: Any, new: Any) -> Any:
    """`old` with the content of `new` if it can have it, else `new`."""
    if type(old) is not type(new) or old is new:
        return new
    if isinstance(old, list):
        old[:] = [renew(one, other) for one, other in zip(old, new, strict=False)] + new[len(old) :]
    elif isinstance(old, dict):
        content = {key: renew(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(content)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new
    elif isinstance(old, deque):
        old.clear()
        old.extend(new)
    else:
        return new
    return old
