"""The loop that shows only the latest state: what the model sees, and what the rollout keeps."""

import asyncio
from typing import Any

from palestra import Item, Reply, Sampling, Step
from palestra.agents.latest_state import LatestStateLoop, collapsed
from palestra.agents.tool_loop import AgentLimits, ToolLoop
from palestra.core.transcript import ENV_STATE, assistant_message, user_message
from palestra.models.openai_responses import responses_request
from tests.agents.test_tool_loop import DeskSession, Speaker


def state(text: str) -> Item:
    return {**user_message(text), ENV_STATE: True}


def seen(loop: ToolLoop) -> tuple[list[list[str]], list[Any]]:
    speaker = Speaker(Reply((assistant_message("on"),), "stop", "speaker"))
    session = DeskSession(lambda number, items: Step((state(f"state {number}"), user_message("go on"))))
    trajectory = asyncio.run(loop.run(session, speaker, Sampling()))
    asked = [[str(item["content"]) for item in items if item["role"] == "user"] for items, _, _ in speaker.asked]
    return asked, [item["content"] for item in trajectory.transcript.output if item.get(ENV_STATE)]


def test_the_model_is_shown_the_latest_state_and_the_rollout_keeps_all() -> None:
    asked, kept = seen(LatestStateLoop(AgentLimits(max_steps=4), old_state_message="gone"))
    assert asked[-1] == ["q", "gone", "go on", "gone", "go on", "state 3", "go on"]
    assert asked[1] == ["q", "state 1", "go on"]
    assert kept == ["state 1", "state 2", "state 3", "state 4"]


def test_the_ordinary_loop_shows_all() -> None:
    assert seen(ToolLoop(AgentLimits(max_steps=3)))[0][-1] == ["q", "state 1", "go on", "state 2", "go on"]


def test_items_are_left_alone() -> None:
    items = [state("a"), state("b")]
    assert collapsed(items, "gone") == [state("gone"), state("b")]
    assert items == [state("a"), state("b")]
    assert collapsed(items[:1], "gone") is not collapsed(items, "gone")
    assert collapsed(items[:1], "gone") == items[:1]


def test_the_mark_is_not_sent_to_an_endpoint() -> None:
    request = responses_request("m", [state("a")], (), Sampling())
    assert request["input"] == [user_message("a")]
