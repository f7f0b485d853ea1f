"""Runs with a judge, end to end: collected, resumed, judged again, and what a judge that is out does to them."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.core.discovery import find
from tests.collection.workspace import lines_of, timeless

NAME = "equivalence_llm_judge"
HONEST = find(NAME).folder / "roles" / "judge.jsonl"


def script(path: Path, *entries: Any) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return f"scripted:{path}"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    listed = [{"question": f"Which is number {n}?", "expected_answer": f"it is {n}", "id": str(n)} for n in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in listed))
    return path


@pytest.fixture
def policy(tmp_path: Path) -> str:
    answers = [{"task": str(n), "replies": [f"<final_answer>it is {n % 8}</final_answer>"]} for n in range(12)]
    return script(tmp_path / "policy.jsonl", *answers)


def collect(output: Path, rows: Path, policy: str, judge: str, *words: str) -> int:
    given = ["--input", str(rows), "--model", policy, "--role", f"judge={judge}", "--output", str(output)]
    return main(["collect", NAME, *given, *words])


def without_latency(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in deepcopy(timeless(line)).items() if name != "judge_latency_s"}
    for evaluation in kept["judge_evaluations"]:
        evaluation.pop("latency_s")
        evaluation["response"].pop("created_at")
    return kept


def by_task(path: Path) -> list[dict[str, Any]]:
    return sorted(lines_of(path), key=lambda line: line["_ng_task_index"])


def test_a_run_is_judged_the_same_twice_and_judged_again_without_the_judge(
    tmp_path: Path, rows: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    for output in (first, second):
        assert collect(output, rows, policy, f"scripted:{HONEST}") == 0
    lines = by_task(first)
    assert [line["reward"] for line in lines] == [1.0] * 8 + [0.0] * 4
    assert [line["judge_calls"] for line in lines] == [2] * 8 + [1] * 4
    assert [*map(without_latency, lines)] == [*map(without_latency, by_task(second))]
    capsys.readouterr()
    again = tmp_path / "again.jsonl"
    assert main(["verify", str(first), "--env", NAME, "--output", str(again), "--json"]) == 0
    agreement = json.loads(capsys.readouterr().out)
    assert (agreement["n"], agreement["agree"]) == (12, 12)
    assert [line["judge_evaluations"] for line in by_task(again)] == [line["judge_evaluations"] for line in lines]
    # With a judge it is asked anew.
    strict = script(tmp_path / "strict.jsonl", {"task": "*", "rules": [{"when": "", "reply": "[[A!=B]]"}]})
    words = ["--role", f"judge={strict}", "--option", "judge_protocol=bracket", "--json"]
    assert main(["verify", str(first), "--env", NAME, *words]) == 1
    agreement = json.loads(capsys.readouterr().out)
    assert [entry["recorded"] for entry in agreement["disagree"]] == [1.0] * 8


def test_a_judge_without_verdicts_leaves_failures_and_resume_mends_them(
    tmp_path: Path, rows: Path, policy: str
) -> None:
    output = tmp_path / "out.jsonl"
    judge = tmp_path / "judge.jsonl"
    rules = json.loads(HONEST.read_text())["rules"]
    mute = [{"when": "number [0-3]\\?", "reply": "I would rather not say."}, *rules]
    assert collect(output, rows, policy, script(judge, {"task": "*", "rules": mute})) == 1
    assert [line["_ng_task_index"] for line in by_task(output)] == [*range(4, 12)]
    failures = lines_of(tmp_path / "out_failures.jsonl")
    assert len(failures) == 4
    for line in failures:
        assert "reward" not in line
        assert line["palestra"]["failure"]["boundary"] == "judge"
        assert line["palestra"]["failure"]["class"] == "judge-error"
    script(judge, {"task": "*", "rules": rules})
    assert collect(output, rows, policy, f"scripted:{judge}", "--resume") == 0
    assert [line["reward"] for line in by_task(output)] == [1.0] * 8 + [0.0] * 4


def test_a_shared_cache_asks_each_question_once(tmp_path: Path, rows: Path, policy: str) -> None:
    words = ["--option", f"judge_cache={tmp_path / 'cache'}"]
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    for output in (first, second):
        assert collect(output, rows, policy, f"scripted:{HONEST}", *words) == 0
    # Where gold and answer are the same text, the second order asks the same question.
    assert sum(line["judge_calls"] for line in lines_of(first)) == 12
    assert sum(line["judge_cache_hits"] for line in lines_of(first)) == 8
    assert sum(line["judge_calls"] for line in lines_of(second)) == 0
    assert sum(line["judge_cache_hits"] for line in lines_of(second)) == 20
    assert [line["reward"] for line in by_task(second)] == [line["reward"] for line in by_task(first)]


def test_a_run_without_its_judge_does_not_start(
    tmp_path: Path, rows: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    assert main(["collect", NAME, "--input", str(rows), "--model", policy, "--output", str(output)]) == 2
    assert "--role judge=MODEL@URL" in capsys.readouterr().err
    assert not output.exists()
    wanted = ["--option", 'judge_roles=["judge","judge_2"]']
    assert collect(output, rows, policy, f"scripted:{HONEST}", *wanted) == 2
    assert "'judge_2'" in capsys.readouterr().err


def test_a_replayed_model_cannot_be_the_judge(
    tmp_path: Path, rows: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.jsonl").write_text("")
    assert collect(tmp_path / "out.jsonl", rows, policy, f"replay:{tmp_path / 'old.jsonl'}") == 2
    assert "cannot be the judge" in capsys.readouterr().err


@pytest.mark.parametrize("protocol", ["json", "bracket"])
def test_stored_evaluations_are_heeded_as_far_as_they_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], protocol: str
) -> None:
    """A rollout of another producer, judged in one order only."""
    reply = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "So it is.\n\n[[A=B]]"}],
    }
    line = {
        "responses_create_params": {"input": [{"role": "user", "content": "Which?"}]},
        "response": {"output": [{**reply, "content": [{"type": "output_text", "text": "This one."}]}]},
        "expected_answer": "this one",
        "reward": 1.0,
        "judge_evaluations": [{"responses_create_params": {"input": []}, "response": {"output": [reply]}}],
    }
    ambiguous = json.loads(json.dumps(line).replace("So it is.", "[[A!=B]] is out."))
    nothing = {**line, "judge_evaluations": None}
    path = tmp_path / "stored.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in (line, ambiguous, nothing)))
    assert main(["verify", str(path), "--env", NAME, "--option", f"judge_protocol={protocol}", "--json"]) == 1
    agreement = json.loads(capsys.readouterr().out)
    assert (agreement["agree"], agreement["disagree"]) == (1, [])
    assert [(entry["row"], entry["class"]) for entry in agreement["failed"]] == [(1, "judge-error"), (2, "judge-error")]


def test_a_second_judge_is_compared_with_the_stored_replies_of_the_first(
    tmp_path: Path, rows: Path, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "rollouts.jsonl"
    assert collect(output, rows, policy, f"scripted:{HONEST}") == 0
    rules = [{"when": "<gold_(\\w+)>", "reply": '{"verdict_\\1": "different"}'}]
    stern = script(tmp_path / "stern.jsonl", {"task": "*", "rules": rules})
    capsys.readouterr()
    words = ["verify", str(output), "--env", NAME, "--second", NAME, "--role", f"other={stern}", "--json"]
    assert main([*words, "--option", 'second.judge_roles=["other"]']) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == {"first": {}, "second": {}}
    assert report["table"] == {"both_full": 0, "only_first": 8, "only_second": 0, "neither": 4}
