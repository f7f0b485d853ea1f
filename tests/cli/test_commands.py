"""The commands as a user types them: what they print, where, and with which exit code."""

import io
import json
import sys
from pathlib import Path

import pytest

from palestra.cli.main import VERBS, main

SCRIPT = '{"task": "*", "replies": ["\\\\boxed{B}"]}\n'
ROWS = [
    {"id": 1, "question": "2 + 2?", "options": [{"A": "3"}, {"B": "4"}], "expected_answer": "B"},
    {"id": 2, "question": "2 + 3?", "options": [{"A": "5"}, {"B": "4"}], "expected_answer": "A"},
]


@pytest.fixture
def run_files(tmp_path: Path) -> Path:
    (tmp_path / "script.jsonl").write_text(SCRIPT)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def collect_words(folder: Path, *more: str) -> list[str]:
    return [
        "collect", "mcqa", "--input", str(folder / "rows.jsonl"), "--model", f"scripted:{folder / 'script.jsonl'}",
        "--output", str(folder / "out.jsonl"), *more,
    ]  # fmt: skip


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_command_ends_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    example = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert example.strip().startswith(f"palestra {verb}")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["colect"], "'collect'"),
        (["collect", "mcqq", "--model", "embedded", "--output", "x.jsonl"], "'mcqa'"),
        (["collect", "mcqa", "--model", "embeded", "--output", "x.jsonl"], "'embedded'"),
        (["collect", "mcqa", "--model", "scripted:none.jsonl", "--output", "x.jsonl"], "none.jsonl"),
        (["collect", "mcqa", "--modle", "embedded", "--model", "embedded", "--output", "x.jsonl"], "'--model'"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--option", "grading_mod=1"], "_mode'"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--option", "grading_mode=1"], "got '1'"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--temperature", "hot"], "temperature"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--temperature", "mcq=1"], "'mcqa'"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--repeats", "0"], "repeats"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--endpoint-patience-s", "0"], "patience_s"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--agent", "tool_lop"], "'tool_loop'"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--role", "judge"], "ROLE=MODEL@URL"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--split", "exampel"], "'example'"),
        (["collect", "mcqa", "--model", "embedded", "--output", "x.jsonl", "--input", "no.jsonl"], "no.jsonl"),
        (["show", "mqca"], "'mcqa'"),
        (["check", "./nowhere/"], "nowhere"),
        (["verify", "nothing.jsonl", "--env", "mcqa"], "nothing.jsonl"),
        (["stats", "nothing.jsonl"], "nothing.jsonl"),
        (["new", "Bad-Name"], "Bad-Name"),
        (["new", "mcqa"], "mcqa"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_do_and_leaves_nothing(
    words: list[str], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert hint in captured.err
    assert "what to do:" in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 0]


def test_list_as_json_has_what_scripts_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert {"name", "domain", "reward", "tasks", "reverify"} <= set(entries["mcqa"])
    assert entries["mcqa"]["reverify"] == "transcript"
    assert "example_simple_weather" in entries


def test_collect_stats_show_and_verify_work_on_the_same_file(
    run_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(collect_words(run_files, "--repeats", "2", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["judged"], report["failures"], report["exit_code"]) == (4, {}, 0)
    output = str(run_files / "out.jsonl")
    assert main(["stats", output, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)[0]["agent_metrics"]
    assert (metrics["mean/reward"], metrics["pass@2/accuracy"]) == (0.5, 50.0)
    assert main(["show", output, "--task", "1"]) == 0
    assert "\\boxed{B}" in capsys.readouterr().out
    assert main(["verify", output, "--env", "mcqa", "--json"]) == 0
    agreement = json.loads(capsys.readouterr().out)
    assert agreement == {"n": 4, "agree": 4, "disagree": [], "failed": [], "unsupported": 0}


def test_verify_names_rows_that_disagree_and_writes_the_new_verdicts(
    run_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(collect_words(run_files))
    lines = [json.loads(line) for line in (run_files / "out.jsonl").read_text().splitlines()]
    lines[0]["reward"] = 1 - lines[0]["reward"]
    changed = run_files / "changed.jsonl"
    changed.write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    output = run_files / "again.jsonl"
    assert main(["verify", str(changed), "--env", "mcqa", "--output", str(output), "--json"]) == 1
    agreement = json.loads(capsys.readouterr().out)
    assert (agreement["n"], agreement["agree"]) == (2, 1)
    assert {"row", "recorded", "ours", "reason"} == set(agreement["disagree"][0])
    again = [json.loads(line)["reward"] for line in output.read_text().splitlines()]
    assert again == [json.loads(line)["reward"] for line in (run_files / "out.jsonl").read_text().splitlines()]


def test_an_existing_output_is_refused_continued_or_forked(run_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(collect_words(run_files)) == 0
    before = (run_files / "out.jsonl").read_bytes()
    assert main(collect_words(run_files)) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(collect_words(run_files, "--resume")) == 0
    assert (run_files / "out.jsonl").read_bytes() == before
    assert main(collect_words(run_files, "--fork", "--temperature", "0.5")) == 0
    assert (run_files / "out.jsonl").read_bytes() == before
    assert len((run_files / "out_fork2.jsonl").read_bytes().splitlines()) == 2


def test_too_many_failures_give_exit_code_1(run_files: Path) -> None:
    with (run_files / "rows.jsonl").open("a") as file:
        file.write("not json\n")
    assert main(collect_words(run_files)) == 1
    assert main(collect_words(run_files, "--fork", "--max-failure-rate", "0.5")) == 0


def test_show_prints_options_prompt_and_tools(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "example_session_state_mgmt", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {tool["name"] for tool in shown["tools"]} == {"increment_counter", "get_counter_value"}
    assert main(["show", "mcqa"]) == 0
    assert "grading_mode" in capsys.readouterr().out


def test_a_person_can_play(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('/get_weather {"city": "Rome"}\n\nIt is cold.\n\n'))
    assert main(["play", "example_single_tool_call"]) == 0
    text = capsys.readouterr().out
    assert "The weather in Rome is cold." in text
    assert "reward 1" in text


def test_playing_ends_with_the_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["play", "mcqa"]) == 0
    assert "reward 0" in capsys.readouterr().out


def test_doctor_names_every_extra(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json"])
    names = {finding["name"] for finding in json.loads(capsys.readouterr().out)}
    assert {
        "extra embedded",
        "extra instructions",
        "extra math",
        "extra reasoning",
        "embedded weights",
        "disk",
    } <= names


def test_stats_of_what_holds_no_rollout_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('[1, 2]\n"text"\n')
    assert main(["stats", str(path)]) == 1
    told = capsys.readouterr()
    assert "line 1 was skipped: it is not laid out as a rollout" in told.err
    assert f"there is no rollout in {path}" in told.err


def test_stats_does_not_count_a_file_twice(run_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(collect_words(run_files)) == 0
    out = str(run_files / "out.jsonl")
    assert main(["stats", out, out]) == 2
    assert "is named twice" in capsys.readouterr().err
