"""`palestra judge calibrate` as a user runs it."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main

ITALY = {"question": "What is the capital of Italy?", "expected_answer": "Rome"}
LONG = "Milan, which is a large city in the north of the country and not small at all"
ROWS = [
    {**ITALY, "answer": "Rome", "label": 1},
    {**ITALY, "answer": "the city of Rome", "label": 1},
    {**ITALY, "answer": "Milan", "label": 0},
    {**ITALY, "answer": LONG, "label": 0},
    {**ITALY, "answer": "<b>Turin</b>", "label": 0},
]


def rule(when: str, verdict: str) -> dict[str, str]:
    return {"when": when, "reply": verdict}


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def judge_of(folder: Path, *rules: dict[str, str]) -> str:
    return f"scripted:{lines(folder / 'judge.jsonl', [{'task': '*', 'rules': list(rules)}])}"


def calibrated(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["judge", "calibrate", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_judge_with_every_fault_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = str(lines(tmp_path / "labels.jsonl", ROWS))
    judge = judge_of(
        tmp_path,
        rule(r"CANDIDATE:\nRome$|CANDIDATE:\nMilan, which|GOLD:\nMilan, which", "[[A=B]]"),
        # Only in one order: a fault of position.
        rule(r"CANDIDATE:\nthe city of Rome$", "[[A=B]]"),
        rule(r"GOLD:\nRome\n\nCANDIDATE:\n<b>Turin", "both [[A=B]] and [[A!=B]]"),
        rule("", "[[A!=B]]"),
    )
    words = [labels, "--role", f"judge={judge}", "--option", "judge_protocol=bracket"]
    code, report = calibrated(capsys, *words, "--option", "judge_max_tries=1")
    assert code == 0
    assert (report["n"], report["judged"], report["failures"]) == (5, 4, {"judge-error": 1})
    assert "[[A=B]]" in report["first_failure"]
    # Rome passes in both orders. The rule for "Rome" as the candidate also fits the swapped order of every answer.
    assert report["confusion"] == {"true_pass": 2, "false_pass": 1, "true_fail": 1, "false_fail": 0}
    assert report["agreement"]["value"] == 0.75
    assert report["kappa"]["value"] == pytest.approx(0.5)
    # Milan: different with gold first, equal with the answer first.
    assert report["position_bias"]["changed"]["value"] == 0.25
    assert report["position_bias"]["equal_gold_first_minus_answer_first"]["value"] == -0.25
    length = report["length_bias"]
    assert length["false_pass_rate_of_shorter_half"]["value"] == 0.0
    assert length["false_pass_rate_of_longer_half"]["value"] == 1.0
    assert length["correlation_of_log_length_and_error"]["value"] > 0.5
    curve = report["calibration"]["curve"]
    assert [(entry["mean_score"], entry["n"]) for entry in curve] == [(0.5, 1), (1.0, 3)]
    assert report["cost"]["calls_per_1000"] == 2000


def test_the_page_needs_no_other_file_and_holds_the_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, page = str(lines(tmp_path / "labels.jsonl", ROWS)), tmp_path / "page.html"
    judge = judge_of(tmp_path, rule("<b>Turin", "<script>alert(1)</script>"), rule("", "[[A!=B]]"))
    words = [labels, "--model", judge, "--option", "judge_protocol=bracket", "--page", str(page)]
    _, report = calibrated(capsys, *words, "--input-price", "2", "--output-price", "8")
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text
    assert "0.500" in text
    assert report["agreement"]["value"] == 0.5
    assert report["cost"]["price_per_1000"] == 0.0
    open_tags: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag != "meta":
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert open_tags == []


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = str(lines(tmp_path / "labels.jsonl", ROWS[:3]))
    assert main(["judge", "calibrate", labels, "--model", judge_of(tmp_path, rule("", "[[A=B]]")), "--option",
                 "judge_protocol=bracket"]) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert "Cohen's kappa" in printed
    assert "false pass rate" in printed


def test_a_judge_without_any_verdict_is_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = str(lines(tmp_path / "labels.jsonl", ROWS))
    code, report = calibrated(capsys, labels, "--model", judge_of(tmp_path, rule("", "I cannot say")))
    assert code == 1
    assert (report["judged"], report["failures"]) == (0, {"judge-error": 5})
    assert report["agreement"]["value"] is None


def test_votes_give_a_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = str(lines(tmp_path / "labels.jsonl", ROWS[:4]))
    honest, naive = tmp_path / "honest", tmp_path / "naive"
    honest.mkdir()
    naive.mkdir()
    strict = judge_of(honest, rule(r"(?s)Milan", "[[A!=B]]"), rule("", "[[A=B]]"))
    lax = judge_of(naive, rule("", "[[A=B]]"))
    roles = ["--model", strict, "--role", f"judge_2={lax}", "--option", 'judge_roles=["judge","judge_2"]']
    _, report = calibrated(capsys, labels, *roles, "--option", "judge_protocol=bracket")
    curve = report["calibration"]["curve"]
    assert [(entry["mean_score"], entry["n"], entry["right"]) for entry in curve] == [(0.5, 2, 0.0), (1.0, 2, 1.0)]
    assert report["confusion"]["false_pass"] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["calibrte", "{labels}"], "Did you mean 'calibrate'"),
        (["calibrate", "{labels}", "--env", "mcqa"], "mcqa has no judge"),
        (["calibrate", "{labels}", "--env", "library_judge_math"], "has no judge"),
        (["calibrate", "{labels}", "--input-price", "1"], "one price alone"),
        (["calibrate", "{bad}"], "label"),
        (["calibrate", "{empty}"], "holds no label"),
        (["calibrate", "/nowhere/labels.jsonl"], "/nowhere/labels.jsonl"),
        (["calibrate", "{labels}", "--option", 'judge_roles=["judge","judge_2"]'], "'judge_2'"),
        (["calibrate", "{labels}", "--role-option", "judge.max_tries=0"], "max_tries"),
        (["calibrate", "{labels}", "--role-option", "jugde.max_tries=1"], "Did you mean 'judge'"),
        (["calibrate", "{labels}", "--role-option", "judge.secret=1"], "api_key_env"),
        (["calibrate", "{labels}", "--role-option", "judge"], "ROLE.KEY=VALUE"),
    ],
)
def test_mistakes_are_told_before_any_judge_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    names = {
        "labels": lines(tmp_path / "labels.jsonl", ROWS),
        "bad": lines(tmp_path / "bad.jsonl", [{**ROWS[0], "label": 2}]),
        "empty": lines(tmp_path / "empty.jsonl", []),
    }
    assert main(["judge", *(word if word.startswith("judge_roles") else word.format(**names) for word in words)]) == 2
    assert told in capsys.readouterr().err
