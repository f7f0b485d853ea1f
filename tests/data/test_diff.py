"""`palestra data diff`: rows by what they are, fields by where they are."""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.core.errors import PalestraError
from palestra.data.diff import diff


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def changes(folder: Path, old: list[Any], new: list[Any], key: str | None = None) -> tuple[list[Any], Counter[str]]:
    counts = Counter[str]()
    files = write(folder / "a.jsonl", old), write(folder / "b.jsonl", new)
    return [(each.kind, each.line, each.fields) for each in diff(*files, counts, key=key)], counts


def test_added_removed_and_changed_fields(tmp_path: Path) -> None:
    old = [{"id": 1, "a": {"b": [1, 2]}, "c": 1}, {"id": 2}, {"id": 3}]
    new = [{"id": 3}, {"c": 1, "id": 1, "a": {"b": [1, 3]}, "d": None, "e": 0}, {"id": 4}]
    found, counts = changes(tmp_path, old, new, "id")
    assert found == [
        ("changed", 2, (("a.b.1", 2, 3), ("e", None, 0))),
        ("added", 3, ()),
        ("removed", 2, ()),
    ]
    assert counts == {"same": 1, "changed": 1, "added": 1, "removed": 1}


def test_true_is_not_1_and_1_is_not_1_0(tmp_path: Path) -> None:
    assert changes(tmp_path, [{"id": 1, "a": 1}], [{"id": 1, "a": True}], "id")[1]["changed"] == 1
    assert changes(tmp_path, [{"id": 1, "a": 1}], [{"id": 1, "a": 1.0}], "id")[1]["changed"] == 1


ROWS = st.lists(st.integers(0, 6).map(lambda number: {"n": number}), max_size=15)


@given(ROWS, ROWS)
@settings(max_examples=60)
def test_by_content_it_is_the_difference_of_two_multisets(old: list[Any], new: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        _, counts = changes(Path(folder), old, new)
    before, after = (Counter(row["n"] for row in rows) for rows in (old, new))
    assert counts["added"] == (after - before).total()
    assert counts["removed"] == (before - after).total()
    assert counts["same"] == (before & after).total()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "a.jsonl", [{"id": n, "v": n} for n in range(30)])
    second = write(tmp_path / "b.jsonl", [{"id": n, "v": n + 1} for n in range(30)])
    assert main(["data", "diff", str(first), str(first)]) == 0
    assert "30 same; rows are known by id" in capsys.readouterr().out
    assert main(["data", "diff", str(first), str(second), "--show", "2"]) == 1
    told = capsys.readouterr().out
    assert "~ line 1: 0\n    v: 0 -> 1" in told
    assert "and 28 more changes" in told
    assert main(["data", "diff", str(first), str(second), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (len(document["changes"]), document["changed"], document["key"]) == (30, 30, "id")
    assert main(["data", "diff", str(first), str(tmp_path / "none")]) == 2


@pytest.mark.parametrize(("line", "told"), [("[]", "line 2 must be an object"), ("{", "line 2 is not JSON"),
                                            ("{}", "line 2: there is no column 'id'")])  # fmt: skip
def test_a_line_without_identity_is_told(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 1}\n' + line + "\n")
    with pytest.raises(PalestraError, match=told):
        list(diff(path, path, Counter(), key="id"))
