"""Values that travel by value: exact types come back, lies do not."""

import json
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.sandbox.inside.values import MAX_DEPTH, Malformed, NotAValue, decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**20, max_value=10**60).map(lambda n: n**9)
    | st.floats()
    | st.complex_numbers()
    | st.text(alphabet=st.characters(exclude_categories=()))
    | st.binary()
    | st.fractions()
    | st.decimals()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(minutes=-90))))
    | st.times()
    | st.timedeltas()
    | st.builds(range, st.integers(), st.integers(), st.integers(min_value=1))
    | st.sampled_from([int, str, list])
)


def is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    # A signalling NaN has no hash, and a NaN is never found again.
    return not (isinstance(value, float | complex | Decimal) and value != value)  # noqa: PLR0124


KEYS = SCALARS.filter(is_hashable)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict)
        | st.dictionaries(KEYS, inner, max_size=4).map(lambda items: defaultdict(list, items))
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | st.lists(inner, max_size=4).map(lambda items: deque(items, maxlen=5))
        | st.binary().map(bytearray)
    ),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    """A value as something whose equality also tells types, signs of zero and NaNs apart."""
    if isinstance(value, dict):
        extra = value.default_factory if isinstance(value, defaultdict) else None
        return type(value), extra, [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, set | frozenset):
        return type(value), sorted(repr(shape(item)) for item in value)
    if isinstance(value, deque):
        return type(value), value.maxlen, [shape(item) for item in value]
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    return type(value), value if isinstance(value, int | bytearray) else repr(value)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert shape(decode(encode(value))) == shape(value)


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__

    def __index__(self) -> int:
        return 25

    __int__ = __index__


class LyingText(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "right"

    def encode(self, *words: Any, **more: Any) -> bytes:
        return b"right"


class LyingList(list[int]):
    def __iter__(self) -> Any:
        return iter([25])


class LyingDict(dict[str, int]):
    def items(self) -> Any:
        return {"right": 1}.items()


class LyingFloat(float):
    def __float__(self) -> float:
        return 0.5

    def __repr__(self) -> str:
        return "0.5"


class LyingBytes(bytes):
    def __getitem__(self, key: Any) -> Any:
        return b"right"


class Colour(IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (Liar(1), 1),
        (LyingText("wrong"), "wrong"),
        (LyingList([1]), [1]),
        (LyingDict(wrong=2), {"wrong": 2}),
        (LyingFloat(2.5), 2.5),
        (LyingBytes(b"wrong"), b"wrong"),
        (Colour.RED, 3),
        ([Liar(1)], [1]),
        ({Liar(1): LyingText("x")}, {1: "x"}),
        (numpy.int64(7), 7),
        (numpy.float64(0.1), 0.1),
        (numpy.bool_(True), True),
    ],
)
def test_a_class_derived_from_a_base_is_told_as_its_base(told: Any, read: Any) -> None:
    found = decode(encode(told))
    assert shape(found) == shape(read)


def test_the_standard_librarys_own_classes_stay_what_they_are() -> None:
    point = namedtuple("Point", "x y")
    found = decode(encode([Counter("aab"), point(1, 2), {1: 2}.keys(), {1: 2}.items(), {1: 2}.values()]))
    assert found[0] == Counter(a=2, b=1)
    assert type(found[0]) is Counter
    assert (found[1].x, found[1].y, found[1]) == (1, 2, (1, 2))
    assert found[2] == {1}
    assert found[3] == {(1, 2)}
    assert list(found[4]) == [2]
    assert type(decode(encode(point(1, 2)), classes={"Point": point})) is point


def test_arrays_of_numbers_come_back() -> None:
    array = numpy.arange(6, dtype="int16").reshape(2, 3)
    found = decode(encode(array))
    assert found.dtype == array.dtype
    assert (found == array).all()
    with pytest.raises(NotAValue):
        encode(numpy.array([object()]))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_what_holds_itself_is_refused_and_what_is_held_twice_is_not() -> None:
    loop: list[Any] = []
    loop.append({"loop": loop})
    with pytest.raises(NotAValue, match="a list that holds itself"):
        encode(loop)
    twice = [1]
    assert decode(encode([twice, twice])) == [[1], [1]]


def test_depth_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(NotAValue, match="nested deeper"):
        encode(nested(MAX_DEPTH + 1))
    monkeypatch.setattr("palestra.sandbox.inside.values.MAX_ITEMS", 10)
    with pytest.raises(NotAValue, match="more than 10 values"):
        encode(list(range(10)))


@pytest.mark.parametrize("value", [object(), len, iter([]), json, Liar, [object()]])
def test_other_objects_are_no_values(value: Any) -> None:
    with pytest.raises(NotAValue, match="no value"):
        encode(value)


def test_an_object_without_a_value_can_be_told_as_a_reference() -> None:
    kept: list[Any] = []

    def export(value: Any) -> Any:
        kept.append(value)
        return len(kept) - 1

    message = encode((1, len), export)
    assert decode(message, kept.__getitem__) == (1, len)
    with pytest.raises(Malformed, match="a reference"):
        decode(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"\xff",
        b"{}",
        b'{"t": 1}',
        b'{"t": [], "d": []}',
        b'{"no": 1}',
        b'{"i": 5}',
        b'{"i": "zz"}',
        b'{"d": [1]}',
        b'{"d": [[], 1]}',
        b'{"s": [[]]}',
        b'{"n": ["x", ["__eq__"], [1]]}',
        b'{"n": ["x", ["a", "a"], [1, 2]]}',
        b'{"n": ["x", ["a"], [1, 2]]}',
        b'{"T": ["datetime", [0, 0, 0], 0, null]}',
        b'{"B": "object"}',
        b'{"N": ["O", [1], "12345678"]}',
        b'{"N": ["int64", [1000000000], "12345678"]}',
        b'{"r": ["1", "2", "0"]}',
        b"9" * 5000,
        b"[" * 100_000,
        b'{"t":[' * 20_000 + b"]}" * 20_000,
    ],
)
def test_bytes_that_are_no_message_are_refused(message: bytes) -> None:
    with pytest.raises(Malformed):
        decode(message)


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:tdsOCEqkNTn0123456789', max_size=40).map(str.encode))
def test_no_bytes_raise_anything_else(message: bytes) -> None:
    try:
        decode(message)
    except Malformed:
        return


def test_dates_keep_their_class() -> None:
    assert shape(decode(encode([date(2024, 2, 29), datetime(2024, 2, 29, 1, fold=1), Fraction(1, 3)]))) == shape(
        [date(2024, 2, 29), datetime(2024, 2, 29, 1, fold=1), Fraction(1, 3)]
    )
