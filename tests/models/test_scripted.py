"""The scripted model says what a file says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from palestra import Failure, PalestraError, Sampling
from palestra.core.model import Model, Reply
from palestra.core.transcript import assistant_message, user_message
from palestra.models.scripted import PerRollout, ScriptedModel


def script(tmp_path: Path, *lines: Any) -> ScriptedModel:
    path = tmp_path / "script.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return ScriptedModel.from_file(path)


def for_row(model: ScriptedModel, row: dict[str, Any], task_hash: str = "h") -> Model:
    return model.for_rollout(row, task_hash=task_hash, task_index=0, rollout_index=0)


def said(model: Model, calls: int) -> list[Reply]:
    async def run() -> list[Reply]:
        return [await model.respond([], [], Sampling()) for _ in range(calls)]

    return asyncio.run(run())


def test_replies_come_in_order_and_the_last_is_repeated(tmp_path: Path) -> None:
    model = script(tmp_path, {"task": "*", "replies": ["one", "two"]}, "")
    assert isinstance(model, PerRollout)
    replies = said(for_row(model, {}), 3)
    assert [reply.items for reply in replies] == [(assistant_message(text),) for text in ("one", "two", "two")]
    assert [reply.stop_reason for reply in replies] == ["stop"] * 3
    assert [reply.model for reply in replies] == ["scripted"] * 3


def test_rollouts_do_not_share_their_place_in_the_script(tmp_path: Path) -> None:
    model = script(tmp_path, {"task": "*", "replies": ["one", "two"]})
    for _ in range(2):
        assert said(for_row(model, {}), 1)[0].items == (assistant_message("one"),)


def test_a_task_is_found_by_hash_then_id_then_star(tmp_path: Path) -> None:
    lines = [{"task": name, "replies": [str(name)]} for name in ("h", 7, "u", "*")]
    model = script(tmp_path, *lines)
    cases = [({"id": 7}, "h", "h"), ({"id": 7}, "x", "7"), ({"uuid": "u"}, "x", "u"), ({"id": 8}, "x", "*")]
    for row, task_hash, expected in cases:
        assert said(for_row(model, row, task_hash), 1)[0].items == (assistant_message(expected),)


def test_a_task_without_a_script_ends_the_run_with_its_name(tmp_path: Path) -> None:
    model = script(tmp_path, {"task": "other", "replies": ["x"]})
    with pytest.raises(Failure, match=r"no script for task h \(id '7'\)") as caught:
        for_row(model, {"id": 7})
    assert (caught.value.code, caught.value.fatal) == ("script-exhausted", True)


def test_calls_get_ids_that_are_unique_in_the_rollout(tmp_path: Path) -> None:
    call = {"type": "function_call", "name": "f"}
    model = script(tmp_path, {"task": "*", "replies": [["first", call, call], call, {**call, "call_id": "own"}]})
    replies = said(for_row(model, {}), 3)
    ids = [item["call_id"] for reply in replies for item in reply.items if item["type"] == "function_call"]
    assert ids == ["call_0_1", "call_0_2", "call_1_0", "own"]
    assert replies[1].items[0] == {
        "call_id": "call_1_0",
        "arguments": "{}",
        "status": "completed",
        "type": "function_call",
        "name": "f",
    }
    assert {reply.stop_reason for reply in replies} == {"tool_calls"}


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "5",
        {"replies": ["x"]},
        {"task": "*"},
        {"task": "*", "replies": []},
        {"task": "*", "replies": "x"},
        {"task": None, "replies": ["x"]},
        {"task": "*", "replies": [5]},
        {"task": "*", "replies": [["x", None]]},
    ],
)
def test_a_line_that_is_no_script_is_refused_with_its_number(tmp_path: Path, line: Any) -> None:
    with pytest.raises(PalestraError, match=r"script\.jsonl line 2 must be") as caught:
        script(tmp_path, {"task": "*", "replies": ["x"]}, line)
    assert caught.value.code == "invalid-row"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match="line 1 is not JSON"):
        script(tmp_path, "{")
    with pytest.raises(PalestraError, match="cannot be read") as caught:
        ScriptedModel.from_file(tmp_path / "none.jsonl")
    assert caught.value.code == "missing-file"


def test_by_conversation_the_next_reply_is_counted_from_what_was_said(tmp_path: Path) -> None:
    model = script(tmp_path, {"task": "*", "replies": ["one", [{"type": "function_call", "name": "f"}]]})
    talker = model.for_conversations()

    async def run() -> list[Reply]:
        asked: list[list[Any]] = [[], [assistant_message("x")], [assistant_message("x"), user_message("y")] * 3]
        return [await talker.respond([user_message("q"), *items], [], Sampling()) for items in asked]

    replies = asyncio.run(run())
    assert [reply.items[0]["type"] for reply in replies] == ["message", "function_call", "function_call"]
    assert [reply.items[0].get("call_id") for reply in replies] == [None, "call_1_0", "call_3_0"]


def test_by_conversation_a_script_for_any_task_is_needed(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match=r'no script for "\*"'):
        script(tmp_path, {"task": "h", "replies": ["one"]}).for_conversations()
