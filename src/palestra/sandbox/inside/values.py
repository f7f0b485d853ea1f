"""Values as bytes: how what untrusted code returns reaches those who compare it, without any of its objects.

A message is JSON. Texts, whole numbers, fractions, truth values, None and lists stand for themselves; an object with
one key stands for what JSON lacks, `{"t": [1, 2]}` for a tuple. What is read back is made of the exact types of the
standard library, so no comparison of it runs code that was sent. An object of a class derived from one of them is told
as its base: its content is read with the base's own methods, never with what the class puts in their place.

Only the standard library is used: the same file runs inside the sandbox.
"""

import json
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any

MAX_DEPTH = 100
"""Containers within containers."""
MAX_ITEMS = 4_000_000
"""Values in one message, containers and what they hold."""
MAX_BYTES = 32 << 20
"""Of one message."""
PLAIN_INT = 1 << 62
"""Whole numbers from here on are told in hexadecimal: reading long decimals takes time with the square of the digits,
and Python refuses them."""
REFERENCE = "@"
"""The tag of what stays where it is: its content is the business of those who send it."""

Export = Callable[[Any], Any]
"""Gives the content of a reference for an object that has no value."""
Resolve = Callable[[Any], Any]
"""Gives what stands for the content of a reference."""

FACTORIES = MappingProxyType({kind.__name__: kind for kind in (int, float, str, list, dict, set, tuple, bool)})
"""Classes that are values, by name; a defaultdict may make its missing values with one."""
NUMBERS = (bool, int, float, complex)
VIEWS = tuple((type(kind().keys()), type(kind().items()), type(kind().values())) for kind in (dict, OrderedDict))
KEYS, ITEMS, VALUES = zip(*VIEWS, strict=True)


class NotAValue(ValueError):
    """An object that cannot be told by value, with the reason."""


class Malformed(ValueError):
    """Bytes that are no message."""


def encode(value: Any, export: Export | None = None) -> bytes:
    """The message that tells a value. `export` is asked for what is none.

    Raises NotAValue for other objects, for what holds itself, and beyond MAX_DEPTH, MAX_ITEMS or MAX_BYTES.
    """
    try:
        told = json.dumps(Writer(export).tree(value), separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise NotAValue("a value nested too deep to be told here") from None
    if len(told) > MAX_BYTES:
        raise NotAValue(f"a value of {len(told)} bytes; at most {MAX_BYTES} can be told")
    return told


def decode(message: bytes, resolve: Resolve | None = None, classes: Mapping[str, type] | None = None) -> Any:
    """The value that a message tells. `resolve` is asked for references; `classes` are named tuples by name.

    Raises Malformed for anything else, whatever it is.
    """
    if len(message) > MAX_BYTES:
        raise Malformed(f"a message of {len(message)} bytes; at most {MAX_BYTES} are read")
    try:
        return Reader(resolve, classes or {}).value(json.loads(message))
    except Malformed:
        raise
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError, RecursionError) as error:
        raise Malformed(f"not a value: {type(error).__name__}") from error


class Writer:
    """One value on its way to JSON."""

    def __init__(self, export: Export | None) -> None:
        self.export = export
        self.left = MAX_ITEMS
        self.around: set[int] = set()
        """Ids of the containers that are being told."""

    def tree(self, value: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise NotAValue(f"more than {MAX_ITEMS} values in one")
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            return value if -PLAIN_INT < value < PLAIN_INT else {"i": hex(value)}
        if (told := scalar(value, kind)) is not None:
            return told
        base = next((base for base in CONTAINERS if issubclass(kind, base)), None)
        if base is not None:
            return self.container(value, base)
        for plain, exact in PLAIN.items():
            if issubclass(kind, plain):
                return self.tree(exact(value))
        return self.other(value)

    def other(self, value: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic) and type(number := value.item()) in NUMBERS:
            return self.tree(number)
        if numpy is not None and type(value) is numpy.ndarray and value.dtype.kind in "biufc":
            return {"N": [value.dtype.str, list(value.shape), value.tobytes().decode("latin-1")]}
        if self.export is None:
            raise NotAValue(f"an object of class {type(value).__name__} is no value")
        return {REFERENCE: self.export(value)}

    def container(self, value: Any, base: type) -> Any:
        if id(value) in self.around:
            raise NotAValue(f"a {base.__name__} that holds itself")
        if len(self.around) >= MAX_DEPTH:
            raise NotAValue(f"containers nested deeper than {MAX_DEPTH}")
        self.around.add(id(value))
        try:
            return CONTAINERS[base](self, value)
        finally:
            self.around.discard(id(value))

    def each(self, values: Iterable[Any]) -> list[Any]:
        return [self.tree(value) for value in values]

    def pairs(self, items: Iterable[tuple[Any, Any]]) -> list[Any]:
        return [self.tree(part) for item in items for part in item]

    def tuple_parts(self, value: Any) -> Any:
        fields = getattr(type(value), "_fields", None)
        told = self.each(tuple.__iter__(value))
        if type(fields) is not tuple or len(fields) != len(told) or not all(type(field) is str for field in fields):
            return {"t": told}
        return {"n": [type(value).__name__, list(fields), told]}

    def factory(self, value: Any) -> Any:
        return next((name for name, kind in FACTORIES.items() if kind is value.default_factory), None)


def scalar(value: Any, kind: type) -> Any:
    """How a value that holds no others and that JSON lacks is told; None if it is not one."""
    told = SCALARS.get(kind)
    return None if told is None else told(value)


def datetime_parts(value: Any) -> Any:
    day = [value.year, value.month, value.day] if type(value) is not time else []
    hour = [value.hour, value.minute, value.second, value.microsecond] if type(value) is not date else []
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not timezone:
        raise NotAValue(f"a time in a zone of class {type(zone).__name__}")
    offset = None if zone is None else zone.utcoffset(None) // timedelta(microseconds=1)
    return {"T": [type(value).__name__, day + hour, getattr(value, "fold", 0), offset]}


SCALARS: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        complex: lambda value: {"c": [value.real, value.imag]},
        type: lambda value: next(({"B": name} for name, kind in FACTORIES.items() if kind is value), None),
        bytes: lambda value: {"b": value.decode("latin-1")},
        bytearray: lambda value: {"a": value.decode("latin-1")},
        range: lambda value: {"r": [hex(value.start), hex(value.stop), hex(value.step)]},
        Decimal: lambda value: {"D": str(value)},
        Fraction: lambda value: {"F": [hex(value.numerator), hex(value.denominator)]},
        datetime: datetime_parts,
        date: datetime_parts,
        time: datetime_parts,
        timedelta: lambda value: {"L": [value.days, value.seconds, value.microseconds]},
    }
)

PLAIN: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        int: int.__index__,
        float: float.__float__,
        str: str.__str__,
        complex: complex.__complex__,
        bytes: lambda value: bytes.__getitem__(value, slice(None)),
        bytearray: lambda value: bytearray(bytearray.__getitem__(value, slice(None))),
    }
)
"""The exact value of an object whose class derives from one of these."""

CONTAINERS: Mapping[type, Callable[[Writer, Any], Any]] = MappingProxyType(
    {
        list: lambda writer, value: writer.each(list.__iter__(value)),
        tuple: Writer.tuple_parts,
        OrderedDict: lambda writer, value: {"O": writer.pairs(OrderedDict.items(value))},
        Counter: lambda writer, value: {"C": writer.pairs(dict.items(value))},
        defaultdict: lambda writer, value: {"E": [writer.factory(value), writer.pairs(dict.items(value))]},
        dict: lambda writer, value: {"d": writer.pairs(dict.items(value))},
        set: lambda writer, value: {"s": writer.each(set.__iter__(value))},
        frozenset: lambda writer, value: {"z": writer.each(frozenset.__iter__(value))},
        deque: lambda writer, value: {"q": [value.maxlen, writer.each(deque.__iter__(value))]},
        **dict.fromkeys(KEYS, lambda writer, value: {"k": writer.each(value)}),
        **dict.fromkeys(ITEMS, lambda writer, value: {"m": writer.pairs(value)}),
        **dict.fromkeys(VALUES, lambda writer, value: {"v": writer.each(value)}),
    }
)
"""How containers are told; of a class that derives from several, the first here decides."""


class Reader:
    """One message on its way to a value."""

    def __init__(self, resolve: Resolve | None, classes: Mapping[str, type]) -> None:
        self.resolve = resolve
        self.classes = classes

    def value(self, tree: Any) -> Any:
        if type(tree) is list:
            return [self.value(part) for part in tree]
        if type(tree) is not dict:
            return tree
        [(tag, content)] = tree.items()
        if tag == REFERENCE:
            if self.resolve is None:
                raise Malformed("a reference where only values are told")
            return self.resolve(content)
        return READERS[tag](self, content)

    def each(self, parts: Any) -> list[Any]:
        if type(parts) is not list:
            raise Malformed("a container that is no list")
        return [self.value(part) for part in parts]

    def items(self, parts: Any) -> Iterable[tuple[Any, Any]]:
        told = self.each(parts)
        return zip(told[::2], told[1::2], strict=True)

    def named(self, content: Any) -> Any:
        name, fields, parts = content
        own = self.classes.get(name)
        if own is None or not issubclass(own, tuple) or getattr(own, "_fields", None) != tuple(fields):
            own = named_tuple(name, tuple(fields))
        values = self.each(parts)
        if len(values) != len(fields):
            raise Malformed("a named tuple of another length")
        return tuple.__new__(own, values)


@lru_cache(maxsize=256)
def named_tuple(name: str, fields: tuple[str, ...]) -> type:
    return namedtuple(name, fields)


def moment(content: Any) -> Any:
    name, parts, fold, offset = content
    if name == "date":
        return date(*parts)
    zone = None if offset is None else timezone(timedelta(microseconds=offset))
    return {"datetime": datetime, "time": time}[name](*parts, tzinfo=zone, fold=fold)


READERS: Mapping[str, Callable[[Reader, Any], Any]] = MappingProxyType(
    {
        "i": lambda _, content: int(content, 16),
        "B": lambda _, content: FACTORIES[content],
        "c": lambda _, content: complex(float(content[0]), float(content[1])),
        "b": lambda _, content: content.encode("latin-1"),
        "a": lambda _, content: bytearray(content.encode("latin-1")),
        "r": lambda _, content: range(*(int(part, 16) for part in content)),
        "D": lambda _, content: Decimal(content),
        "F": lambda _, content: Fraction(int(content[0], 16), int(content[1], 16)),
        "T": lambda _, content: moment(content),
        "L": lambda _, content: timedelta(*content),
        "t": lambda reader, content: tuple(reader.each(content)),
        "n": Reader.named,
        "d": lambda reader, content: dict(reader.items(content)),
        "O": lambda reader, content: OrderedDict(reader.items(content)),
        "C": lambda reader, content: Counter(dict(reader.items(content))),
        "E": lambda reader, content: defaultdict(FACTORIES.get(content[0]), reader.items(content[1])),
        "s": lambda reader, content: set(reader.each(content)),
        "z": lambda reader, content: frozenset(reader.each(content)),
        "q": lambda reader, content: deque(reader.each(content[1]), content[0]),
        "k": lambda reader, content: dict.fromkeys(reader.each(content)).keys(),
        "m": lambda reader, content: dict(reader.items(content)).items(),
        "v": lambda reader, content: dict(enumerate(reader.each(content))).values(),
        "N": lambda _, content: array(*content),
    }
)


def array(kind: str, shape: list[int], content: str) -> Any:
    import numpy

    dtype = numpy.dtype(kind)
    if dtype.kind not in "biufc":
        raise Malformed("an array of objects")
    return numpy.frombuffer(content.encode("latin-1"), dtype=dtype).reshape(shape).copy()
