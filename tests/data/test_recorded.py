"""Recorded conversations and solutions as rollouts: by a mapping, exactly, and never with a reward that nobody gave."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import PalestraError
from palestra.data.adapters.convert import mapped_rows, task_rows
from palestra.data.adapters.mapping import Mapping, read_mapping
from palestra.rollout.plan import Row
from palestra.wire.chat import messages_from_items
from tests.conftest import ROOT

ASKED = {"role": "user", "content": "May I add a bag?"}
CALL = {
    "role": "assistant", "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add_bag", "arguments": '{"count": 1}'}}],
}  # fmt: skip
GIVEN = {"role": "tool", "tool_call_id": "c1", "content": "{}"}
SAID = {"role": "assistant", "content": "Done."}
CHAT = Mapping.model_validate(
    {"shape": "chat", "agent": "a", "rollout": {"reward": "reward", "task": "task_id", "model": "m"}}
)
SOLUTIONS = Mapping.model_validate(
    {"prompt": "{question}", "rollout": {"reward": "right", "response": "text", "each": ["small", "large"]}}
)


def made(mapping: Mapping, *rows: dict[str, Any]) -> list[Row]:
    return list(mapped_rows([Row(row, f"line {number}") for number, row in enumerate(rows, 1)], mapping))


def only(mapping: Mapping, row: dict[str, Any]) -> dict[str, Any]:
    (found,) = made(mapping, row)
    assert found.problem is None, found.problem
    return dict(found.content)


def test_what_comes_before_the_models_first_words_was_asked() -> None:
    messages = [{"role": "system", "content": "Be kind."}, ASKED, CALL, GIVEN, SAID, ASKED, SAID]
    line = only(CHAT, {"task_id": 3, "reward": 1, "messages": messages, "trial": 2})
    assert [item["role"] for item in line["responses_create_params"]["input"]] == ["system", "user"]
    kinds = [item["type"] for item in line["response"]["output"]]
    assert kinds == ["function_call", "function_call_output", "message", "message", "message"]
    assert (line["reward"], line["response"]["model"], line["trial"]) == (1.0, "m", 2)
    assert (line["agent_ref"]["name"], line["_ng_task_index"], line["_ng_rollout_index"]) == ("a", 0, 0)


def test_repeats_of_a_task_are_counted_whatever_the_order() -> None:
    rows = [{"task_id": task, "reward": 0, "messages": [ASKED, SAID]} for task in ("x", "y", "x", "x", "y")]
    found = [(row.content["_ng_task_index"], row.content["_ng_rollout_index"]) for row in made(CHAT, *rows)]
    assert found == [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1)]


def test_solutions_of_several_models_are_a_rollout_each() -> None:
    row = {"question": "3 + 4?", "small": {"right": False, "text": "8"}, "large": {"right": True, "text": "7"}}
    small, large = (found.content for found in made(SOLUTIONS, row))
    assert [small["reward"], large["reward"]] == [0.0, 1.0]
    assert [small["response"]["model"], large["response"]["model"]] == ["small", "large"]
    assert small["_ng_task_index"] == large["_ng_task_index"]
    assert large["response"]["output"][0]["content"][0]["text"] == "7"
    assert large["question"] == "3 + 4?"


def test_the_same_file_gives_the_same_lines() -> None:
    row = {"task_id": 1, "reward": 0.5, "messages": [ASKED, SAID]}
    assert only(CHAT, row) == only(CHAT, row)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"task_id": 1, "messages": [ASKED, SAID]}, "there is no column 'reward'"),
        ({"task_id": 1, "reward": None, "messages": [ASKED, SAID]}, "the reward must be a finite number"),
        ({"task_id": 1, "reward": float("nan"), "messages": [ASKED, SAID]}, "the reward must be a finite number"),
        ({"task_id": 1, "reward": "1", "messages": [ASKED, SAID]}, "the reward must be a finite number"),
        ({"task_id": 1, "reward": 1, "messages": [ASKED]}, "the model says nothing"),
        ({"task_id": 1, "reward": 1, "messages": [SAID]}, "nobody asks anything"),
        ({"reward": 1, "messages": [ASKED, SAID]}, "there is no column 'task_id'"),
    ],
    ids=["no reward", "null", "nan", "text", "no reply", "no prompt", "no task"],
)
def test_what_says_no_reward_or_no_reply_is_a_problem_and_no_zero(row: dict[str, Any], told: str) -> None:
    (found,) = made(CHAT, row)
    assert found.problem is not None
    assert told in found.problem


def test_a_row_with_one_broken_solution_gives_none_of_them() -> None:
    (found,) = made(SOLUTIONS, {"question": "3 + 4?", "small": {"right": True, "text": "7"}, "large": {"text": "7"}})
    assert found.problem is not None


def test_a_wrong_key_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text('shape = "chat"\n[rollout]\nrewards = "reward"\n')
    with pytest.raises(PalestraError, match="rollout"):
        read_mapping(path)


def test_tau_bench_is_told_message_by_message(shared: Path) -> None:
    path = shared / "data/real/taubench/gpt-4o-airline.json"
    recorded = json.loads(path.read_bytes())
    chat = {"messages": "traj"}
    mapping = CHAT.model_copy(update={"columns": chat, "drop": ("info",)})
    lines = [row.content for row in task_rows(path, mapping)]
    assert len(lines) == len(recorded) == 200
    for source, line in zip(recorded, lines, strict=True):
        assert line["reward"] == source["reward"]
        items = [*line["responses_create_params"]["input"], *line["response"]["output"]]
        again = [plain(message) for message in messages_from_items(items)]
        assert again == [plain(message) for message in source["traj"]]


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what says nothing: empty content, the name of a tool beside its call's id."""
    calls = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls_of(message)]
    return {"role": message["role"], "content": message.get("content") or "", "calls": calls}


def calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    return message.get("tool_calls") or []


@pytest.mark.slow
def test_the_walk_over_public_sets_gives_the_numbers_that_are_shown(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    curation = importlib.import_module("curation")

    shown = json.loads(sorted((ROOT / "bench/results").glob("curation-*.json"))[-1].read_bytes())
    about = {"machine", "date", "commit", *curation.measurements.COMMON} - {"case"}
    expected = [{name: value for name, value in row.items() if name not in about} for row in shown]
    assert curation.walked(shared / "data/real") == expected
    sys.modules.pop("curation")
