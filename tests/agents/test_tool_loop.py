"""The tool loop: who speaks when, where it stops, and what it brings back."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from palestra import Failure, Item, Reply, Sampling, Step, Transcript, Verdict
from palestra.agents.tool_loop import AgentLimits, ToolLoop, Trajectory
from palestra.core.deadline import RUNNING, TimeLimits
from palestra.core.model import CallTokens, ModelCall, TokenTrace, Usage
from palestra.core.tools import answered, run_named, tool, tools_of
from palestra.core.transcript import assistant_message, function_calls, is_assistant_message, user_message

REASONING: Item = {"type": "reasoning", "id": "r", "summary": []}


class Desk:
    """What the calls act on."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @tool
    def note(self, text: str) -> str:
        self.seen.append(text)
        return f"noted {text}"


class DeskSession:
    """A session that answers calls, or steps as it is told."""

    prompt = (user_message("q"),)
    tools = tuple(entry.schema for entry in tools_of(Desk).values())

    def __init__(self, step: Callable[[int, Sequence[Item]], Step] | None = None) -> None:
        self.desk = Desk()
        self.own_step = step
        self.steps: list[Sequence[Item]] = []

    async def step(self, items: Sequence[Item]) -> Step:
        self.steps.append(items)
        if self.own_step is not None:
            return self.own_step(len(self.steps), items)
        calls = function_calls(items)
        outputs = [await answered(call, partial(run_named, self.desk, tools_of(Desk))) for call in calls]
        return Step(tuple(outputs), done=not calls and any(map(is_assistant_message, items)))

    async def verify(self, transcript: Transcript) -> Verdict:
        return Verdict(1.0)

    async def close(self) -> None:
        return


class Speaker:
    """Says replies in order, the last again and again, and notes what it was asked."""

    name = "speaker"

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies
        self.asked: list[tuple[list[Item], Sampling, list[int] | None]] = []

    async def respond(
        self, items: Sequence[Item], tools: Sequence[Any], sampling: Sampling, trace: TokenTrace | None = None
    ) -> Reply:
        self.asked.append((list(items), sampling, None if trace is None else list(trace.ids)))
        return self.replies[min(len(self.asked), len(self.replies)) - 1]

    async def close(self) -> None:
        return


def reply(*items: Item, stop: Any = "stop", output_tokens: int = 1, tokens: CallTokens | None = None) -> Reply:
    return Reply(items, stop, "checkpoint", Usage(2, output_tokens), tokens)


def call(text: str, call_id: str = "c", name: str = "note", arguments: str | None = None) -> Item:
    arguments = f'{{"text":"{text}"}}' if arguments is None else arguments
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


DONE = reply(assistant_message("done"))


def play(
    speaker: Speaker, session: DeskSession | None = None, *, seed: int | None = None, **limits: Any
) -> tuple[Trajectory, DeskSession]:
    session = session or DeskSession()
    agent = ToolLoop(AgentLimits(**limits))
    return asyncio.run(agent.run(session, speaker, Sampling(seed=seed))), session


class TestTalk:
    def test_calls_run_in_their_order_and_all_that_was_said_is_kept(self) -> None:
        speaker = Speaker(reply(REASONING, call("a", "1"), call("b", "2")), DONE)
        trajectory, session = play(speaker)
        assert session.desk.seen == ["a", "b"]
        kinds = [item["type"] for item in trajectory.transcript.output]
        assert kinds == ["reasoning", *["function_call"] * 2, *["function_call_output"] * 2, "message"]
        assert [entry.output for entry in trajectory.transcript.calls] == ["noted a", "noted b"]
        assert (trajectory.end_reason, trajectory.model, len(trajectory.calls)) == ("done", "checkpoint", 2)
        assert trajectory.usage == Usage(4, 2)

    def test_the_model_is_asked_with_all_that_came_before(self) -> None:
        speaker = Speaker(reply(call("a")), DONE)
        trajectory, session = play(speaker)
        assert [items for items, _, _ in speaker.asked] == [
            list(session.prompt),
            [*session.prompt, *trajectory.transcript.output[:-1]],
        ]

    def test_bad_arguments_and_unknown_tools_are_answered_with_text(self) -> None:
        speaker = Speaker(reply(call("", arguments='{"text": '), call("", name="nope", arguments="{}")), DONE)
        trajectory, session = play(speaker)
        outputs = [str(entry.output) for entry in trajectory.transcript.calls]
        assert outputs[0].startswith('{"error":"Invalid tool call arguments: JSONDecodeError')
        assert outputs[1] == "{\"error\":\"Unknown tool 'nope'. Did you mean 'note'? Available tools: note.\"}"
        assert (session.desk.seen, trajectory.end_reason) == ([], "done")

    def test_a_reply_of_reasoning_alone_is_followed_by_another_call(self) -> None:
        trajectory, _ = play(Speaker(reply(REASONING), reply(), DONE))
        assert (trajectory.end_reason, len(trajectory.calls)) == ("done", 3)

    def test_the_environment_speaks_rewards_and_ends(self) -> None:
        def step(number: int, items: Sequence[Item]) -> Step:
            if number == 1:
                return Step((user_message("go on"),))
            return Step(done=number == 3, reward=float(number))

        trajectory, _ = play(Speaker(DONE), DeskSession(step))
        assert trajectory.transcript.step_rewards == (2.0, 3.0)
        assert trajectory.transcript.output[1] == user_message("go on")
        assert (trajectory.end_reason, len(trajectory.calls)) == ("done", 3)

    def test_each_turn_has_a_seed_of_its_own_within_range(self) -> None:
        speaker = Speaker(reply(call("a")), reply(call("b")), DONE)
        play(speaker, seed=2**31 - 2)
        assert [sampling.seed for _, sampling, _ in speaker.asked] == [2**31 - 2, 2**31 - 1, 0]
        speaker = Speaker(reply(call("a")), DONE)
        play(speaker)
        assert [sampling.seed for _, sampling, _ in speaker.asked] == [None, None]


class TestLimits:
    @pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
    def test_a_cut_reply_is_kept_but_not_acted_on(self, reason: str) -> None:
        trajectory, session = play(Speaker(reply(call("a")), reply(call("b"), stop=reason)))
        assert (trajectory.end_reason, session.desk.seen, len(session.steps)) == (reason, ["a"], 1)
        assert trajectory.transcript.calls[-1].output is None

    def test_max_steps_counts_model_calls_and_the_last_calls_are_answered(self) -> None:
        trajectory, session = play(Speaker(reply(call("a"))), max_steps=3)
        assert (trajectory.end_reason, len(trajectory.calls)) == ("max_steps", 3)
        assert session.desk.seen == ["a"] * 3
        assert all(entry.output == "noted a" for entry in trajectory.transcript.calls)

    def test_an_episode_that_ends_with_its_last_step_is_done(self) -> None:
        assert play(Speaker(DONE), max_steps=1)[0].end_reason == "done"

    def test_the_tokens_of_a_rollout_are_limited(self) -> None:
        trajectory, _ = play(Speaker(reply(call("a"), output_tokens=40)), max_rollout_tokens=100)
        assert (trajectory.end_reason, trajectory.usage.output_tokens) == ("max_rollout_tokens", 120)

    def test_the_time_of_a_rollout_is_limited_between_calls(self) -> None:
        def step(number: int, items: Sequence[Item]) -> Step:
            time.sleep(0.03)
            return Step()

        trajectory, _ = play(Speaker(DONE), DeskSession(step), time_limit_s=0.05, max_steps=None)
        assert (trajectory.end_reason, len(trajectory.calls)) == ("time_limit", 2)
        assert trajectory.step_s >= 0.06

    def test_time_in_which_the_clock_of_the_rollout_stands_does_not_count(self) -> None:
        class Waiting(Speaker):
            async def respond(self, *given: Any, **more: Any) -> Reply:
                deadline = RUNNING.get()
                assert deadline is not None
                deadline.stop()
                await asyncio.sleep(0.05)
                deadline.go_on()
                return await super().respond(*given, **more)

        async def main() -> Trajectory:
            loop = ToolLoop(AgentLimits(max_steps=4, time_limit_s=0.1))
            with TimeLimits(60).deadline():
                return await loop.run(DeskSession(lambda number, items: Step()), Waiting(DONE), Sampling())

        assert asyncio.run(main()).end_reason == "max_steps"

    def test_what_the_session_raises_goes_through(self) -> None:
        def step(number: int, items: Sequence[Item]) -> Step:
            raise Failure("environment", "broke")

        with pytest.raises(Failure, match="environment: broke"):
            play(Speaker(DONE), DeskSession(step))


def tokens(prompt: Sequence[int], ids: Sequence[int]) -> CallTokens:
    return CallTokens(tuple(prompt), tuple(ids), tuple(-float(value) for value in ids))


class TestTokens:
    def test_the_trace_holds_each_token_once_with_mask_and_logprobs(self) -> None:
        speaker = Speaker(
            reply(call("a"), tokens=tokens([1, 2], [3, 4])),
            reply(call("b"), tokens=tokens([1, 2, 3, 4, 5], [6])),
            reply(assistant_message("done"), tokens=tokens([1, 2, 3, 4, 5, 6], [7])),
        )
        trajectory, _ = play(speaker)
        assert trajectory.trace == TokenTrace(
            [1, 2, 3, 4, 5, 6, 7], [0.0, 0.0, -3.0, -4.0, 0.0, -6.0, -7.0], bytearray((0, 0, 1, 1, 0, 1, 1))
        )
        assert [ids for _, _, ids in speaker.asked] == [None, [1, 2, 3, 4], [1, 2, 3, 4, 5, 6]]
        assert [(call.input_tokens, call.output_tokens, call.generation_start) for call in trajectory.calls] == [
            (2, 2, 2),
            (5, 1, 5),
            (6, 1, 6),
        ]

    def test_each_call_is_noted_with_its_items_and_what_the_backend_counted(self) -> None:
        trajectory, _ = play(Speaker(reply(REASONING, call("a"), output_tokens=7), reply(REASONING), DONE))
        assert trajectory.calls == (
            ModelCall(0, 2, 2, 7, "stop"),
            ModelCall(3, 4, 2, 1, "stop"),
            ModelCall(4, 5, 2, 1, "stop"),
        )

    def test_a_model_that_knows_no_tokens_has_no_trace(self) -> None:
        assert play(Speaker(DONE))[0].trace is None

    @pytest.mark.parametrize(
        ("prompt", "named"),
        [
            ([1, 2, 9, 4, 5], "position 2: token 3 became 9"),
            ([1, 2, 3], "position 3: token 4 is missing, the prompt ends before it"),
            ([], "position 0: token 1 is missing"),
            ([9], "position 0: token 1 became 9"),
        ],
    )
    def test_a_prompt_that_drifts_is_a_failure_with_turn_and_position(self, prompt: list[int], named: str) -> None:
        speaker = Speaker(reply(call("a"), tokens=tokens([1, 2], [3, 4])), reply(call("b"), tokens=tokens(prompt, [6])))
        with pytest.raises(Failure) as caught:
            play(speaker)
        assert (caught.value.boundary, caught.value.code) == ("model", "token-drift")
        assert f"turn 2: the prompt differs from the tokens so far at {named}" in caught.value.message
