"""The replay model says again what stored rollouts hold."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from palestra import Failure, PalestraError, Sampling
from palestra.core.model import Model, ModelCall, Reply
from palestra.core.transcript import assistant_message, user_message
from palestra.models.replay import ReplayModel
from palestra.wire.calls import call_object

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "x"}
OUTPUT = [CALL, RESULT, assistant_message("one"), user_message("and?"), assistant_message("two")]


def rollout(output: Any, task_hash: str | None = None, **more: Any) -> dict[str, Any]:
    line = {"response": {"output": output, "model": "m", **more.pop("response", {})}, **more}
    return {**line, "palestra": {"task_hash": task_hash}} if task_hash else line


def stored(tmp_path: Path, *lines: Any) -> ReplayModel:
    path = tmp_path / "rollouts.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return ReplayModel(path)


def one(model: ReplayModel, task_hash: str = "h", task_index: int = 0, rollout_index: int = 0) -> Model:
    return model.for_rollout({}, task_hash=task_hash, task_index=task_index, rollout_index=rollout_index)


def said(model: Model, calls: int) -> list[Reply]:
    async def run() -> list[Reply]:
        return [await model.respond([], [], Sampling()) for _ in range(calls)]

    return asyncio.run(run())


def test_each_turn_is_said_again_without_what_the_environment_said(tmp_path: Path) -> None:
    replies = said(one(stored(tmp_path, rollout(OUTPUT, "h"))), 3)
    assert [reply.items for reply in replies] == [(CALL,), (OUTPUT[2],), (OUTPUT[4],)]
    assert [reply.stop_reason for reply in replies] == ["tool_calls", "stop", "stop"]
    assert [reply.model for reply in replies] == ["m"] * 3


def test_noted_calls_are_said_again_exactly_even_if_one_only_thought(tmp_path: Path) -> None:
    thought = {"type": "reasoning", "summary": []}
    notes = [ModelCall(0, 1, 0, 0, "stop"), ModelCall(1, 2, 0, 0, "max_output_tokens")]
    line = rollout([thought, assistant_message("one")])
    line["palestra"] = {"task_hash": "h", "calls": [call_object(call) for call in notes]}
    replies = said(one(stored(tmp_path, line)), 2)
    assert [reply.items for reply in replies] == [(thought,), (assistant_message("one"),)]
    assert [reply.stop_reason for reply in replies] == ["stop", "max_output_tokens"]


def test_nothing_is_invented_after_the_last_reply(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="ends after 3 replies") as caught:
        said(one(stored(tmp_path, rollout(OUTPUT, "h"))), 4)
    assert caught.value.code == "script-exhausted"


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_a_reply_that_was_cut_is_cut_again(tmp_path: Path, reason: str) -> None:
    line = rollout([CALL, RESULT, CALL], "h", response={"incomplete_details": {"reason": reason}})
    assert [reply.stop_reason for reply in said(one(stored(tmp_path, line)), 2)] == ["tool_calls", reason]


def test_rollouts_are_matched_by_content_and_repeat(tmp_path: Path) -> None:
    texts = {("a", 0): "a0", ("b", 0): "b0", ("a", 1): "a1"}
    lines = [
        rollout([assistant_message(text)], name, _ng_rollout_index=repeat) for (name, repeat), text in texts.items()
    ]
    model = stored(tmp_path, *lines)
    for (name, repeat), text in texts.items():
        found = one(model, task_hash=name, task_index=99, rollout_index=repeat)
        assert said(found, 1)[0].items == (assistant_message(text),)


def test_files_of_others_are_matched_by_their_indices_or_places(tmp_path: Path) -> None:
    indexed = stored(tmp_path, rollout([assistant_message("x")], _ng_task_index=4, _ng_rollout_index=2))
    assert said(one(indexed, task_index=4, rollout_index=2), 1)[0].items == (assistant_message("x"),)
    bare = stored(tmp_path, rollout([assistant_message("first")]), "", rollout([assistant_message("third")]))
    assert said(one(bare, task_index=2), 1)[0].items == (assistant_message("third"),)


def test_a_rollout_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"rollouts\.jsonl has no rollout 1 of task 0 \(h\)") as caught:
        one(stored(tmp_path, rollout(OUTPUT, "h")), rollout_index=1)
    assert caught.value.code == "script-exhausted"


def test_an_empty_output_is_one_empty_reply(tmp_path: Path) -> None:
    assert said(one(stored(tmp_path, rollout([], "h"))), 1)[0].items == ()


@pytest.mark.parametrize("line", [{"palestra": {"task_hash": "h"}}, rollout("text", "h"), rollout([None], "h")])
def test_a_line_without_output_items_is_a_failure(tmp_path: Path, line: Any) -> None:
    with pytest.raises(Failure, match="has no response with output items"):
        one(stored(tmp_path, line))


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', '{"palestra": [1]}', '{"palestra": {"task_hash": []}}'])
def test_a_line_that_is_no_rollout_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(PalestraError, match=r"rollouts\.jsonl line 2 is not a rollout") as caught:
        stored(tmp_path, rollout(OUTPUT, "h"), line)
    assert caught.value.code == "invalid-row"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match="cannot be read"):
        ReplayModel(tmp_path / "none.jsonl")
