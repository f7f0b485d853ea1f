"""Attacks on verifiers: what is sound stays quiet, and each kind of hole in one is found by its attack."""

import json
from pathlib import Path

import pytest

from palestra.cli.main import main
from palestra.conformance.adversarial import NO_GOLDS
from palestra.conformance.attacks import other_answers, shifted
from palestra.conformance.check import check, check_adversarial
from palestra.conformance.probes import hostile_replies
from palestra.core.discovery import find

SOUND = """
        lines = without_reasoning(transcript.text).strip().splitlines()
        return float(bool(lines) and lines[-1].strip() == f"Answer: {self.task.expected_answer}")
"""
HOLES = {
    "anywhere in the text": ('return float(self.task.expected_answer in transcript.text)', {"hedged", "taken_back"}),
    "also in the reasoning": (
        'return float(transcript.text.rstrip("</think>").endswith(f"Answer: {self.task.expected_answer}"))',
        {"only_in_reasoning", "only_in_open_reasoning"},
    ),
    "the first of several": (
        'found = re.findall(r"Answer: (\\w+)", without_reasoning(transcript.text))\n'
        "        return float(bool(found) and found[0] == self.task.expected_answer)",
        {"taken_back"},
    ),
    "one of several": (
        'found = re.findall(r"Answer: (.*)", without_reasoning(transcript.text))\n'
        '        return float(bool(found) and self.task.expected_answer in found[-1].split(" or "))',
        {"hedged", "hedged_other_way", "every_answer"},
    ),
    "any reply that is long": ("return float(len(transcript.text) > 1_000_000)", {"long"}),
    "what tells the grader to": ('return float("full marks" in transcript.text)', {"grader_directed"}),
    "an echo": ("return float(self.prompt() in transcript.text)", {"prompt_echo", "prompt_twice"}),
}  # fmt: skip


def environment(folder: Path, verify: str, answer: str = "slot") -> Path:
    """A folder whose verifier is this body."""
    assert main(["new", str(folder)]) == 0
    code = (folder / "env.py").read_text()
    head, _, _ = code.partition("        found = ")
    body = verify if verify.startswith("\n") else f"        {verify}\n"
    (folder / "env.py").write_text(head + body)
    manifest = (folder / "environment.toml").read_text()
    (folder / "environment.toml").write_text(manifest.replace('answer = "slot"', f'answer = "{answer}"', 1))
    return folder


def test_a_sound_verifier_has_neither_false_passes_nor_false_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = environment(tmp_path / "word_backwards", SOUND)
    capsys.readouterr()
    assert main(["check", str(folder), "--adversarial", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["false_passes"], report["false_fails"], report["failures"]) == (0, 0, 0)
    assert report["cases"] > 50
    assert (report["floor"], report["ceiling"]) == (0.0, 1.0)
    assert {"hedged", "taken_back", "every_answer_in_turn", "wrong_and_grader"} <= set(report["attacks"]["fail"])
    assert {"right", "preface", "wrong_in_reasoning"} <= set(report["attacks"]["pass"])


@pytest.mark.parametrize("hole", HOLES)
def test_each_hole_is_found_by_its_attack(hole: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify, expected = HOLES[hole]
    folder = environment(tmp_path / "word_backwards", verify)
    capsys.readouterr()
    assert main(["check", str(folder), "--adversarial", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    found = {entry["attack"] for entry in report["details"] if entry["kind"] == "false_pass"}
    assert expected <= found
    assert report["floor"] > 0


def test_a_verifier_that_refuses_right_replies_is_found(tmp_path: Path) -> None:
    whole = 'return float(transcript.text == f"Answer: {self.task.expected_answer}")'
    report = check_adversarial(find(str(environment(tmp_path / "word_backwards", whole))))
    assert {outcome.attack.name for outcome in report.false_fails} >= {"preface", "blank_around"}
    assert report.ceiling == 0.0
    strict = check_adversarial(find(str(environment(tmp_path / "strict", whole, answer="whole"))))
    assert strict.passed, strict.to_json()


def test_a_verifier_that_crashes_on_a_bomb_is_found(tmp_path: Path) -> None:
    crash = "import json\n        return float(json.loads(transcript.text) == self.task.expected_answer)"
    report = check_adversarial(find(str(environment(tmp_path / "word_backwards", crash))))
    assert {outcome.attack.name for outcome in report.failures} >= {"empty", "deep_lists"}


def test_what_may_score_full_is_declared_with_its_reason_and_nothing_else_is_excused(tmp_path: Path) -> None:
    verify, _ = HOLES["the first of several"]
    folder = environment(tmp_path / "word_backwards", verify)
    excuse = {"name": "e", "kind": "hostile", "probe": "taken_back", "expected_full": "the first answer counts"}
    with (folder / "cases.jsonl").open("a") as file:
        file.write(json.dumps(excuse) + "\n")
    report = check_adversarial(find(str(folder)))
    assert "taken_back" not in {outcome.attack.name for outcome in report.false_passes}
    assert report.means("fail")["taken_back"] == 1.0
    assert report.excused == {"taken_back": "the first answer counts"}


def with_options(folder: Path, **options: object) -> Path:
    """The folder, with these options in each case of a right reply."""
    lines = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    changed = [{**line, "options": options} if line["kind"] == "full" else line for line in lines]
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))
    return folder


def with_an_option(folder: Path) -> Path:
    code = (folder / "env.py").read_text()
    code = code.replace("from palestra import ", "import palestra\nfrom palestra import ", 1)
    head, bracket, body = code.partition("    def prompt")
    (folder / "env.py").write_text(
        f"{head}    class Options(palestra.Options):\n        level: int = 1\n\n{bracket}{body}"
    )
    return folder


def test_an_environment_without_a_right_reply_to_attack_is_not_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = with_options(with_an_option(environment(tmp_path / "word_backwards", SOUND)), level=2)
    assert not check_adversarial(find(str(folder))).passed
    assert [rule.problems for rule in check(find(str(folder))).rules if rule.problems] == [[NO_GOLDS]]
    assert main(["check", str(folder), "--adversarial"]) == 1
    assert NO_GOLDS in capsys.readouterr().out


def test_a_case_that_spells_out_the_environments_own_options_is_attacked(tmp_path: Path) -> None:
    folder = with_options(with_an_option(environment(tmp_path / "word_backwards", SOUND)), level=1)
    report = check_adversarial(find(str(folder)))
    assert report.passed
    assert report.ceiling == 1.0


def test_the_check_of_an_environment_holds_the_attacks(tmp_path: Path) -> None:
    verify, _ = HOLES["also in the reasoning"]
    report = check(find(str(environment(tmp_path / "word_backwards", verify))))
    (rule,) = [rule for rule in report.rules if rule.name.startswith("attacks")]
    assert any("only_in_reasoning" in problem for problem in rule.problems)


def test_replies_without_an_answer_cover_what_models_try() -> None:
    replies = hostile_replies(())
    assert max(map(len, replies.values())) >= 1_000_000
    assert {"empty", "prompt_echo", "format_spam", "grader_directed", "deep_objects", "unicode"} <= set(replies)


@pytest.mark.parametrize("by", range(1, 9))
def test_another_answer_is_another_answer(by: int) -> None:
    for word in ("1", "2024", "B", "x2", "Zebra", "１０"):
        assert shifted(word, by) != word
        assert not shifted(word, by).startswith("0")


def test_the_answer_is_looked_for_from_the_end_and_never_in_macros_and_tags() -> None:
    words = [answers[0].word for answers in other_answers("so \\boxed{41} <answer>7</answer> Answer: 41 km")]
    assert words == ["km", "41", "7", "41", "so"], "the label is none either"
