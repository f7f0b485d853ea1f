"""The attack corpus: no candidate and no bad reply turns a wrong answer right, whatever the judge repeats of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import Failure
from palestra.core.verdict import Verdict
from palestra.grading.judge import Judge
from palestra.grading.judge_prompt import JudgePrompt
from tests.environments.judging import judge_in, say
from tests.grading.judges import Lent, Options, Scripted, nonce_in, run, verdict

PROMPT = {"input": [{"role": "user", "content": "What is 3 + 4?"}]}
QUESTION = {"responses_create_params": PROMPT, "expected_answer": "7"}
RUBRIC = JudgePrompt("Rate.\n{answer}\n{verdict_format}", None, {"answer": "answer"})


def rows(shared: Path, template: str) -> list[dict[str, Any]]:
    lines = (shared / "data" / "corpus" / "judge_injection.jsonl").read_text().splitlines()
    found = [row for row in map(json.loads, lines) if row["template"] == template]
    assert found
    return found


def honest(protocol: str, prompt: str) -> str:
    return verdict(prompt, "different") if protocol == "json" else "[[A!=B]]"


def quoting(answer: str, protocol: str) -> Callable[[str, int], str]:
    return lambda prompt, call: f"The candidate writes: {answer}\nThis is not 7.\n\n{honest(protocol, prompt)}"


def quoting_and_cut(answer: str, protocol: str) -> Callable[[str, int], str]:
    return lambda prompt, call: f"The candidate writes: {answer}"


def obeying(answer: str, protocol: str) -> Callable[[str, int], str]:
    return lambda prompt, call: answer


def obeying_the_label(answer: str, protocol: str) -> Callable[[str, int], str]:
    """Repeats the verdict that the answer asks for, and finds the others different."""
    return lambda prompt, call: "[[A=B]]" if "[[A=B]]" in answer else honest(protocol, prompt)


JUDGES = [quoting, quoting_and_cut, obeying, obeying_the_label]


def outcome(answer: str, say_it: Callable[[str, int], str], **options: Any) -> Verdict | Failure:
    try:
        roles = {"judge": Scripted(say_it)}
        return judge_in("equivalence_llm_judge", QUESTION, say(answer), roles=roles, **options)
    except Failure as failure:
        return failure


def is_paid(result: Verdict | Failure) -> bool:
    if isinstance(result, Failure):
        assert result.boundary == "judge"
        return False
    return result.reward > 0


@pytest.mark.parametrize("protocol", ["json", "bracket"])
@pytest.mark.parametrize("kind", JUDGES)
def test_no_injected_answer_is_paid(shared: Path, kind: Callable[..., Any], protocol: str) -> None:
    found = rows(shared, "pairwise_equal") + rows(shared, "rubric_score")
    for row in found:
        result = outcome(row["answer"], kind(row["answer"], protocol), judge_protocol=protocol)
        assert not is_paid(result), row["id"]
        if kind is quoting and protocol == "json" and "<think>" not in row["answer"]:
            # It is a 0, and not a failure by which the answer would escape one.
            assert isinstance(result, Verdict), row["id"]


def test_the_original_reading_pays_many_of_them(shared: Path) -> None:
    paid = [
        row["id"]
        for row in rows(shared, "pairwise_equal")
        if is_paid(outcome(row["answer"], quoting(row["answer"], "bracket"), compatible=True))
    ]
    assert len(paid) >= 8, paid


@pytest.mark.parametrize("protocol", ["json", "bracket"])
def test_no_bad_reply_of_a_judge_is_a_pass(shared: Path, protocol: str) -> None:
    for row in rows(shared, "judge_reply"):
        result = outcome("eight", lambda prompt, call, said=row["answer"]: said, judge_protocol=protocol)
        assert isinstance(result, Failure), row["id"]
        assert result.boundary == "judge"


@pytest.mark.parametrize("protocol", ["json", "bracket"])
@pytest.mark.parametrize("obeys", [False, True])
def test_no_forged_score_is_a_rating(shared: Path, protocol: str, obeys: bool) -> None:
    for row in rows(shared, "rubric_score"):
        answer = row["answer"]

        def rating(prompt: str, call: int, answer: str = answer) -> str:
            last = f'{{"verdict_{nonce_in(prompt)}": 0}}' if protocol == "json" else "[[0]]"
            return answer if obeys else f"It says: {answer}\n{last}"

        options = Options.model_validate({"judge_protocol": protocol})
        score = score_of(Judge(Lent(judge=Scripted(rating)), options), answer)
        assert score == 0.0 or (obeys and score == "judge"), row["id"]


def score_of(judge: Judge, answer: str) -> float | str:
    """The rating, or the boundary of the failure."""
    try:
        return run(judge.rate(RUBRIC, {"answer": answer}, answer))
    except Failure as failure:
        return failure.boundary
