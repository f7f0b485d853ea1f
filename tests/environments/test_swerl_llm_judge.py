"""swerl_llm_judge: recorded rewards, bugs whose patches are run, readings of replies, and collection."""

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.task import content_hash
from palestra.environments.swerl_llm_judge.bugs import Bug, bugs
from palestra.environments.swerl_llm_judge.env import leniently_named, strictly_named
from palestra.environments.swerl_llm_judge.generation import patch, patched, write_row
from tests.environments.judging import assert_recorded_rewards, judge_in, say

NAME = "swerl_llm_judge"


def mends(bug: Bug, line: str) -> bool:
    names: dict[str, Any] = {}
    try:
        exec(patched(bug, line), names)
        return all(eval(check, names) for check in bug.checks)
    except (LookupError, TypeError, ValueError):
        return False


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.path)
def test_the_right_patch_mends_the_bug_and_no_other_does(bug: Bug) -> None:
    assert bug.code.count(bug.line) == 1
    assert not mends(bug, bug.line)
    assert mends(bug, bug.right)
    assert [mends(bug, line) for line in bug.wrong] == [False] * 3
    assert len({bug.line, bug.right, *bug.wrong}) == 5


@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_generated_tasks_pay_the_mending_patch_alone(difficulty: int) -> None:
    source = find(NAME)
    rows = list(source.load().generate(3, 100, source.options({"difficulty": difficulty})))
    found: set[str] = set()
    for number, row in enumerate(rows):
        bug = next(bug for bug in bugs() if bug.report == row["report"])
        options = {letter: text for option in row["options"] for letter, text in option.items()}
        assert len(options) == len(set(options.values())) == difficulty + 1
        assert options[row["expected_answer"]] == patch(bug, bug.right)
        found.add(row["expected_answer"])
        if number < 3:
            for letter in options:
                verdict = judge_in(NAME, row, say(f"<solution>{letter}</solution>"))
                assert verdict.reward == float(letter == row["expected_answer"])
    assert found == set("ABCD"[: difficulty + 1])


def test_a_patch_says_what_it_changes() -> None:
    row = write_row(Random("1"), 1)
    text = next(iter(row["options"][0].values()))
    lines = text.splitlines()
    assert lines[0].startswith("--- a/")
    assert lines[1].startswith("+++ b/")
    assert [line[0] for line in lines if line[:1] in "+-"][2:] in (["-", "+"], ["-", "+", "+"], ["-", "-", "+"])


def test_the_recorded_rewards_come_out_again(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_recorded_rewards(shared / "data" / "nemo_gym" / NAME / "recorded.jsonl", NAME, capsys)


def test_the_originals_rows_are_taken_as_they_are(shared: Path) -> None:
    for line in (shared / "data" / "nemo_gym" / NAME / "example.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert judge_in(NAME, row, say(f"<solution>[{row['expected_answer'].lower()}]</solution>")).reward == 1.0
        assert judge_in(NAME, row, say("<solution>Z</solution>")).reward == 0.0


@pytest.mark.parametrize("expected", ["D", "", [], ["x", "AB"]])
def test_a_row_without_a_right_option_is_refused(expected: Any) -> None:
    row = {"report": "x", "options": [{"A": "1"}, {"B": "2"}], "expected_answer": expected}
    with pytest.raises(Failure) as caught:
        judge_in(NAME, row, say("<solution>A</solution>"))
    assert caught.value.code == "task-invalid"


def test_several_right_letters_are_told_as_they_are() -> None:
    row = {"report": "x", "options": [{"A": "1"}, {"B": "2"}, {"C": "3"}], "expected_answer": ["a", "C", "z"]}
    assert judge_in(NAME, row, say("<solution>c</solution>")).metrics == {
        "expected_answer": ["A", "C"],
        "extracted_answer": "C",
    }
    assert judge_in(NAME, row, say("<solution>b</solution>")).reward == 0.0


@given(st.text(), st.text(st.sampled_from("<>/solution[] \nABab")), st.sampled_from("ABab"))
def test_reading_finds_the_letter_that_was_put_and_breaks_on_nothing(before: str, noise: str, letter: str) -> None:
    letters = frozenset("AB")
    put = f"{before}{noise}\n<solution>{letter}</solution>"
    assert strictly_named(put)[-1] == letter.upper()
    assert leniently_named(put, letters) == [letter.upper()]
    assert set(strictly_named(before + noise)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_a_long_reply_is_read_soon() -> None:
    row = {"report": "x", "options": [{"A": "1"}, {"B": "2"}], "expected_answer": "A"}
    for mode in ("strict", "lenient"):
        began = time.process_time()
        reply = "<solution>" * 100_000 + " " * 100_000 + "</solution>" * 50_000
        assert judge_in(NAME, {**row, "grading_mode": mode}, say(reply)).reward == 0.0
        assert time.process_time() - began < 2


def test_scripted_right_letters_are_collected_with_full_reward(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (find(NAME).folder / "tasks.jsonl").read_text().splitlines()]
    script, output = tmp_path / "script.jsonl", tmp_path / "out.jsonl"
    with script.open("w") as file:
        for row in rows:
            replies = [f"The others miss a case. <solution>{row['expected_answer']}</solution>"]
            file.write(json.dumps({"task": content_hash(row), "replies": replies}) + "\n")
    assert main(["collect", NAME, "--model", f"scripted:{script}", "--output", str(output)]) == 0
    got = [json.loads(line)["reward"] for line in output.read_text().splitlines()]
    assert got == [1.0] * len(rows)
