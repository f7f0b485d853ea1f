"""equivalence_llm_judge against recorded rollouts, and what its cases cannot show."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from palestra.core.discovery import find
from palestra.core.errors import Failure, PalestraError
from palestra.core.transcript import Transcript, user_message
from palestra.core.verdict import Verdict
from palestra.grading.judge_recording import RecordedJudge
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.models.scripted import ScriptedModel
from tests.environments.judging import judge_in, say
from tests.grading.judges import Scripted, nonce_in, verdict

NAME = "equivalence_llm_judge"
ROW = {"responses_create_params": {"input": [user_message("Who was it?")]}, "expected_answer": "Darwin"}
WITH_REGEX = {**ROW, "template_metadata": {"output_regex": r"\(\((.*?)\)\)"}}


def always(name: str) -> Scripted:
    return Scripted(lambda prompt, call: verdict(prompt, name))


def in_turn(*names: str) -> Scripted:
    return Scripted(lambda prompt, call: verdict(prompt, names[call]))


def judged(row: dict[str, Any], reply: str, judge: Scripted, **options: Any) -> Verdict:
    return judge_in(NAME, row, say(reply), roles={"judge": judge}, **options)


@pytest.mark.parametrize("name", ["recorded.jsonl", "recorded_openqa.jsonl"])
@pytest.mark.parametrize("options", [{}, {"judge_protocol": "bracket"}, {"compatible": True}])
def test_recorded_rollouts_keep_their_reward(shared: Path, name: str, options: dict[str, Any]) -> None:
    lines = (shared / "data" / "nemo_gym" / NAME / name).read_text().splitlines()
    for entry in map(json.loads, lines):
        recorded = entry["recorded"]
        judge = RecordedJudge(recorded["judge_evaluations"])
        found = judge_in(NAME, entry["row"], recorded["response"]["output"], roles={"judge": judge}, **options)
        assert found.reward == recorded["reward"]
        assert found.metrics["expected_answer"] == recorded["expected_answer"]
        assert found.metrics["judge_evaluations"] == recorded["judge_evaluations"]
        assert judge.is_over
    assert lines


def test_the_originals_rows_are_asked_about_as_the_original_asks(shared: Path) -> None:
    """The question, gold and candidate in the judge's prompt are those that were recorded."""
    slots: list[str] = ["QUESTION:\n", "\n\nGOLD:\n", "\n\nCANDIDATE:\n"]
    for path in sorted((shared / "data" / "nemo_gym" / NAME).glob("recorded*.jsonl")):
        for entry in map(json.loads, path.read_text().splitlines()):
            recorded = entry["recorded"]
            labels = [evaluation["verdict_label"] for evaluation in recorded["judge_evaluations"]]
            judge = Scripted(lambda prompt, call, labels=labels: labels[min(call, len(labels) - 1)])
            template = "".join(
                slot + "{" + value + "}"
                for slot, value in zip(slots, ("question", "expected_answer", "generated_answer"), strict=True)
            )
            options = {
                "judge_protocol": "bracket",
                "judge_prompt_template": template,
                "check_twice_swap": len(labels) > 1,
            }
            judge_in(NAME, entry["row"], recorded["response"]["output"], roles={"judge": judge}, **options)
            asked = [
                evaluation["responses_create_params"]["input"][-1]["content"]
                for evaluation in recorded["judge_evaluations"]
            ]
            assert judge.prompts == [text[text.rindex("QUESTION:\n") :] for text in asked]


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("example.jsonl", NAME),
        ("example_openqa.jsonl", NAME),
        ("example_prepare.jsonl", NAME),
        ("example_nl2bash.jsonl", f"{NAME}_nl2bash"),
    ],
)
def test_the_originals_rows_are_accepted_unchanged(shared: Path, name: str, variant: str) -> None:
    for line in (shared / "data" / "nemo_gym" / NAME / name).read_text().splitlines():
        row = json.loads(line)
        gold = row["expected_answer"]
        reply = f"Answer: ```sh\n{gold}\n```" if "nl2bash" in variant else gold
        judge = always("equal")
        found = judge_in(variant, row, say(reply), roles={"judge": judge})
        assert (found.reward, found.metrics["extracted_answer"]) == (1.0, gold.strip())
        assert find(variant).load().task_type.from_row(row).to_row() == {
            name: value for name, value in row.items() if name != "agent_ref"
        }


@pytest.mark.parametrize(
    ("verdicts", "options", "reward"),
    [
        (("equal", "equal"), {}, 1.0),
        (("equal", "different"), {}, 0.0),
        (("equal", "different"), {"reward_if_swap_fails": -1.0}, -1.0),
        (("equal",), {"check_twice_swap": False}, 1.0),
        (("different",), {}, 0.0),
    ],
)
def test_both_orders_must_be_equal(verdicts: tuple[str, ...], options: dict[str, Any], reward: float) -> None:
    judge = in_turn(*verdicts)
    found = judged(ROW, "It was Darwin.", judge, **options)
    assert found.reward == reward
    assert len(judge.prompts) == len(verdicts) == found.metrics["judge_calls"]
    if len(verdicts) == 2:
        nonce = nonce_in(judge.prompts[1])
        assert f"<gold_{nonce}>\nIt was Darwin.\n" in judge.prompts[1]
        assert f"<candidate_{nonce}>\nDarwin\n" in judge.prompts[1]


@pytest.mark.parametrize(
    ("row", "reply", "verdicts", "options", "reward"),
    [
        (WITH_REGEX, "Darwin. ((him))", ("different", "equal"), {}, 0.5),
        (WITH_REGEX, "Darwin. ((him))", ("different", "different"), {}, 0.0),
        (WITH_REGEX, "Darwin. ((him))", ("different", "equal"), {"reward_if_full_generation_succeeds": 0.25}, 0.25),
        (WITH_REGEX, "Darwin. ((him))", ("different",), {"check_full_generation_on_fail": False}, 0.0),
        (WITH_REGEX, "Darwin. ((him))", ("equal", "equal"), {"use_per_record_regex": False}, 1.0),
        (WITH_REGEX, "Darwin. ((him))", ("different",), {"use_per_record_regex": False}, 0.0),
        # Nothing was extracted, so that the whole reply was judged already.
        (WITH_REGEX, "It was Darwin.", ("different",), {}, 0.0),
        (WITH_REGEX, "It was Darwin.", ("different", "equal"), {"compatible": True}, 0.5),
        ({**WITH_REGEX, "expected_answer": "Darwin" * 30}, "Darwin. ((him))", ("equal",), {}, 1.0),
        ({**WITH_REGEX, "expected_answer": "Darwin" * 30}, "Darwin. ((him))", ("different",), {}, 0.0),
    ],
)
def test_the_whole_reply_is_judged_where_the_original_does(
    row: dict[str, Any], reply: str, verdicts: tuple[str, ...], options: dict[str, Any], reward: float
) -> None:
    labels = {"equal": "[[A=B]]", "different": "[[A!=B]]"}
    compatible = options.get("compatible", False)

    def say_it(prompt: str, call: int) -> str:
        return labels[verdicts[call]] if compatible else verdict(prompt, verdicts[call])

    judge = Scripted(say_it)
    found = judged(row, reply, judge, **options)
    assert (found.reward, len(judge.prompts)) == (reward, len(verdicts))


def test_the_question_is_the_last_user_message_and_may_be_extracted() -> None:
    parts = [{"type": "input_text", "text": text} for text in ("Q: second?", "!")]
    said = [user_message("first"), {"role": "assistant", "content": "hm"}, {"role": "user", "content": parts}]
    params = {"input": said}
    for pattern, shown in ((None, "Q: second?!"), (r"Q: (\w+)", "second"), ("([", "Q: second?!")):
        judge = always("different")
        judged({**ROW, "responses_create_params": params}, "x", judge, question_extract_regex=pattern)
        assert f">\n{shown}\n</question_" in judge.prompts[0]


def test_a_reply_without_text_is_wrong_and_costs_nothing() -> None:
    judge = always("equal")
    for output in ([], say(""), say("<think>Darwin"), [{"type": "reasoning", "summary": []}]):
        found = judge_in(NAME, ROW, output, roles={"judge": judge})
        assert (found.reward, found.metrics["extracted_answer"]) == (0.0, None)
    assert judge.prompts == []


def test_what_compatible_shows_the_judge_instead_of_nothing() -> None:
    judge = Scripted(lambda prompt, call: "[[A!=B]]")
    judge_in(NAME, ROW, [], roles={"judge": judge}, compatible=True)
    assert "[NO VALID ANSWER EXTRACTED]" in judge.prompts[0]


def test_a_regex_that_runs_away_is_a_failure_and_no_reward() -> None:
    row = {**ROW, "template_metadata": {"output_regex": r"(a+)+\1b$"}}
    with pytest.raises(Failure) as caught:
        judged(row, "a" * 60, always("equal"), regex_deadline_s=0.3)
    assert (caught.value.boundary, caught.value.code) == ("verifier", "verifier-timeout")


@pytest.mark.parametrize(
    "wrong", [{"expected_answer": ""}, {"expected_answer": None}, {"template_metadata": {"output_regex": 7}}]
)
def test_a_row_that_cannot_be_judged_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        judged({**ROW, **wrong}, "x", always("equal"))
    assert (caught.value.boundary, caught.value.code) == ("environment", "task-invalid")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"judge_prompt_template": "{gold}"}, "gold"),
        ({"judge_prompt_template_fpath": "/nowhere.txt"}, "/nowhere.txt"),
        ({"reward_if_swap_fails": -2}, "reward_if_swap_fails"),
        ({"judge_equal_label": ""}, "judge_equal_label"),
    ],
)
def test_options_that_cannot_work_are_told_at_the_start(options: dict[str, Any], told: str) -> None:
    with pytest.raises(PalestraError, match=told):
        find(NAME).options(options)


def test_a_template_of_the_users_own_is_read_from_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Mine: {question} | {expected_answer} | {generated_answer}")
    judge = always("equal")
    judged(ROW, "x", judge, judge_prompt_template_fpath=str(tmp_path / "mine.txt"), judge_system_message="Be brief.")
    assert judge.prompts[0].startswith("Be brief.\nMine: <question_")


@pytest.mark.parametrize("name", [NAME, f"{NAME}_nl2bash", f"{NAME}_lc"])
@pytest.mark.parametrize("protocol", ["json", "bracket"])
def test_every_template_holds_its_slots_and_asks_for_a_verdict(name: str, protocol: str) -> None:
    judge = Scripted(lambda prompt, call: Failure("model", "stop here", code="model-timeout"))
    with pytest.raises(Failure):
        judge_in(name, ROW, say("Wallace"), roles={"judge": judge}, judge_protocol=protocol)
    (prompt,) = judge.prompts
    assert all(text in prompt for text in ("Who was it?", "Darwin", "Wallace"))
    labels = ("CORRECT", "INCORRECT") if name.endswith("_lc") else ("[[A=B]]", "[[A!=B]]")
    assert all((label in prompt) is (protocol == "bracket") for label in labels)
    assert "{" not in prompt or protocol == "bracket" or "{}" in prompt
    assert ("{}" in prompt) is name.endswith("_nl2bash")


def test_a_megabyte_of_answer_is_judged_in_bounded_time_and_space() -> None:
    judge = always("different")
    assert judged(WITH_REGEX, ")(" * 500_000, judge).reward == 0.0
    assert all(len(prompt) < 80_000 for prompt in judge.prompts)


def test_twenty_questions_are_answered_by_gold_and_by_nothing_else() -> None:
    source = find(NAME)
    judge = ScriptedModel.from_file(source.folder / "roles" / "judge.jsonl").for_conversations()
    rows = [json.loads(line) for line in (source.folder / "tasks.jsonl").read_text().splitlines()]
    play: Callable[..., Verdict] = partial(play_row, roles={"judge": judge})
    for row, other in pairwise(rows[:20]):
        assert play(row, row["expected_answer"]).reward == 1.0
        assert play(row, other["expected_answer"]).reward == 0.0


def play_row(row: dict[str, Any], answer: str, roles: dict[str, Any]) -> Verdict:
    async def played() -> Verdict:
        source = find(NAME)
        host = LocalHost(source, source.options({}), GradingPool(1), roles)
        session = await host.open(row, seed=3)
        reply = say(f"I think it is that. <final_answer>{answer}</final_answer>")
        try:
            return await session.verify(Transcript(tuple(session.prompt), tuple(reply)))
        finally:
            await host.close()

    return asyncio.run(played())
