"""mcqa against recorded rollouts, and what its cases cannot show."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from tests.environments.judging import judge_in, say

QUESTION = {"question": "What is drawn?", "options": [{"A": "Circle"}, {"B": "Square"}], "expected_answer": "B"}


judge = partial(judge_in, "mcqa")


@pytest.mark.parametrize("name", ["recorded.jsonl", "recorded_with_template_metadata.jsonl"])
def test_recorded_rollouts_keep_their_reward(shared: Path, name: str) -> None:
    changed: list[str] = []
    for line in (shared / "data" / "nemo_gym" / "mcqa" / name).read_text().splitlines():
        entry = json.loads(line)
        recorded = entry["recorded"]
        verdict = judge(entry["row"], recorded["response"]["output"])
        assert verdict.metrics["expected_answer"] == recorded["expected_answer"]
        if (verdict.reward, verdict.metrics["extracted_answer"]) != (recorded["reward"], recorded["extracted_answer"]):
            changed.append(f"{entry['source_row']}: {recorded['reward']} -> {verdict.reward}")
    # The reply boxed its letter together with the text of the choice, which was not read when it was recorded.
    assert changed == (["1: 0.0 -> 1.0"] if name == "recorded.jsonl" else [])


def test_a_regex_that_runs_away_is_a_failure_and_no_reward() -> None:
    row = {**QUESTION, "template_metadata": {"output_regex": r"(a+)+\1b$"}}
    with pytest.raises(Failure) as caught:
        judge(row, say("a" * 60), regex_deadline_s=0.3)
    assert (caught.value.boundary, caught.value.code) == ("verifier", "verifier-timeout")


def test_twenty_thousand_boxes_are_judged() -> None:
    assert judge(QUESTION, say("\\boxed{A} " * 20_000 + "\\boxed{B}")).reward == 1.0
    assert judge(QUESTION, say("\\boxed{B} " * 20_000 + "\\boxed{A}")).reward == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"options": "A B"},
        {"options": [["A", "Circle"]]},
        {"expected_answer": None},
        {"grading_mode": "generous"},
        {"template_metadata": {"output_regex": 7}},
        {"template_metadata": {"output_regex": ["(B)", None]}},
        {"question": ""},
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        judge({**QUESTION, **wrong}, say("\\boxed{B}"))
    assert caught.value.boundary == "environment"


@pytest.mark.parametrize("mode", ["strict_single_letter_boxed", "lenient_boxed", "lenient_answer_colon"])
def test_the_prompt_asks_for_what_the_grading_mode_reads(mode: str) -> None:
    async def prompt() -> str:
        source = find("mcqa")
        host = LocalHost(source, source.options({"grading_mode": mode}), GradingPool(1))
        session = await host.open(QUESTION, seed=0)
        return session.prompt[0]["content"]

    assert ("Answer:" in asyncio.run(prompt())) is (mode == "lenient_answer_colon")


def test_messages_are_read_as_one_text() -> None:
    two = [*say("It is \\boxed{"), *say("B}")]
    assert judge(QUESTION, two).reward == 1.0
    assert judge(QUESTION, [*say("\\boxed{A}"), *say("\\boxed{B}")]).metrics["extracted_answer"] == "B"
