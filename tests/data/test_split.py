"""Splits are exact, repeatable and disjoint, and a leak is found however it is written."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.core.errors import PalestraError
from palestra.data.sameness import normalised
from palestra.data.split import counts_of, leaks, parts_of, split


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def asked(text: str, **fields: Any) -> dict[str, Any]:
    return {"responses_create_params": {"input": text}, **fields}


def split_rows(folder: Path, rows: list[dict[str, Any]], parts: str, **options: Any) -> dict[str, list[dict[str, Any]]]:
    split(write(folder / "in.jsonl", rows), folder / "out", parts_of(parts), **options)
    return {path.stem: read(path) for path in sorted((folder / "out").glob("*.jsonl"))}


@given(st.integers(0, 300), st.integers(0, 5), st.sampled_from([
    "a=0.5,b=0.5", "a=0.7,b=0.2,c=0.1", "a=rest,b=0.1", "a=0.333,b=rest", "a=rest,b=7"]))  # fmt: skip
@settings(max_examples=40)
def test_counts_are_exact_and_the_parts_are_the_whole(n: int, seed: int, parts: str) -> None:
    rows = [asked(f"question {number}", answer=number) for number in range(max(n, 7))]
    with TemporaryDirectory() as folder:
        found = split_rows(Path(folder), rows, parts, seed=seed)
    wanted = counts_of(parts_of(parts), len(rows))
    assert {name: len(part) for name, part in found.items()} == wanted
    assert sum(wanted.values()) == len(rows)
    together = [row["answer"] for part in found.values() for row in part]
    assert sorted(together) == list(range(len(rows)))
    assert all(part == sorted(part, key=lambda row: row["answer"]) for part in found.values())


@given(st.permutations(range(40)), st.integers(0, 3))
@settings(max_examples=20)
def test_a_part_follows_from_the_content_and_not_from_the_order(order: list[int], seed: int) -> None:
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        plain = split_rows(Path(first), [asked(f"q{n}") for n in range(40)], "a=0.6,b=rest", seed=seed)
        mixed = split_rows(Path(second), [asked(f"q{n}") for n in order], "a=0.6,b=rest", seed=seed)
    for name, part in plain.items():
        assert {str(row) for row in part} == {str(row) for row in mixed[name]}


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["Q {}?", "q  {} ", "Q-{}!"])), min_size=1, max_size=80))
@settings(max_examples=30)
def test_no_prompt_is_in_two_parts_however_it_is_written(questions: list[tuple[int, str]]) -> None:
    rows = [asked(form.format(number), at=at) for at, (number, form) in enumerate(questions)]
    with TemporaryDirectory() as folder:
        found = split_rows(Path(folder), rows, "a=0.5,b=rest")
        assert sum(map(len, found.values())) == len(rows)
        files = [Path(folder) / "out" / f"{name}.jsonl" for name in found]
        assert list(leaks(files)) == []


def test_seeds_differ_and_repeat(tmp_path: Path) -> None:
    rows = [asked(f"q{n}") for n in range(100)]
    first = split_rows(tmp_path, rows, "a=0.5,b=0.5", seed=1)
    assert split_rows(tmp_path, rows, "a=0.5,b=0.5", seed=1) == first
    assert split_rows(tmp_path, rows, "a=0.5,b=0.5", seed=2) != first


def test_rows_of_a_group_stay_together(tmp_path: Path) -> None:
    rows = [asked(f"q{n}", book=n % 7) for n in range(70)]
    found = split_rows(tmp_path, rows, "a=0.5,b=0.5", by="book")
    books = [{row["book"] for row in part} for part in found.values()]
    assert not books[0] & books[1]
    assert {len(part) for part in found.values()} == {30, 40}
    with pytest.raises(PalestraError, match="no column 'bok'"):
        split_rows(tmp_path, rows, "a=0.5,b=0.5", by="bok")


@pytest.mark.parametrize(
    "parts",
    ["a", "a=0.5", "a=0.5,b=0.6", "a=rest,b=rest", "a=0.5,a=0.5", "a=x,b=rest", "a=-1,b=rest", "../a=0.5,b=0.5"],
)
def test_parts_that_make_no_whole_are_refused(parts: str) -> None:
    with pytest.raises(PalestraError):
        parts_of(parts)


def test_more_rows_than_there_are_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match="ask for 8 rows, and there are 3"):
        split_rows(tmp_path, [asked(f"q{n}") for n in range(3)], "a=8,b=rest")
    assert not (tmp_path / "out").exists()


def test_leaks_between_files_are_found_with_both_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", [asked("What is 2 + 2?", answer=4), asked("Why?", answer="so")])
    test = write(tmp_path / "test.jsonl", [asked("x"), asked("what is 2+2", answer=4), asked("Why?", answer="so")])
    assert main(["data", "split", "--check", str(train), str(test), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["leaks"] == 2
    assert [(leak["line"], leak["other_line"], leak["match"]) for leak in told["examples"]] == [
        (2, 1, "normalised"), (3, 2, "exact"),
    ]  # fmt: skip
    assert main(["data", "split", "--check", str(train)]) == 0


def test_the_command_writes_parts_with_their_lineage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "tasks.jsonl", [asked(f"q{n}") for n in range(20)])
    words = ["data", "split", str(source), "--output", str(tmp_path / "out")]
    assert main([*words, "--parts", "train=0.8,test=0.2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parts"] == {"train": {"asked": 16, "rows": 16}, "test": {"asked": 4, "rows": 4}}
    assert (tmp_path / "out" / "train.jsonl.lineage.json").exists()
    assert main(words) == 2
    assert main(["data", "split", str(source), "--output", str(tmp_path), "--parts", "tasks=0.8,test=0.2"]) == 2
    assert len(read(source)) == 20


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Is it 5?", "is  it 5", True),
        ("ｆｕｌｌ", "FULL", True),
        ("What is 2 + 2?", "what is 2+2", True),
        ("a well-known *fact*", "A well known fact", True),
        ("5 - 3", "5-3", True),
        ("5 - 3", "5 + 3", False),
        ("6 / 3", "6 * 3", False),
        ("x < 1", "x > 1", False),
        ("a", "b", False),
        ("_!_", "_?_", False),
    ],
)
def test_normalised_texts(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same
