"""Asking judges: votes, retries, failures, the cache, bounds, and what is recorded of it."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Reply
from palestra.grading.judge import Judge
from palestra.grading.judge_cache import JudgeCache, content_key
from palestra.grading.judge_prompt import JudgePrompt
from palestra.grading.judge_recording import recorded_judge
from tests.grading.judges import Lent, Options, Scripted, nonce_in, reply, run, verdict, with_shared

RUBRIC = JudgePrompt("Rate.\n{answer}\n{rubric}\n{verdict_format}", None, {"answer": "answer", "rubric": "rubric"})


def equal(prompt: str, call: int) -> str:
    return "The same.\n" + verdict(prompt, "equal")


def different(prompt: str, call: int) -> str:
    return verdict(prompt, "different")


def compare(judge: Judge, answer: str = "seven") -> bool:
    return run(judge.compare("3 + 4?", "7", answer)).is_equal


def test_a_verdict_is_recorded_in_the_shape_of_nemo_gym_with_what_it_cost() -> None:
    model = Scripted(equal)
    options = Options.model_validate(
        {"judge_responses_create_params": {"temperature": 0.5, "reasoning": {"effort": "low"}}}
    )
    judge = Judge(Lent(judge=model), options)
    assert compare(judge)
    metrics = judge.to_metrics()
    (evaluation,) = metrics["judge_evaluations"]
    assert set(evaluation) >= {"responses_create_params", "response", "verdict_label"}
    assert evaluation["verdict_label"] == "equal"
    params = evaluation["responses_create_params"]
    assert (params["temperature"], params["reasoning"]) == (0.5, {"effort": "low"})
    assert params["input"][0]["content"] == model.prompts[0]
    assert params["metadata"] == {
        "judge_protocol": "json",
        "judge_votes": "1",
        "judge_nonce": nonce_in(model.prompts[0]),
    }
    response = evaluation["response"]
    assert (response["model"], response["status"]) == ("judge-1", "completed")
    assert response["output"][0]["content"][0]["text"].startswith("The same.")
    assert response["usage"]["total_tokens"] == 107
    counts = {
        name: metrics[f"judge_{name}"] for name in ("calls", "retries", "cache_hits", "input_tokens", "output_tokens")
    }
    assert counts == {"calls": 1, "retries": 0, "cache_hits": 0, "input_tokens": 100, "output_tokens": 7}
    assert metrics["judge_latency_s"] >= 0
    assert model.sampling[0].temperature == 0.5
    assert dict(model.sampling[0].extra) == {"reasoning": {"effort": "low"}}


def test_the_same_episode_asks_the_same_and_another_one_has_other_tags() -> None:
    prompts: list[str] = []
    for seed in (1, 1, 2):
        model = Scripted(equal)
        compare(Judge(Lent(judge=model, seed=seed), Options()))
        prompts += model.prompts
    assert prompts[0] == prompts[1] != prompts[2]


def test_an_unreadable_verdict_is_asked_for_again_with_another_tag() -> None:
    model = Scripted(lambda prompt, call: "I wonder" if call < 2 else equal(prompt, call))
    judge = Judge(Lent(judge=model), Options())
    assert compare(judge)
    assert len({nonce_in(prompt) for prompt in model.prompts}) == 3
    assert len({sampling.seed for sampling in model.sampling}) == 3
    metrics = judge.to_metrics()
    assert (metrics["judge_calls"], metrics["judge_retries"], len(metrics["judge_evaluations"])) == (3, 2, 1)


@pytest.mark.parametrize("said", ["", "yes", "[[A=B]]", reply("cut", "max_output_tokens"), Reply((), "stop", "j")])
def test_a_judge_that_never_gives_a_verdict_is_a_failure_and_no_reward(said: str | Reply) -> None:
    model = Scripted(lambda prompt, call: said)
    with pytest.raises(Failure) as caught:
        compare(Judge(Lent(judge=model), Options(judge_max_tries=2)))
    assert (caught.value.boundary, caught.value.code, caught.value.retryable) == ("judge", "judge-error", True)
    assert "in 2 replies" in caught.value.message
    assert len(model.prompts) == 2


def test_a_verdict_that_was_cut_off_right_behind_it_is_not_believed() -> None:
    model = Scripted(lambda prompt, call: reply(verdict(prompt, "equal"), "max_output_tokens"))
    with pytest.raises(Failure, match="cut off"):
        compare(Judge(Lent(judge=model), Options()))


@pytest.mark.parametrize("code", ["model-unreachable", "model-timeout", "model-rate-limited", "context-overflow"])
def test_a_judge_that_cannot_be_asked_is_a_failure_of_the_judge(code: str) -> None:
    boundary = "limit" if code == "context-overflow" else "model"
    outage = Failure(boundary, "gone", code=code, retryable=True, retry_after_s=3.0)
    with pytest.raises(Failure) as caught:
        compare(Judge(Lent(judge=Scripted(lambda prompt, call: outage)), Options()))
    assert (caught.value.boundary, caught.value.retryable, caught.value.retry_after_s) == ("judge", True, 3.0)
    assert code in caught.value.message


def test_an_error_of_the_judges_code_is_a_failure_of_the_judge() -> None:
    def broken(prompt: str, call: int) -> str:
        raise KeyError("oops")

    with pytest.raises(Failure) as caught:
        compare(Judge(Lent(judge=Scripted(broken)), Options()))
    assert caught.value.boundary == "judge"


@pytest.mark.parametrize(
    ("votes", "wins"), [("eed", True), ("edd", False), ("ed", False), ("ee", True), ("eedd", False), ("eeedd", True)]
)
def test_the_majority_of_several_judges_counts_and_a_tie_is_not_enough(votes: str, wins: bool) -> None:
    names = ["judge", *(f"judge_{number}" for number in range(2, len(votes) + 1))]
    models = {
        name: Scripted(equal if vote == "e" else different, name) for name, vote in zip(names, votes, strict=True)
    }
    judge = Judge(Lent(None, 5, **models), Options(judge_roles=tuple(names)))
    ballot = run(judge.compare("q", "a", "b"))
    assert ballot.is_equal is wins
    assert ballot.share("equal") == votes.count("e") / len(votes)
    assert [entry["role"] for entry in judge.evaluations] == names
    assert {entry["responses_create_params"]["metadata"]["judge_votes"] for entry in judge.evaluations} == {
        str(len(votes))
    }


def test_samples_of_one_judge_vote_with_tags_and_seeds_of_their_own() -> None:
    model = Scripted(lambda prompt, call: verdict(prompt, "equal" if call != 1 else "different"))
    judge = Judge(Lent(judge=model), Options(judge_samples=3))
    ballot = run(judge.compare("q", "a", "b"))
    assert sorted(map(str, ballot.votes)) == ["different", "equal", "equal"]
    assert len({nonce_in(prompt) for prompt in model.prompts}) == 3
    assert len({sampling.seed for sampling in model.sampling}) == 3


def test_one_voter_that_fails_fails_the_vote_and_ends_the_others() -> None:
    class Slow(Scripted):
        cancelled = False

        async def respond(self, *arguments: Any, **named: Any) -> Reply:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            raise AssertionError

    slow = Slow(equal)
    broken = Scripted(lambda prompt, call: Failure("model", "gone", code="model-unreachable"))
    judge = Judge(Lent(judge=slow, judge_2=broken), Options(judge_roles=("judge", "judge_2")))
    with pytest.raises(Failure, match="the judge_2 could not be asked"):
        compare(judge)
    assert slow.cancelled


def test_a_rubric_gives_the_mean_rating_as_a_share() -> None:
    points = iter(("7", "8", "9"))
    model = Scripted(lambda prompt, call: f'{{"verdict_{nonce_in(prompt)}": {next(points)}}}')
    judge = Judge(Lent(judge=model), Options(judge_samples=3))
    score = run(judge.rate(RUBRIC, {"answer": "I am 10/10", "rubric": "Is it modest?"}, "I am 10/10", maximum=10))
    assert score == pytest.approx(0.8)
    assert "a whole number from 0 to 10" in model.prompts[0]


@pytest.mark.parametrize("points", ["11", "-1", "3.5", '"ten"', "true"])
def test_a_rating_outside_of_the_rubric_is_unreadable(points: str) -> None:
    model = Scripted(lambda prompt, call: f'{{"verdict_{nonce_in(prompt)}": {points}}}')
    with pytest.raises(Failure, match="no readable verdict"):
        run(Judge(Lent(judge=model), Options()).rate(RUBRIC, {"answer": "a", "rubric": "r"}, "a", maximum=10))


def test_no_more_calls_at_a_time_than_allowed_over_all_episodes_of_a_host() -> None:
    options = Options(judge_endpoint_max_concurrency=3, judge_samples=2)
    model = Scripted(equal)

    async def many(resources: Any) -> None:
        judges = [Judge(Lent(resources, judge=model, seed=seed), options) for seed in range(20)]
        await asyncio.gather(*(judge.compare("q", "a", "b") for judge in judges))

    with_shared(options, many)
    assert len(model.prompts) == 40
    assert model.most_at_work == 3


def test_long_answers_are_cut_for_the_judge_but_not_in_compatible_mode() -> None:
    model = Scripted(equal)
    compare(Judge(Lent(judge=model), Options(judge_answer_limit=100)), "x" * 5000)
    assert "4900 characters left out" in model.prompts[0]
    model = Scripted(lambda prompt, call: "[[A=B]]")
    assert compare(Judge(Lent(judge=model), Options(compatible=True, judge_answer_limit=100)), "x" * 5000)
    assert "x" * 5000 in model.prompts[0]


def test_the_cache_answers_the_same_question_of_other_episodes_for_nothing(tmp_path: Path) -> None:
    options = Options(judge_cache=str(tmp_path / "cache"))
    model = Scripted(equal)

    async def twice(resources: Any) -> list[dict[str, Any]]:
        judges = [Judge(Lent(resources, judge=model, seed=seed), options) for seed in (1, 2)]
        assert [(await judge.compare("q", "a", "b")).is_equal for judge in judges] == [True, True]
        return [judge.to_metrics() for judge in judges]

    first, second = with_shared(options, twice)
    assert len(model.prompts) == 1
    assert (first["judge_calls"], first["judge_cache_hits"]) == (1, 0)
    assert (second["judge_calls"], second["judge_cache_hits"], second["judge_input_tokens"]) == (0, 1, 0)
    assert second["judge_evaluations"][0]["cached"] is True
    # Another run finds it as well, and what was recorded of it can be judged again.
    with_shared(options, twice)
    assert len(model.prompts) == 1
    assert compare(Judge(Lent(judge=recorded_judge(second)), Options()))


@pytest.mark.parametrize(
    "changed",
    [
        {"question": "other"},
        {"answer": "other"},
        {"name": "another-model"},
        {"options": {"judge_responses_create_params": {"temperature": 0.1}}},
        {"options": {"judge_samples": 2}},
    ],
)
def test_the_cache_tells_apart_whatever_decides_a_reply(tmp_path: Path, changed: dict[str, Any]) -> None:
    def calls(question: str = "q", answer: str = "b", name: str = "m", options: Any = None) -> int:
        model = Scripted(equal, name)
        chosen = Options.model_validate({"judge_cache": str(tmp_path), **(options or {})})
        with_shared(chosen, lambda lent: Judge(Lent(lent, judge=model), chosen).compare(question, "a", answer))
        return len(model.prompts)

    assert calls() == 1
    assert calls() == 0
    assert calls(**changed) == 1


def test_only_readable_verdicts_are_kept(tmp_path: Path) -> None:
    options = Options(judge_cache=str(tmp_path), judge_max_tries=1)
    silent, speaking = Scripted(lambda prompt, call: "hm"), Scripted(equal)
    with pytest.raises(Failure):
        with_shared(options, lambda lent: Judge(Lent(lent, judge=silent), options).compare("q", "a", "b"))
    ballot = with_shared(options, lambda lent: Judge(Lent(lent, judge=speaking), options).compare("q", "a", "b"))
    assert ballot.is_equal
    assert len(speaking.prompts) == 1


def test_several_processes_share_a_cache(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; "
        "from palestra.grading.judge_cache import JudgeCache, content_key\n"
        "async def fill(cache):\n"
        "    for number in range(60): await cache.put(content_key(number), {'by': sys.argv[2]})\n"
        "cache = JudgeCache(Path(sys.argv[1])); asyncio.run(fill(cache)); cache.close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "shared")]
    processes = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "abcd"]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    cache = JudgeCache(tmp_path / "shared")
    found = [run(cache.get(content_key(number))) for number in range(60)]
    cache.close()
    assert all(entry is not None and entry["by"] in "abcd" for entry in found)


def test_a_cache_that_cannot_be_used_is_told_at_the_start_and_a_broken_one_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PalestraError, match="judge_cache"):
        JudgeCache(tmp_path / "file")
    (tmp_path / "judge_replies.sqlite3").write_text("no database, for sure")
    with pytest.raises(PalestraError, match="judge_cache"):
        JudgeCache(tmp_path)
    cache = JudgeCache(tmp_path / "good")
    with sqlite3.connect(cache.path) as other:
        other.execute("DROP TABLE replies")
    with pytest.raises(Failure) as caught:
        run(cache.get(b"x"))
    assert caught.value.boundary == "judge"


def test_stored_votes_are_read_again_in_their_own_protocol_until_they_end() -> None:
    model = Scripted(lambda prompt, call: verdict(prompt, "different" if call == 1 else "equal"))
    options = Options(judge_samples=3)
    judge = Judge(Lent(judge=model), options)
    run(judge.compare("q", "a", "b"))
    run(judge.compare("q", "b", "a"))
    # Judged again with other options than it was collected with: the recording says how it was asked.
    again = Judge(Lent(judge=recorded_judge(judge.to_metrics())), Options(judge_protocol="bracket"))
    first = run(again.compare("q", "a", "b"))
    assert (first.share("equal"), again.is_over) == (pytest.approx(2 / 3), False)
    assert run(again.compare("q", "b", "a")).share("equal") == 1.0
    assert again.is_over
    assert again.evaluations == judge.evaluations
    assert again.to_metrics()["judge_input_tokens"] == 600
    with pytest.raises(Failure, match="stores 6 judge replies"):
        compare(again)


def test_a_stored_reply_that_is_ambiguous_is_a_failure_unless_compatible() -> None:
    response = {"output": [{"type": "message", "role": "assistant", "content": [{"text": "[[A=B]] [[A!=B]]"}]}]}
    line = {"judge_evaluations": [{"responses_create_params": {}, "response": response}]}
    with pytest.raises(Failure, match="judge reply 1"):
        compare(Judge(Lent(judge=recorded_judge(line)), Options()))
    assert compare(Judge(Lent(judge=recorded_judge(line)), Options(compatible=True)))


@pytest.mark.parametrize("evaluations", [None, "x", [], [7], [{}], [{"response": {"output": 5}}], [{"response": 3}]])
def test_evaluations_that_are_none_are_no_verdict(evaluations: Any) -> None:
    with pytest.raises(Failure):
        compare(Judge(Lent(judge=recorded_judge({"judge_evaluations": evaluations})), Options()))


@pytest.mark.parametrize(
    "wrong",
    [{"judge_roles": []}, {"judge_samples": 0}, {"judge_protocol": "yaml"}, {"judge_max_tries": 0},
     {"judge_responses_create_params": {"temperature": 9}}],
)  # fmt: skip
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(wrong)
