"""Rows come one at a time, and a bad one takes nothing of the others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.core.discovery import Source, find
from palestra.core.errors import PalestraError
from palestra.data.load import count_rows, generated_rows, row_of_line, rows_of_environment, rows_of_file

GENERATOR = '''"""Made."""
from palestra import Environment


class Made(Environment):
    @classmethod
    def generate(cls, seed, n, options):
        for number in range(n):
            if number == 3:
                raise LookupError("out of words")
            yield {"number": number + seed}
'''

MANIFEST = 'name = "made"\nsummary = "Made."\ndomain = "other"\nlicence = "none"\n[reward]\nkind = "binary"\n'


@pytest.fixture
def made(tmp_path: Path) -> Source:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "env.py").write_text(GENERATOR)
    (folder / "environment.toml").write_text(MANIFEST)
    return find(str(folder))


def test_bad_lines_become_rows_with_a_problem_and_blank_ones_none(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n  \nnothing\n[1]\n\xff\n{"a": 2}')
    rows = list(rows_of_file(path))
    assert [row.content.get("a") for row in rows] == [1, None, None, None, 2]
    assert [row.problem is None for row in rows] == [True, False, False, False, True]
    assert rows[1].problem is not None
    assert rows[1].problem.startswith(f"{path} line 4 is not JSON")
    assert rows[2].problem == f"{path} line 5 must be a JSON object, got list"
    assert count_rows(path) == 5


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_line_can_stop_the_reading(line: bytes) -> None:
    row = row_of_line(line, "line 1")
    assert (row.problem is None) == isinstance(row.content, dict) or "invalid_line" in row.content
    json.dumps(row.content)


def test_rows_are_read_only_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' * 3)
    rows = rows_of_file(path)
    assert isinstance(rows, Iterator)
    assert next(rows).content == {"a": 1}


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    for read in (count_rows, lambda path: list(rows_of_file(path))):
        with pytest.raises(PalestraError, match="cannot be read"):
            read(tmp_path / name)


def test_an_environments_own_rows_name_it_as_their_agent(made: Source) -> None:
    (made.folder / "tasks.jsonl").write_text("".join(json.dumps({"n": number}) + "\n" for number in range(9)))
    (made.folder / "train.jsonl").write_text('{"n": 100, "agent_ref": {"name": "other"}}\n')
    rows = list(rows_of_environment(made, None))
    assert [row.content["n"] for row in rows] == list(range(9))
    assert {row.content["agent_ref"]["name"] for row in rows} == {"made_simple_agent"}
    assert [row.content["n"] for row in rows_of_environment(made, "example")] == [0, 1, 2, 3, 4]
    assert [row.content["agent_ref"] for row in rows_of_environment(made, "train")] == [{"name": "other"}]


def test_an_unknown_split_is_told_with_those_that_there_are(made: Source) -> None:
    (made.folder / "train.jsonl").write_text("")
    with pytest.raises(PalestraError, match=r"no split 'trian'\. Did you mean 'train'\? It has: example, train\."):
        list(rows_of_environment(made, "trian"))


def test_an_environment_without_tasks_says_where_they_may_come_from(made: Source) -> None:
    with pytest.raises(PalestraError, match="brings no tasks of its own") as caught:
        list(rows_of_environment(made, None))
    assert "--generate" in str(caught.value)


def test_a_generator_that_breaks_is_named_with_its_row(made: Source) -> None:
    options = made.options({})
    rows = generated_rows(made, options, seed=5, n=9)
    assert [next(rows).content["number"] for _ in range(3)] == [5, 6, 7]
    with pytest.raises(PalestraError, match="generator of made broke at row 3: LookupError: out of words"):
        next(rows)


def test_an_environment_that_cannot_generate_says_so(made: Source) -> None:
    mcqa = find("mcqa")
    with pytest.raises(PalestraError, match="mcqa cannot generate tasks"):
        next(generated_rows(mcqa, mcqa.options({}), seed=0, n=1))


@pytest.mark.parametrize("made_rows", [2, 4])
def test_a_generator_that_miscounts_is_named(made: Source, made_rows: int) -> None:
    text = (made.folder / "env.py").read_text().replace("range(n)", f"range({made_rows})").replace("== 3", "== 99")
    (made.folder / "env.py").write_text(text)
    with pytest.raises(PalestraError, match=f"made {made_rows} rows instead of 3"):
        list(generated_rows(made, made.options({}), seed=0, n=3))
