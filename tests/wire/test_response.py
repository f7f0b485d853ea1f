"""The response object has what clients of the OpenAI Responses API demand."""

from typing import Any

import pytest

from palestra.core.model import Usage
from palestra.core.transcript import assistant_message
from palestra.wire.response import response_object


def made(output: list[dict[str, Any]], stop_reason: str = "done", **params: Any) -> dict[str, Any]:
    return response_object(
        key="k",
        model="m",
        created_at=7,
        output=output,
        stop_reason=stop_reason,
        usage=Usage(3, 4, 1, 2),
        params=params,
    )


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "x"}


def test_every_required_key_is_there_and_of_its_type() -> None:
    found = made([assistant_message("hi")])
    required = {
        "id": str, "created_at": int, "model": str, "object": str, "output": list, "parallel_tool_calls": bool,
        "tool_choice": str, "tools": list, "status": str, "usage": dict,
    }  # fmt: skip
    for name, kind in required.items():
        assert isinstance(found[name], kind), name
    assert (found["id"], found["object"], found["status"]) == ("resp_k", "response", "completed")
    for name in ("error", "incomplete_details", "instructions", "metadata", "temperature", "top_p"):
        assert found[name] is None


def test_a_null_of_the_row_does_not_reach_a_required_key() -> None:
    found = made([], tool_choice=None, tools=None, parallel_tool_calls=None)
    assert (found["tool_choice"], found["tools"], found["parallel_tool_calls"]) == ("auto", [], True)
    assert made([], parallel_tool_calls=False)["parallel_tool_calls"] is False


def test_items_without_an_id_get_one_from_the_key_and_others_keep_theirs() -> None:
    reasoning = {"type": "reasoning", "id": "r", "summary": []}
    message = {**assistant_message("hi"), "id": None}
    untyped = {"role": "user", "content": "go on", "type": None}
    found = made([reasoning, CALL, RESULT, message, untyped])["output"]
    assert [item.get("id") for item in found] == ["r", "fc_k_1", None, "msg_k_3", "msg_k_4"]
    assert made([{"type": "web_search_call"}])["output"][0]["id"] == "item_k_0"
    assert "id" not in CALL


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_a_cut_reply_is_incomplete(reason: str) -> None:
    found = made([], stop_reason=reason)
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": reason})


@pytest.mark.parametrize("reason", ["done", "max_steps", "time_limit", "max_rollout_tokens"])
def test_an_end_that_the_model_did_not_cause_is_complete(reason: str) -> None:
    assert made([], stop_reason=reason)["status"] == "completed"


def test_usage_is_summed() -> None:
    assert made([])["usage"] == {
        "input_tokens": 3,
        "output_tokens": 4,
        "total_tokens": 7,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens_details": {"reasoning_tokens": 2},
    }


def test_what_was_asked_for_is_echoed() -> None:
    found = made([], temperature=0.5, instructions="i", metadata={"a": "b"}, unknown=1)
    assert (found["temperature"], found["instructions"], found["metadata"]) == (0.5, "i", {"a": "b"})
    assert "unknown" not in found
