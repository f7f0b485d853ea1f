"""The example environments and guess_number: recorded rollouts, generators, and the sums of step rewards."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.conformance.cases import play
from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.core.transcript import Transcript, split_turns
from palestra.core.verdict import Verdict
from palestra.environments.example_multi_step.env import MultiStep, value_of
from palestra.environments.example_multi_step.vocabulary import VOCABULARY
from palestra.environments.example_session_state_mgmt.env import SessionState
from palestra.environments.guess_number.env import GuessNumber
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost


def recorded_entries(shared: Path, name: str) -> list[dict[str, Any]]:
    path = shared / "data" / "nemo_gym" / name / "recorded.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def host_of(name: str) -> LocalHost:
    source = find(name)
    return LocalHost(source, source.options({}), GradingPool(1))


async def judge_again(name: str, row: dict[str, Any], output: Sequence[dict[str, Any]]) -> Verdict:
    """Judge stored items, after their calls were run again if the environment asks for that."""
    session = await host_of(name).open(row, seed=0)
    rewards: list[float] = []
    if find(name).manifest.reverify == "replay_calls":
        for written, _ in split_turns(output):
            step = await session.step(written)
            rewards += [] if step.reward is None else [step.reward]
    return await session.verify(Transcript(tuple(session.prompt), tuple(output), tuple(rewards)))


def played(name: str, row: dict[str, Any], replies: Sequence[Any]) -> tuple[Transcript, Verdict]:
    return asyncio.run(play(host_of(name), row, replies))


@pytest.mark.parametrize("name", ["example_single_tool_call", "example_multi_step", "example_session_state_mgmt"])
def test_recorded_rollouts_keep_their_reward(shared: Path, name: str) -> None:
    for entry in recorded_entries(shared, name):
        recorded = entry["recorded"]
        verdict = asyncio.run(judge_again(name, entry["row"], recorded["response"]["output"]))
        assert verdict.reward == recorded["reward"]
        for field in verdict.metrics.keys() & recorded.keys():
            assert verdict.metrics[field] == recorded[field], field


@pytest.mark.parametrize("name", ["example_single_tool_call", "example_multi_step", "example_session_state_mgmt"])
def test_tools_answer_recorded_calls_as_they_were_answered(shared: Path, name: str) -> None:
    async def compare(entry: dict[str, Any]) -> None:
        session = await host_of(name).open(entry["row"], seed=0)
        for written, came_back in split_turns(entry["recorded"]["response"]["output"]):
            step = await session.step(written)
            ours = [json.loads(item["output"]) for item in step.items]
            # Only the spaces of the JSON differ between builds.
            assert ours == [json.loads(item["output"]) for item in came_back]

    for entry in recorded_entries(shared, name):
        asyncio.run(compare(entry))


def test_a_multi_step_row_without_expected_values_is_refused() -> None:
    row = {**next(MultiStep.generate(0, 1, MultiStep.Options())), "expected_synonym_values": []}
    with pytest.raises(Failure) as caught:
        played("example_multi_step", row, ["done"])
    assert caught.value.code == "task-invalid"


def test_the_metrics_of_a_multi_step_verdict_say_what_went_wrong() -> None:
    row = next(MultiStep.generate(0, 1, MultiStep.Options()))
    values = row["expected_synonym_values"]

    def metrics(handed_in: list[int]) -> dict[str, Any]:
        call = {
            "type": "function_call",
            "name": "extract_synonym_values",
            "arguments": json.dumps({"synonym_values": handed_in}),
        }
        return dict(played("example_multi_step", row, [[call], "done"])[1].metrics)

    assert metrics(values) == {
        "parsed_synonym_values": values,
        "accuracy": True,
        "set_overlap": 1.0,
        "original_term_minefield_hit": False,
        "order_instruction_following_failure": False,
    }
    swapped = metrics(values[::-1])
    assert (swapped["order_instruction_following_failure"], swapped["set_overlap"]) == (True, 1.0)
    trapped = metrics([row["minefield_label_value"]])
    assert (trapped["original_term_minefield_hit"], trapped["set_overlap"]) == (True, 0.0)


@given(st.integers(0, 10**6), st.integers(1, len(VOCABULARY)))
def test_generated_synonym_tasks_are_sound(seed: int, terms: int) -> None:
    (row,) = MultiStep.generate(seed, 1, MultiStep.Options(terms=terms))
    of_term = [synonym for term, synonym in row["synonyms"] if term == row["minefield_label"]]
    assert row["expected_synonyms"] == of_term
    assert row["expected_synonym_values"] == [sum(map(ord, synonym)) for synonym in of_term]
    assert row["minefield_label_value"] == sum(map(ord, row["minefield_label"]))
    assert row["minefield_label_value"] not in row["expected_synonym_values"]
    assert len(row["synonyms"]) == len(set(map(tuple, row["synonyms"])))


def test_every_synonym_belongs_to_one_term_and_has_a_value_of_its_own() -> None:
    synonyms = [synonym for entry in VOCABULARY.values() for synonym in entry.synonyms]
    assert len(VOCABULARY) >= 40
    assert len(synonyms) == len(set(synonyms))
    assert not set(synonyms) & set(VOCABULARY)
    for term, entry in VOCABULARY.items():
        assert len(entry.synonyms) >= 2
        assert len({value_of(word) for word in (term, *entry.synonyms)}) == 1 + len(entry.synonyms)


@given(st.integers(0, 10**6), st.integers(1, 50), st.integers(1, 1000))
def test_generated_counter_tasks_are_never_solved_by_doing_nothing(seed: int, changes: int, largest: int) -> None:
    for row in SessionState.generate(seed, 3, SessionState.Options(changes=changes, largest=largest)):
        assert row["expected_count"] > row["initial_count"] >= 0


def test_episodes_do_not_share_their_counter() -> None:
    async def interleave() -> tuple[float, float]:
        host = host_of("example_session_state_mgmt")
        first = await host.open({"question": "?", "initial_count": 0, "expected_count": 2}, seed=0)
        second = await host.open({"question": "?", "initial_count": 4, "expected_count": 7}, seed=0)
        for session, count in ((first, 2), (second, 3)):
            call = {"type": "function_call", "name": "increment_counter", "arguments": json.dumps({"count": count})}
            await session.step([call])
        nothing = Transcript((), ())
        return (await first.verify(nothing)).reward, (await second.verify(nothing)).reward

    assert asyncio.run(interleave()) == (1.0, 1.0)


@settings(deadline=None)
@given(st.integers(2, 5000), st.integers(0, 10**6))
def test_halving_the_range_always_earns_exactly_one(high: int, seed: int) -> None:
    (row,) = GuessNumber.generate(seed, 1, GuessNumber.Options(high=high))
    lowest, highest, said = 1, high, []
    while not said or said[-1] != row["secret"]:
        said.append((lowest + highest) // 2)
        lowest, highest = (said[-1] + 1, highest) if said[-1] < row["secret"] else (lowest, said[-1] - 1)
    transcript, verdict = played("guess_number", row, [str(guess) for guess in said])
    assert verdict.reward == 1.0
    assert verdict.metrics == {"found": True, "guesses": len(said)}
    assert len(transcript.step_rewards) == len(said)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(-5, 25).map(str), st.text(max_size=10)), min_size=1, max_size=12))
def test_any_play_earns_its_range_and_the_same_when_it_is_judged_again(replies: list[str]) -> None:
    row = {"low": 1, "high": 20, "secret": 13, "max_guesses": 6}
    transcript, verdict = played("guess_number", row, replies)
    assert all(reward >= 0 for reward in transcript.step_rewards)
    assert verdict.reward == 1.0 if verdict.metrics["found"] else 0.0 <= verdict.reward <= 0.5
    assert asyncio.run(judge_again("guess_number", row, transcript.output)) == verdict


@pytest.mark.parametrize(
    "wrong", [{"secret": 0}, {"secret": 101}, {"max_guesses": 0}, {"low": 3, "high": 3, "secret": 3}]
)
def test_an_impossible_game_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Failure) as caught:
        played("guess_number", {"low": 1, "high": 100, "secret": 7, "max_guesses": 7, **wrong}, ["7"])
    assert caught.value.code == "task-invalid"


def test_the_environment_speaks_between_guesses_and_ends_the_episode_itself() -> None:
    row = {"low": 1, "high": 16, "secret": 11, "max_guesses": 3}
    transcript, _ = played("guess_number", row, ["8", "Hm.", "12", "never said"])
    spoken = [item["content"] for item in transcript.output if item.get("role") == "user"]
    assert spoken == [
        "Higher. You have 2 guesses left.",
        "I found no guess: the last line must hold exactly one whole number. You have 1 guess left.",
    ]
    assert transcript.reply == "12"
