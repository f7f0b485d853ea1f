"""`palestra verify --second`: a table, estimates and the rows where two verifiers disagree."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.collection.second import CELLS, estimate, kappa

REPLIES = ["\\boxed{A}", "Answer: A", "\\boxed{B}", "no idea"]
OPTIONS = [{"A": "5"}, {"B": "4"}]


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    """Four rollouts of one question, whose right answer is A."""
    row = {"id": 1, "question": "2 + 3?", "options": OPTIONS, "expected_answer": "A"}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({**row, "id": number}) + "\n" for number in range(4)))
    scripts = [{"task": number, "replies": [reply]} for number, reply in enumerate(REPLIES)]
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(script) + "\n" for script in scripts))
    output = tmp_path / "out.jsonl"
    words = ["collect", "mcqa", "--input", str(tmp_path / "rows.jsonl"), "--concurrency", "1"]
    assert main([*words, "--model", f"scripted:{tmp_path / 'script.jsonl'}", "--output", str(output)]) == 0
    return output


def compared(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    capsys.readouterr()
    code = main(["verify", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_two_ways_of_reading_are_compared(rollouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (str(rollouts), "--env", "mcqa", "--second", "mcqa", "--option", "second.grading_mode=lenient_answer_colon")
    code, told = compared(capsys, *words)
    assert code == 1
    assert told["table"] == {"both_full": 0, "only_first": 1, "only_second": 1, "neither": 2}
    assert (told["n"], told["judged_by_both"], told["agree"], told["disagree"]) == (4, 4, 2, 2)
    assert told["estimated_false_negatives"]["rollouts"] == 1
    assert [(row["row"], row["first"], row["second"], row["reply"]) for row in told["rows"]] == [
        (0, 1.0, 0.0, REPLIES[0]),
        (1, 0.0, 1.0, REPLIES[1]),
    ]
    assert told["rows"][1]["first_reason"] == "no choice could be read from the reply"
    assert main(["verify", *words]) == 1
    assert "false negatives of mcqa" in capsys.readouterr().out


def test_a_verifier_agrees_with_itself_and_the_environment_is_found(
    rollouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = compared(capsys, str(rollouts), "--second", "mcqa")
    assert (code, told["agree"], told["disagree"], told["kappa"]) == (0, 4, 0, 1.0)


def test_rows_that_the_second_cannot_judge_are_counted_as_failed(
    rollouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = compared(capsys, str(rollouts), "--env", "mcqa", "--second", "guess_number")
    assert (code, told["judged_by_both"]) == (1, 0)
    assert told["failed"] == {"first": {}, "second": {"task-invalid": 4}}
    assert told["mean_reward"] == {"first": None, "second": None}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--second", "mcqq"], "'mcqa'"),
        (["--second", "mcqa", "--output", "x.jsonl"], "--output"),
        (["--option", "second.grading_mode=lenient_boxed"], "--second"),
        (["--second", "mcqa", "--option", "second.mode=1"], "grading_mode"),
    ],
)
def test_a_mistake_is_told(rollouts: Path, words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(rollouts), "--env", "mcqa", *words]) == 2
    assert hint in capsys.readouterr().err


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_estimate_lies_in_its_interval(missed: int, found: int) -> None:
    told = estimate(missed, found)
    if missed + found == 0:
        assert told["rate"] is None
    else:
        low, high = told["interval"]
        assert 0 <= low <= told["rate"] + 1e-12
        assert told["rate"] - 1e-12 <= high <= 1


def test_kappa_as_in_a_worked_example() -> None:
    # 20 + 15 of 50 agree: observed 0.7, by chance (25 * 30 + 25 * 20) / 2500 = 0.5.
    table: dict[str, int] = dict(zip(CELLS, (20, 5, 10, 15), strict=True))
    assert math.isclose(kappa(table) or 0, 0.4)
    assert kappa(dict.fromkeys(CELLS, 0)) is None
    assert kappa({**dict.fromkeys(CELLS, 0), "both_full": 9}) is None


def test_one_form_taken_for_the_other_is_told(
    rollouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(rollouts), "--env", "mcqa", "--recorded"]) == 2
    assert "Leave out --recorded." in capsys.readouterr().err
    rollout = json.loads(rollouts.read_text().splitlines()[0])
    (tmp_path / "recorded.jsonl").write_text(json.dumps({"row": {}, "recorded": rollout}) + "\n")
    assert main(["verify", str(tmp_path / "recorded.jsonl"), "--env", "mcqa"]) == 2
    assert "Add --recorded." in capsys.readouterr().err
