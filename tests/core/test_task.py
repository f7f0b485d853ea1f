"""Tasks keep the whole row, and their identity is their content."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from palestra import Task
from palestra.core.task import BOOKKEEPING, content_hash


class Letters(Task):
    word: str
    count: int = 0
    hint: str | None = None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
ROWS = st.dictionaries(st.text().filter(lambda name: name not in BOOKKEEPING), JSON, max_size=5)


class TestTask:
    def test_a_row_comes_back_as_it_was(self) -> None:
        for row in ({"word": "a"}, {"word": "a", "count": 0}, {"word": "a", "hint": None, "x": {"y": [1, None]}}):
            assert Letters.from_row(row).to_row() == row

    @settings(deadline=None)
    @given(ROWS)
    def test_any_row_comes_back_as_it_was(self, row: dict[str, Any]) -> None:
        assert Task.from_row(row).to_row() == row

    def test_bookkeeping_is_left_out(self) -> None:
        row = {"word": "a", "agent_ref": {"name": "x"}, "_ng_task_index": 3, "palestra": {}}
        assert Letters.from_row(row).to_row() == {"word": "a"}

    def test_tasks_are_frozen_and_unknown_fields_can_be_read(self) -> None:
        task = Letters.from_row({"word": "a", "source": "b"})
        assert task.model_extra == {"source": "b"}
        with pytest.raises(ValidationError):
            task.word = "b"  # type: ignore[misc]

    def test_a_wrong_field_is_named(self) -> None:
        with pytest.raises(ValidationError, match="word"):
            Letters.from_row({"word": 5})


class TestContentHash:
    def test_key_order_and_bookkeeping_do_not_count(self) -> None:
        one = content_hash({"a": 1, "b": {"c": 2, "d": 3}})
        other = content_hash({"b": {"d": 3, "c": 2}, "a": 1, "agent_ref": {"name": "x"}, "_ng_task_index": 7})
        assert one == other
        assert len(one) == 32
        assert int(one, 16) >= 0

    def test_it_does_not_change_between_versions(self) -> None:
        assert content_hash({"word": "straße", "n": [1, 2.5, None, True]}) == "ece5184fd74acc586e3c2614ac91f947"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"a": 1}, {"a": 2}),
            ({"a": 1}, {"a": 1.0}),
            ({"a": 1}, {"a": True}),
            ({"a": None}, {}),
            ({"id": 1}, {"id": 2}),
            ({"a": "é"}, {"a": "e\u0301"}),
            ({"a": [1, 2]}, {"a": [2, 1]}),
        ],
    )
    def test_other_content_is_another_task(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert content_hash(one) != content_hash(other)

    @settings(deadline=None)
    @given(ROWS)
    def test_writing_and_reading_a_row_keeps_its_identity(self, row: dict[str, Any]) -> None:
        assert content_hash(json.loads(json.dumps(row))) == content_hash(row)

    def test_any_text_has_a_hash(self) -> None:
        assert content_hash({"a": "\ud800", "b": "\x00", "c": "日本"}) != content_hash({"a": "\ud801"})
