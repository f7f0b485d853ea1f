"""The quick reading of a line says what reading all of it says, or leaves it to that."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.store.scan import Line, Unusable, full_record, located_lines, quick_record, record_of
from palestra.wire.encoding import encode, encode_with_checksum
from tests.collection.test_resume_run import FLAKY
from tests.collection.workspace import Workspace

KEY, HASH = "0" * 32, "ab" * 16

NAMES: st.SearchStrategy[str] = st.sampled_from(
    ("palestra", "version", "key", "environment", "task_hash", "fingerprint", "failure", "seed", "started_at", "crc32",
     "_ng_task_index", "_ng_rollout_index", "_ng_attempt_index", "_ng_failure_class", "reward", "a")
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    (0, 1, 12, "e", KEY, HASH, 'a","palestra":{"version":1', "\\", "é\ud800", None, [], 2**70)
)


def own_objects() -> st.SearchStrategy[dict[str, Any]]:
    full = {"version": 1, "key": KEY, "environment": "e", "task_hash": HASH}
    end = {"seed": 3, "fingerprint": "f", "started_at": 1.5}
    inner = st.dictionaries(NAMES, NESTED, max_size=4)
    return st.one_of(
        inner.map(lambda task: {**full, "task": task, **end}),
        inner.map(lambda task: {**full, "task": task, **end, "failure": {"attempt": 1}}),
        st.just({"key": KEY, "environment": "e", "task_hash": HASH}),
        inner.map(lambda task: {"key": KEY, "environment": "other", "task_hash": HASH, **task}),
        inner,
    )


NESTED: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=8,
)
ROWS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(NAMES, NESTED, max_size=4)
REFERENCES = st.sampled_from(
    (
        {"_ng_task_index": 4, "_ng_rollout_index": 1},
        {"_ng_task_index": 4, "_ng_rollout_index": 1, "_ng_attempt_index": 0, "_ng_failure_class": "limit"},
        {"_ng_rollout_index": 1, "_ng_task_index": 4},
        {},
    )
)


@given(ROWS, REFERENCES, own_objects(), st.booleans())
def test_both_ways_of_reading_agree(row: dict[str, Any], indices: Any, own: dict[str, Any], nested: bool) -> None:
    if nested:
        row = {"rollout": {**row, **indices, "palestra": own}, **row}
    content = encode_with_checksum({**row, **indices, "palestra": own or {"a": 1}}) + b"\n"
    quick = quick_record(content)
    if quick is not None:
        full = full_record(Line(content, 1, 0, len(content), is_ended=True), has_checksum=True)
        # A judged rollout always has a reward and an input may have one; the quick way goes by what else they say.
        quick.is_rollout = full.is_rollout
        assert quick == full


def test_the_lines_that_a_run_writes_are_all_read_the_quick_way(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.rows({"number": number, "note": 'a ,"palestra":{ in it', "of": {"palestra": 1}} for number in range(20))
    flaky = str(place.environment("flaky", FLAKY))
    place.collect(environments=(flaky,), max_failure_rate=1.0, repeats=2)
    for path, is_rollout in ((place.paths.rollouts, True), (place.paths.failures, False), (place.paths.inputs, False)):
        lines = list(located_lines(path))
        assert len(lines) >= 20
        for line in lines:
            quick = quick_record(line.content)
            assert quick is not None, "if the layout of lines has changed, IDENTITY has to follow it"
            assert quick == full_record(line, has_checksum=True)
            assert quick.is_rollout == is_rollout


@pytest.mark.parametrize("content", [b"\x0b\n", b"\x0c", b" \x0b \n"])
def test_only_what_json_takes_for_blank_is_blank(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(b" \t \r\n\n" + content)
    (line,) = located_lines(path)
    assert (line.number, line.offset, line.content) == (3, 6, content)
    with pytest.raises(Unusable, match="is not JSON"):
        record_of(line)


def test_lines_have_their_place_number_and_length(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(encode({"a": 1}) + b"\r\n\n" + encode({"b": "é"}))
    assert [(line.number, line.offset, line.length, line.is_ended) for line in located_lines(path)] == [
        (1, 0, 9, True),
        (3, 10, 10, False),
    ]
    assert list(located_lines(tmp_path / "missing")) == []
