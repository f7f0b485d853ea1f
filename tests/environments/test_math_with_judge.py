"""math_with_judge: the library first, then a judge in two orders. What the library says: test_library_judge_math."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("math_verify", reason="needs the extra math")

from palestra.core.errors import Failure
from palestra.core.verdict import Verdict
from palestra.grading.judge_recording import RecordedJudge
from tests.environments.judging import judge_in, say
from tests.grading.judges import Scripted, nonce_in, verdict

ROW = {"question": "What is 3 + 4?", "expected_answer": "7"}
WORDS = {"question": "Describe them.", "expected_answer": "all n of the form 3k+1"}


def in_turn(*names: str) -> Scripted:
    return Scripted(lambda prompt, call: verdict(prompt, names[call]))


def judged(row: dict[str, Any], reply: str, judge: Any, **options: Any) -> Verdict:
    return judge_in("math_with_judge", row, say(reply), roles={"judge": judge}, **options)


@pytest.mark.parametrize("compatible", [False, True])
def test_recorded_rollouts_keep_their_reward(shared: Path, compatible: bool) -> None:
    lines = (shared / "data" / "nemo_gym" / "math_with_judge" / "recorded.jsonl").read_text().splitlines()
    assert lines
    asked = 0
    for entry in map(json.loads, lines):
        recorded = entry["recorded"]
        evaluations = recorded.get("judge_evaluations") or []
        roles = {"judge": RecordedJudge(evaluations)}
        # The sequence x_2016 has answers of a thousand digits, for which math-verify's own comparison takes long.
        options = {"compatible": compatible, "deadline_s": 60.0}
        found = judge_in("math_with_judge", entry["row"], recorded["response"]["output"], roles=roles, **options)
        names = ("expected_answer", "library_reward", "extracted_answer", "judge_evaluations")
        assert (found.reward, *(found.metrics[name] for name in names)) == (
            recorded["reward"], *(recorded.get(name) for name in names),
        )  # fmt: skip
        asked += len(evaluations)
    assert asked == 1


def test_a_rollout_that_stores_no_evaluation_keeps_the_librarys_verdict() -> None:
    found = judged(ROW, r"\boxed{8}", RecordedJudge([]))
    assert (found.reward, found.metrics["judge_evaluations"]) == (0.0, None)


@pytest.mark.parametrize(
    ("verdicts", "reward"), [(("equal", "equal"), 1.0), (("equal", "different"), 0.0), (("different",), 0.0)]
)
def test_a_judge_is_asked_in_both_orders(verdicts: tuple[str, ...], reward: float) -> None:
    judge = in_turn(*verdicts)
    found = judged(WORDS, r"\boxed{\text{one more than a multiple of three}}", judge)
    assert (found.reward, found.metrics["library_reward"], found.metrics["judge_calls"]) == (reward, 0.0, len(verdicts))
    first = nonce_in(judge.prompts[0])
    assert f"<answer_a_{first}>\n{WORDS['expected_answer']}\n" in judge.prompts[0]
    assert f"<answer_b_{first}>\n\\text{{one more than a multiple of three}}\n" in judge.prompts[0]
    if len(verdicts) == 2:
        assert f"<answer_b_{nonce_in(judge.prompts[1])}>\n{WORDS['expected_answer']}\n" in judge.prompts[1]


@pytest.mark.parametrize("reply", [r"\boxed{7}", "", "<think>7", r"\boxed{6} \boxed{8}"])
def test_no_judge_is_asked_where_there_is_nothing_to_ask(reply: str) -> None:
    judge = in_turn("equal", "equal")
    found = judged(ROW, reply, judge)
    assert found.reward == float(reply == r"\boxed{7}")
    assert judge.prompts == []


def test_on_doubt_only_what_the_library_cannot_decide_is_asked() -> None:
    for row, reply, asked in ((ROW, r"\boxed{8}", 0), (WORDS, r"\boxed{3k+1}", 0), (ROW, r"\boxed{\frac{7}{}", 2)):
        judge = in_turn("equal", "equal")
        judged(row, reply, judge, judge_on="doubt")
        assert len(judge.prompts) == asked, reply


def test_a_gold_answer_that_the_library_cannot_read_is_left_to_the_judge() -> None:
    row = {**ROW, "expected_answer": r"\frac{1}{"}
    assert judged(row, r"\boxed{\frac{1}{}", in_turn("equal", "equal")).reward == 1.0
    with pytest.raises(Failure, match="cannot be judged by"):
        judge_in("library_judge_math", row, say(r"\boxed{7}"))


def test_a_judge_that_is_out_is_a_failure_and_no_reward() -> None:
    outage = Scripted(lambda prompt, call: Failure("model", "gone", code="model-unreachable", retryable=True))
    with pytest.raises(Failure) as caught:
        judged(ROW, r"\boxed{8}", outage)
    assert caught.value.boundary == "judge"
    # The library's yes needs no judge.
    assert judged(ROW, r"\boxed{7}", outage).reward == 1.0
