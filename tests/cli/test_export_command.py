"""`palestra export` as a user meets it."""

import json
from pathlib import Path

import pytest

from palestra.cli.main import main
from palestra.models.embedded.weights import weights_path
from tests.export_rollouts import QUIZ, lines_of, weather_talk

pytestmark = pytest.mark.skipif(weights_path() is None, reason="the embedded model's weights are not installed")


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    path = tmp_path / "rollouts.jsonl"
    path.write_bytes(lines_of([*QUIZ, weather_talk(1.0)]))
    return path


def test_what_it_says(rollouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = rollouts.with_name("set")
    assert main(["export", "sft", "--input", str(rollouts), "--output", str(output)]) == 0
    told = capsys.readouterr().out.replace(str(rollouts.parent), "")
    assert told.splitlines() == [
        "4 examples of 7 lines: /set/train.jsonl (4 rows)",
        "  left out: 3 reward, such as /rollouts.jsonl line 2: its reward 0.0 is below 1.0",
        "checked 4 rollouts against the chat template of embedded: sound",
        "  found: 1 tools_are_not_shown, such as 2 tools are not in what the template renders",
    ]


def test_json_is_the_report_that_lies_in_the_folder(rollouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = rollouts.with_name("set")
    command = ["export", "dpo", "--to", "trl", "--input", str(rollouts), "--output", str(output), "--check", "-1"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((output / "export_report.json").read_bytes())
    assert told["check"]["checked"] == 4
    assert (output.with_name("set.lineage.json")).exists()


def test_a_template_that_spoils_rows_fails_the_command(rollouts: Path, tmp_path: Path) -> None:
    from palestra.collection.chat_templates import open_chat_template

    folder = tmp_path / "tokenizer"
    folder.mkdir()
    open_chat_template("embedded").tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content | upper }}{% endfor %}")
    command = ["export", "sft", "--input", str(rollouts), "--output", str(tmp_path / "set")]
    assert main([*command, "--tokenizer", str(folder)]) == 1
    assert (tmp_path / "set" / "train.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dop"], "Did you mean 'dpo'"),
        (["dpo", "--to", "verl"], "verl reads no dpo sets"),
        (["sft", "--min-gap", "0"], "min_gap"),
        (["sft", "--reasoning", "inlin"], "reasoning"),
        (["sft", "--check", "-2"], "--check must be -1 or more"),
        (["sft", "--tokenizer", "nowhere"], "--tokenizer nowhere is no folder"),
        (["dpo", "--tokens"], "exact tokens go into sft rows"),
        (["prm"], "none of 7 lines is an example"),
    ],
)
def test_what_cannot_work_is_told_and_leaves_nothing(
    rollouts: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = rollouts.with_name("set")
    assert main(["export", *words, "--input", str(rollouts), "--output", str(output)]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in rollouts.parent.iterdir()) == ["rollouts.jsonl"]


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "sft", "--input", str(tmp_path / "no.jsonl"), "--output", str(tmp_path / "set")]) == 2
    assert "no.jsonl cannot be read" in capsys.readouterr().err
