"""Rewards that compare the rollouts of one task, and shaped ones: made anew over finished files, raw ones kept."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.collection.group import task_groups
from palestra.conformance.check import check
from palestra.core.discovery import find
from tests.conftest import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "shortest_right"
REPLIES = ["Answer: {0}", "Let me see. Answer: {0}", "Let me add them up. Answer: {0}", "Answer: 1"]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    """Four replies to each of the example's tasks, in no order."""
    tasks = lines_of(EXAMPLE / "tasks.jsonl")
    rows = [{**task, "id": 10 * number + which} for number, task in enumerate(tasks) for which in range(4)]
    scripts = [
        {"task": 10 * number + which, "replies": [reply.format(task["expected_answer"])]}
        for number, task in enumerate(tasks)
        for which, reply in enumerate(REPLIES)
    ]
    output = tmp_path / "each.jsonl"
    words = ["collect", str(EXAMPLE), "--input", str(write(tmp_path / "rows.jsonl", rows)), "--output", str(output)]
    assert main([*words, "--model", f"scripted:{write(tmp_path / 'script.jsonl', scripts)}"]) == 0
    lines = lines_of(output)
    for line in lines:
        # As if the four had been collected as repeats of one row.
        line["_ng_task_index"], line["_ng_rollout_index"] = divmod(line["_ng_task_index"], 4)
        line["palestra"].pop("crc32")
    random.Random(3).shuffle(lines)
    return write(tmp_path / "rollouts.jsonl", lines)


def test_the_example_of_the_documentation_keeps_every_rule() -> None:
    report = check(find(str(EXAMPLE)))
    assert report.passed, report.to_json()


def test_groups_are_compared_and_raw_rewards_kept(
    rollouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grouped.jsonl"
    words = ["verify", "--group", str(rollouts), "--env", str(EXAMPLE), "--output", str(output), "--json"]
    capsys.readouterr()
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"tasks": 5, "rollouts": 20, "changed": 10, "failed": []}
    lines = lines_of(output)
    by_task: dict[int, list[tuple[int, float, float]]] = {}
    for line in lines:
        found = (line["_ng_rollout_index"], line["raw_reward"], line["reward"])
        by_task.setdefault(line["_ng_task_index"], []).append(found)
    expected = [(0, 1.0, 1.0), (1, 1.0, 2 / 3), (2, 1.0, 1 / 3), (3, 0.0, 0.0)]
    assert {task: sorted(found) for task, found in by_task.items()} == dict.fromkeys(range(5), expected)
    again = tmp_path / "again.jsonl"
    assert main(["verify", "--group", str(output), "--env", str(EXAMPLE), "--output", str(again)]) == 0
    assert [line["reward"] for line in lines_of(again)] == [line["reward"] for line in lines]


def test_one_task_at_a_time_is_in_memory_whatever_the_order(rollouts: Path) -> None:
    groups = task_groups(rollouts)
    first = next(groups)
    assert len(first) == 4
    assert len({stored.line["_ng_task_index"] for stored in [*first]}) == 1
    assert [len(group) for group in groups] == [4, 4, 4, 4]


def test_an_environment_without_group_rewards_fails_by_task_and_gives_no_zero(
    rollouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    brief = EXAMPLE.parent / "brief_answer"
    capsys.readouterr()
    lines = [{**line, "palestra": {**line["palestra"], "task": {"country": "Peru", "expected_answer": "Lima"}}}
             for line in lines_of(rollouts)]  # fmt: skip
    write(rollouts, lines)
    words = ["verify", "--group", str(rollouts), "--env", str(brief), "--output", str(output), "--json"]
    assert main(words) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["tasks"], told["rollouts"], len(told["failed"])) == (5, 0, 5)
    assert "has no verify_group()" in told["failed"][0]["reason"]
    assert output.read_text() == ""


@pytest.mark.parametrize(
    "words", [["--group"], ["--group", "--recorded", "--output", "x"], ["--group", "--second", "m"]]
)
def test_what_makes_no_sense_together_is_refused(rollouts: Path, words: list[str]) -> None:
    assert main(["verify", str(rollouts), "--env", str(EXAMPLE), *words]) == 2


def test_shaped_rewards_stand_beside_the_raw_ones(
    rollouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "shaped.jsonl"
    capsys.readouterr()
    words = ["shape", str(rollouts), "--step", "group", "--step", "clip=-1,1", "--output", str(output), "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["steps"]) == (20, ["group", "clip=-1,1"])
    assert told["raw"] == {"mean": 0.75, "min": 0.0, "max": 1.0}
    before, after = lines_of(rollouts), lines_of(output)
    assert [line["raw_reward"] for line in after] == [line["reward"] for line in before]
    assert [line["_ng_task_index"] for line in after] == [line["_ng_task_index"] for line in before]
    assert {line["palestra"]["shaping"] == ["group", "clip=-1,1"] for line in after} == {True}
    # Three of four are right: each deviates by a third of what the wrong one does, which the clip cuts off.
    shaped = {(line["raw_reward"], round(line["reward"], 6)) for line in after}
    assert shaped == {(1.0, 0.57735), (0.0, -1.0)}
    assert main(["fsck", str(output)]) == 0
    assert main(["shape", str(output), "--step", "group", "--output", str(tmp_path / "twice.jsonl")]) == 2
    assert "shaped already" in capsys.readouterr().err


def test_components_of_a_shaped_reward_are_plain_fields(tmp_path: Path) -> None:
    brief = EXAMPLE.parent / "brief_answer"
    script = write(tmp_path / "script.jsonl", [{"task": "*", "replies": ["Rome."]}])
    output, shaped = tmp_path / "out.jsonl", tmp_path / "shaped.jsonl"
    assert main(["collect", str(brief), "--model", f"scripted:{script}", "--output", str(output)]) == 0
    assert main(["shape", str(output), "--step", "scale=2,-1", "--output", str(shaped)]) == 0
    for raw, line in zip(lines_of(output), lines_of(shaped), strict=True):
        assert line["reward"] == 2 * raw["reward"] - 1
        assert line["correctness"] == raw["correctness"]
        assert "components" in raw["palestra"]
        assert "components" not in line["palestra"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--step", "norm"], "group_centre"),
        (["--step", "clip=1,0"], "lowest < highest"),
        (["--step", "scale=1e308"], "finite"),
    ],
)
def test_steps_that_cannot_be_are_told(
    rollouts: Path, tmp_path: Path, words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of(rollouts)
    write(rollouts, [{**line, "reward": 100.0} for line in lines])
    output = tmp_path / "shaped.jsonl"
    assert main(["shape", str(rollouts), *words, "--output", str(output)]) == 2
    assert hint in capsys.readouterr().err
    assert not output.exists()
