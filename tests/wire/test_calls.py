"""What a rollout line notes of each model call, and what can be read of lines that note nothing."""

from typing import Any

import pytest

from palestra.core.model import ModelCall
from palestra.core.transcript import assistant_message, user_message
from palestra.wire.calls import call_object, calls_of, turns_of

THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
OUTPUT = [THOUGHT, assistant_message("a"), user_message("?"), assistant_message("b")]
CALLS = [ModelCall(0, 1, 4, 2, "stop"), ModelCall(1, 2, 6, 2, "max_output_tokens", 6), ModelCall(3, 4, 0, 0, "stop")]


def line(calls: Any = None, output: Any = OUTPUT) -> dict[str, Any]:
    return {"response": {"output": output}, "palestra": {} if calls is None else {"calls": calls}}


def test_calls_come_back_as_they_were_noted() -> None:
    stored = line([call_object(call) for call in CALLS])
    assert stored["palestra"]["calls"][1] == {
        "items": [1, 2],
        "input_tokens": 6,
        "output_tokens": 2,
        "stop_reason": "max_output_tokens",
        "generation_start": 6,
    }
    assert calls_of(stored) == CALLS


def test_a_reply_that_only_thinks_is_a_turn_of_its_own_where_calls_are_noted() -> None:
    noted = turns_of(line([call_object(call) for call in CALLS]))
    assert [turn.items for turn in noted] == [(THOUGHT,), (OUTPUT[1],), (OUTPUT[3],)]
    assert [turn.stop_reason for turn in noted] == ["stop", "max_output_tokens", "stop"]


@pytest.mark.parametrize("own", [{}, None])
def test_without_notes_turns_are_what_the_model_wrote_in_a_row(own: Any) -> None:
    guessed = turns_of({"response": {"output": [user_message("hi"), *OUTPUT]}, "palestra": own})
    assert [(turn.items, turn.stop_reason) for turn in guessed] == [((THOUGHT, OUTPUT[1]), None), ((OUTPUT[3],), None)]


GOOD = {"items": [0, 1], "input_tokens": 1, "output_tokens": 1, "stop_reason": "stop"}


@pytest.mark.parametrize(
    "calls",
    [
        7,
        [7],
        [{}],
        [{**GOOD, "items": [0]}],
        [{**GOOD, "items": [0, 9]}],
        [{**GOOD, "items": [1, 0]}],
        [{**GOOD, "items": [-1, 1]}],
        [{**GOOD, "items": [0, True]}],
        [GOOD, GOOD],
        [{**GOOD, "stop_reason": "tired"}],
        [{**GOOD, "output_tokens": None}],
        [{**GOOD, "generation_start": "3"}],
    ],
)
def test_notes_that_do_not_fit_the_output_are_refused(calls: Any) -> None:
    with pytest.raises(ValueError, match=r"palestra\.calls"):
        calls_of(line(calls))


@pytest.mark.parametrize("output", [None, "text", [None]])
def test_a_line_without_output_items_is_refused(output: Any) -> None:
    with pytest.raises(ValueError, match="no response with output items"):
        turns_of(line(output=output))
