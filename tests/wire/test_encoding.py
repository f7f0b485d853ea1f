"""JSON in and out of bytes: every value comes back, every line is one line, every damaged byte is found."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palestra.wire.encoding import checksum_holds, decode, encode, encode_with_checksum

TEXT = st.text() | st.text(st.characters(codec=None, categories=None))
"""The second kind holds lone surrogates."""
NUMBERS = st.integers() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


class TestValues:
    @settings(deadline=None)
    @given(JSON)
    @example("\ud800 and \u2028")
    @example([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**4000])
    @example({"\udfff": "\x00\n\r\t\x7f", "a": -0.0, "b": 5e-324, "c": 1e308, "d": 0.1 + 0.2})
    def test_any_value_comes_back_in_one_line(self, value: Any) -> None:
        line = encode(value)
        again = decode(line)
        assert again == value
        assert repr(again) == repr(value)
        assert b"\n" not in line
        assert b"\r" not in line
        assert decode(line.decode()) == value

    @settings(deadline=None)
    @given(JSON)
    def test_what_others_wrote_is_read_alike(self, value: Any) -> None:
        for text in (json.dumps(value), json.dumps(value, indent=1)):
            assert decode(text) == decode(text.encode()) == value

    @settings(deadline=None)
    @given(st.binary())
    def test_any_bytes_are_read_or_refused_with_value_error(self, data: bytes) -> None:
        try:
            decode(data)
        except ValueError:
            return

    @pytest.mark.parametrize(
        "text", ["", " ", "{", "NaN", "[Infinity]", "[-Infinity]", "{'a':1}", "[1,]", '"\n"', "01"]
    )
    def test_what_is_no_json_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            decode(text)

    @pytest.mark.parametrize("long", ["[" + "1" * 30 + ",NaN]", "9" * 5000])
    def test_big_integers_are_no_way_around_the_rules(self, long: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            decode(long)

    @pytest.mark.parametrize("value", [{1, 2}, object(), b"x", [object()]])
    def test_what_is_no_value_is_refused(self, value: Any) -> None:
        with pytest.raises(TypeError):
            encode(value)

    @pytest.mark.parametrize("companion", [1, 2**70, "\ud800"])
    def test_nan_becomes_null_whichever_library_writes(self, companion: Any) -> None:
        value = {"a": [math.nan, math.inf, 1.5], "b": companion}
        assert decode(encode(value)) == {"a": [None, None, 1.5], "b": companion}

    def test_deep_values_survive_or_are_refused_never_crash(self) -> None:
        def nested(depth: int) -> Any:
            value: Any = 1
            for _ in range(depth):
                value = [value]
            return value

        assert decode(encode(nested(400))) == nested(400)
        with pytest.raises(ValueError, match="deeply"):
            encode(nested(100_000))
        with pytest.raises(ValueError, match="deeply"):
            decode("[" * 100_000 + "]" * 100_000)

    def test_a_value_that_holds_itself_is_refused(self) -> None:
        circle: list[Any] = []
        circle.append(circle)
        with pytest.raises(ValueError, match="deeply"):
            encode(circle)


ROW = {"reward": 1.0, "text": 'a ,"crc32":" in it', "palestra": {"key": "k", "version": 1}}


class TestChecksum:
    def test_it_is_the_last_field_of_the_last_object(self) -> None:
        line = encode_with_checksum({"palestra": {"crc32": "old", "key": "k"}, "reward": 1.0})
        own = decode(line)["palestra"]
        assert list(decode(line)) == ["reward", "palestra"]
        assert list(own) == ["key", "crc32"]
        assert len(own["crc32"]) == 8

    def test_it_holds_with_and_without_the_end_of_line(self) -> None:
        line = encode_with_checksum(ROW)
        assert checksum_holds(line)
        assert checksum_holds(line + b"\n")
        assert checksum_holds(line + b"\r\n")

    @pytest.mark.parametrize("end", [b"\x0b", b"\x0c", b"\x85", b"\x1c"])
    def test_a_damaged_line_end_is_no_white_space(self, end: bytes) -> None:
        assert not checksum_holds(encode_with_checksum(ROW) + end)

    def test_it_holds_for_a_line_that_the_standard_library_had_to_write(self) -> None:
        assert checksum_holds(encode_with_checksum({**ROW, "text": "\ud800", "n": 2**70}))

    def test_every_change_of_one_byte_is_found(self) -> None:
        line = encode_with_checksum(ROW)
        for position in range(len(line)):
            for flip in (1, 2, 0x10, 0x20, 0x80, 0xFF):
                damaged = bytearray(line)
                damaged[position] ^= flip
                assert checksum_holds(bytes(damaged)) is False, (position, flip)

    def test_a_torn_line_does_not_hold(self) -> None:
        line = encode_with_checksum(ROW)
        assert not any(checksum_holds(line[:end]) for end in range(len(line)))

    def test_two_lines_that_ran_together_do_not_hold(self) -> None:
        assert checksum_holds(encode_with_checksum(ROW) * 2) is False

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"{}",
            b'{"reward":1.0}',
            b'{"crc32":"0badcafe"}',
            b'{"a":1,"crc32":"0badcafe"}',
            b'{"text":",\\"crc32\\":\\"00000000\\"}}"}',
            encode({**ROW, "palestra": {"key": "k"}}),
        ],
    )
    def test_a_line_without_one_is_legal(self, line: bytes) -> None:
        assert checksum_holds(line) is None

    @settings(deadline=None)
    @given(st.dictionaries(st.text(), JSON, max_size=3), st.data())
    def test_any_rollout_holds_and_no_damaged_one_does(self, row: dict[str, Any], data: st.DataObject) -> None:
        line = encode_with_checksum({**row, "palestra": {"key": "k", "task": row}})
        assert checksum_holds(line)
        damaged = bytearray(line)
        damaged[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
        # Blank in the place of the last brace, the line ends too early to have a checksum; it is no JSON then.
        assert checksum_holds(bytes(damaged)) is False or not is_json(bytes(damaged))


def is_json(text: bytes) -> bool:
    try:
        decode(text)
    except ValueError:
        return False
    return True
