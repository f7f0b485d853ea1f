"""What holds for any configuration: the order of merging, words that are written and read, ports."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from palestra.compat.config import Sources, read_values
from palestra.compat.overrides import read_override, written
from palestra.compat.paths import found_at, placed, without
from palestra.compat.ports import Ports
from palestra.compat.secrets import MASK, masked
from palestra.compat.tree import clash
from palestra.compat.values import ValueReader, written_value
from palestra.core.errors import PalestraError

KEYS = st.sampled_from(["a", "b", "c", "d-e", "f_g"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "text", "1", "null", "a b", "it's", "\\", "x,y"])
)
TREES = st.recursive(
    SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=2), max_leaves=8
)
MAPPINGS = st.dictionaries(KEYS, TREES, max_size=3)
PATHS = st.lists(KEYS, min_size=1, max_size=3).map(tuple)
ANY_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def on_top(lower: Any, upper: Any) -> Any:
    """What merging means, in its shortest form."""
    if isinstance(lower, Mapping) and isinstance(upper, Mapping):
        return {**lower, **{key: on_top(lower.get(key), value) for key, value in upper.items()}}
    return upper


@given(defaults=MAPPINGS, initial=MAPPINGS, path=PATHS, value=TREES)
def test_code_is_on_top_of_defaults_and_a_word_on_top_of_code(
    defaults: dict[str, Any], initial: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    assume(clash(defaults, initial) is None)
    below = on_top(defaults, initial)
    assume(not any(isinstance(getattr(found_at(below, path[:count]), "value", None), list) for count in range(3)))
    word = read_override(written(path, value))
    nested: Any = value
    for key in reversed(path):
        nested = {key: nested}
    sources = Sources(defaults=defaults, initial=initial, overrides=[word], reads_dotenv=False)
    found = read_values(sources).values
    assert found == {**on_top(below, nested), "config_paths": []}


@given(value=ANY_VALUES)
def test_any_value_survives_being_written(value: Any) -> None:
    assert ValueReader(written_value(value)).read() == value


@given(text=st.text(alphabet="ab'\"\\[]{}(),:= $0", max_size=12))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        value = read_override(f"+key={text}").value
    except PalestraError:
        return
    assert ValueReader(written_value(value)).read() == value


@given(tree=MAPPINGS, path=PATHS, value=SCALARS)
def test_what_is_placed_is_found_and_what_is_taken_away_is_not(
    tree: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    # A word of digits would be a position; keys here are none, so lists on the way refuse.
    try:
        made = placed(tree, path, value)
    except ValueError:
        assert any(isinstance(getattr(found_at(tree, path[:count]), "value", None), list) for count in range(len(path)))
        return
    found = found_at(made, path)
    assert found is not None
    assert found.value == value
    assert found_at(without(made, path), path) is None


@given(
    lowest=st.integers(1024, 1100), width=st.integers(0, 12), busy=st.sets(st.integers(1024, 1112)),
    taken=st.sets(st.integers(1024, 1112)), seed=st.integers(),
)  # fmt: skip
def test_ports_are_free_in_the_range_and_given_once(
    lowest: int, width: int, busy: set[int], taken: set[int], seed: int
) -> None:
    usable = {*range(lowest, lowest + width + 1)} - busy - taken
    ports = Ports(lowest, lowest + width, {*taken}, Random(seed), lambda host, port: port not in busy)
    assert {ports.next("127.0.0.1") for _ in usable} == usable
    with pytest.raises(PalestraError, match="no port from"):
        ports.next("127.0.0.1")


@given(tree=MAPPINGS, secret=st.text(alphabet="xyz123-", min_size=3, max_size=30), deep=st.booleans())
def test_no_secret_survives_masking_at_any_depth(tree: dict[str, Any], secret: str, deep: bool) -> None:
    held: dict[str, Any] = {"api_key": secret, "headers": [{"Authorization": [secret]}], "client_secret": {"a": secret}}
    shown = masked({"x": [held], **tree} if deep else {**tree, **held})
    assert shown == masked(shown), "masking twice changes nothing"
    values = [shown["x"][0]] if deep else [shown]
    assert values[0]["api_key"] == MASK
    assert values[0]["headers"] == [{"Authorization": [MASK]}]
    assert values[0]["client_secret"] == {"a": MASK}
