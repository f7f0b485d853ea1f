"""`palestra data generate`: the rows that were asked for, in a file that is whole or not there."""

import json
from pathlib import Path

import pytest

from palestra.cli.main import main
from palestra.core.discovery import find

BREAKS = '''"""Breaks at a row."""
from palestra import Environment


class Breaks(Environment):
    @classmethod
    def generate(cls, seed, n, options):
        for number in range(n):
            if number == 5000:
                raise LookupError("out of words")
            yield {"number": number, "text": "word " * 20}
'''
MANIFEST = 'name = "breaks"\nsummary = "Breaks."\ndomain = "other"\nlicence = "none"\n[reward]\nkind = "binary"\n'


def generate(output: Path, *more: str, environment: str = "word_problems") -> int:
    return main(["data", "generate", environment, "--output", str(output), *more])


def test_the_file_holds_exactly_the_rows_of_the_generator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "tasks.jsonl"
    assert generate(output, "--n", "25", "--seed", "7", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"output": str(output), "rows": 25, "bytes": output.stat().st_size}
    rows = [json.loads(line) for line in output.read_bytes().splitlines()]
    source = find("word_problems")
    expected = list(source.load().generate(7, 25, source.options({})))
    assert [{name: row[name] for name in row if name != "agent_ref"} for row in rows] == expected
    assert {row["agent_ref"]["name"] for row in rows} == {"word_problems_simple_agent"}
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.jsonl"]


def test_options_and_seed_decide_the_rows(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.jsonl" for number in range(4)]
    assert generate(files[0], "--n", "5", "--seed", "1") == 0
    assert generate(files[1], "--n", "5", "--seed", "1") == 0
    assert generate(files[2], "--n", "5", "--seed", "2") == 0
    assert (
        generate(files[3], "--n", "5", "--seed", "1", "--option", "task=leg_counting", environment="reasoning_gym") == 0
    )
    texts = [file.read_bytes() for file in files]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3
    assert all("leg_counting" in line for line in files[3].read_text().splitlines())


def test_collect_plays_the_generated_rows(tmp_path: Path) -> None:
    tasks, script, output = tmp_path / "tasks.jsonl", tmp_path / "script.jsonl", tmp_path / "out.jsonl"
    assert generate(tasks, "--n", "3") == 0
    script.write_text('{"task": "*", "replies": ["I do not know."]}\n')
    words = ["collect", "word_problems", "--input", str(tasks), "--model", f"scripted:{script}"]
    assert main([*words, "--output", str(output)]) == 0
    assert len(output.read_bytes().splitlines()) == 3


def test_an_existing_file_is_replaced_only_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "tasks.jsonl"
    output.write_text("mine\n")
    assert generate(output, "--n", "2") == 2
    assert output.read_text() == "mine\n"
    assert "--overwrite" in capsys.readouterr().err
    assert generate(output, "--n", "2", "--overwrite") == 0
    assert len(output.read_bytes().splitlines()) == 2
    assert generate(tmp_path, "--n", "2", "--overwrite") == 2


@pytest.mark.parametrize("existing", [None, "mine\n"])
def test_a_generator_that_breaks_leaves_the_folder_as_it_was(
    tmp_path: Path, existing: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "breaks", tmp_path / "out" / "tasks.jsonl"
    for path in (folder, output.parent):
        path.mkdir()
    (folder / "env.py").write_text(BREAKS)
    (folder / "environment.toml").write_text(MANIFEST)
    if existing is not None:
        output.write_text(existing)
    assert generate(output, "--n", "6000", "--overwrite", environment=str(folder)) == 2
    assert "broke at row 5000: LookupError: out of words" in capsys.readouterr().err
    left = {path.name: path.read_text() for path in output.parent.iterdir()}
    assert left == ({} if existing is None else {"tasks.jsonl": existing})
    assert generate(output, "--n", "5000", "--overwrite", environment=str(folder)) == 0
    assert len(output.read_bytes().splitlines()) == 5000


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["data"], "COMMAND"),
        (["data", "genrate"], "generate"),
        (["data", "generate", "mcqa", "--n", "2", "--output", "x.jsonl"], "mcqa cannot generate tasks"),
        (["data", "generate", "word_problem", "--n", "2", "--output", "x.jsonl"], "'word_problems'"),
        (["data", "generate", "word_problems", "--n", "0", "--output", "x.jsonl"], "at least 1, got 0"),
        (["data", "generate", "word_problems", "--n", "2", "--output", "none/x.jsonl"], "none/x.jsonl cannot be"),
        (["data", "generate", "word_problems", "--n", "2", "--outptu", "x", "--output", "x"], "'--output'"),
        (["data", "generate", "word_problems", "--n", "2", "--output", "x", "--option", "a=1"], "no option 'a'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_do_and_leaves_nothing(
    words: list[str], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) in (1, 2)
    told = capsys.readouterr()
    assert hint in told.err
    assert "what to do:" in told.err
    assert not told.out
    assert not list(tmp_path.iterdir())
