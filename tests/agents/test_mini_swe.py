"""The real mini-swe-agent as the loop: it plays what the tool loop plays, keeps tokens, and ends when it is told to."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("minisweagent.agents.default", reason="mini-swe-agent is not installed")

from palestra import Failure, Item, PalestraError, Reply, Sampling, Step
from palestra.agents.bridge import Bridge
from palestra.agents.mini_swe import MiniSweAgent, Speaker, Workbench, import_harness
from palestra.agents.tool_loop import AgentLimits, Conversation, EndReason, ToolLoop, Trajectory
from palestra.core.model import CallTokens, Usage
from palestra.core.transcript import assistant_message, is_assistant_message, item_text, user_message
from palestra.wire.mini_swe import commands_of, format_error, observation
from tests.agents.test_tool_loop import DeskSession
from tests.agents.test_tool_loop import Speaker as ScriptedSpeaker

SYSTEM: Item = {"type": "message", "role": "system", "content": "one ```bash block, {{ please }}"}
REASONING: Item = {"type": "reasoning", "id": "r", "summary": []}


class Shell(DeskSession):
    """A session that answers commands with themselves, and ends at `submit`."""

    prompt = (SYSTEM, user_message("mend {{ it }}"))
    tools = ()

    def __init__(self) -> None:
        super().__init__(self.answer)

    def answer(self, number: int, items: Sequence[Item]) -> Step:
        text = "".join(item_text(item) for item in items if is_assistant_message(item))
        commands = commands_of(text)
        if len(commands) != 1:
            return Step((user_message(format_error(len(commands))),), reward=-0.5)
        if commands == ["submit"]:
            return Step((user_message("the patch"),), done=True)
        return Step((user_message(observation(number, commands[0] + "\n")),), reward=0.25)


def said(text: str, stop: Any = "stop", tokens: CallTokens | None = None) -> Reply:
    return Reply((REASONING, assistant_message(text)), stop, "checkpoint", Usage(3, 2), tokens)


def run(text: str) -> str:
    return f"THOUGHT: so\n\n```bash\n{text}\n```\n"


REPLIES = (said(run("ls -l")), said("no block"), said(run("a") + run("b")), said(run("cat x")), said(run("submit")))


def played(agent: ToolLoop, *replies: Reply, seed: int | None = None) -> tuple[Trajectory, ScriptedSpeaker]:
    speaker = ScriptedSpeaker(*replies)
    return asyncio.run(agent.run(Shell(), speaker, Sampling(seed=seed))), speaker


def without_times(trajectory: Trajectory) -> tuple[Any, ...]:
    return (
        trajectory.transcript, trajectory.end_reason, trajectory.model, trajectory.usage, trajectory.trace,
        trajectory.calls,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({}, "done"), ({"max_steps": 2}, "max_steps"), ({"max_steps": 3}, "max_steps"), ({"max_steps": 4}, "max_steps"),
     ({"max_rollout_tokens": 3}, "max_rollout_tokens"), ({"time_limit_s": 1e-9}, "time_limit")],
)  # fmt: skip
def test_the_harness_plays_what_the_tool_loop_plays(limits: dict[str, Any], reason: str) -> None:
    (ours, asked), (theirs, asked_by_loop) = (
        played(agent(AgentLimits(**limits)), *REPLIES, seed=5) for agent in (MiniSweAgent, ToolLoop)
    )
    assert without_times(ours) == without_times(theirs)
    assert asked.asked == asked_by_loop.asked
    assert ours.end_reason == reason
    assert ours.step_s >= 0
    assert ours.model_s >= 0


def test_its_messages_are_the_rollouts_items() -> None:
    """What the harness believes was said is what was said; nothing in it is taken for a template."""

    async def main() -> tuple[list[dict[str, Any]], Conversation]:
        talk = Conversation(Shell(), ScriptedSpeaker(*REPLIES), Sampling(), AgentLimits())
        seen: list[list[dict[str, Any]]] = []
        bridge = Bridge[EndReason]()

        class Watching(Speaker):
            def query(self, messages: list[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
                seen.append(list(messages))
                return super().query(messages, **kwargs)

        from minisweagent.agents.default import DefaultAgent

        def harness() -> EndReason:
            agent = DefaultAgent(
                Watching(talk, bridge), Workbench(talk, bridge), system_template="{{ system }}",
                instance_template="{{ task }}", cost_limit=0, max_consecutive_format_errors=0,
            )  # fmt: skip
            return agent.run("mend {{ it }}", system=item_text(SYSTEM))["exit_status"]

        assert await bridge.run(harness) == "done"
        return seen[-1], talk

    messages, talk = asyncio.run(main())
    items = [*talk.session.prompt, *talk.output]
    spoken = [(item["role"], item_text(item)) for item in items if item["type"] == "message"]
    assert [(message["role"], message["content"]) for message in messages] == spoken[: len(messages)]
    assert len(messages) == len(spoken) - 2, "the last call's reply and the submission came after it"


def test_tokens_are_kept_call_by_call() -> None:
    first = said(run("ls"), tokens=CallTokens((1, 2), (3, 4), (-0.5, -0.25)))
    second = said(run("submit"), tokens=CallTokens((1, 2, 3, 4, 5), (6,), (-1.0,)))
    trajectory, speaker = played(MiniSweAgent(), first, second)
    assert trajectory.trace is not None
    assert trajectory.trace.ids == [1, 2, 3, 4, 5, 6]
    assert trajectory.trace.logprobs == [0.0, 0.0, -0.5, -0.25, 0.0, -1.0]
    assert [call.generation_start for call in trajectory.calls] == [2, 5]
    assert speaker.asked[1][2] == [1, 2, 3, 4], "the second call continues the first one's tokens"


def test_a_cut_reply_is_not_acted_on() -> None:
    trajectory, _ = played(MiniSweAgent(), said(run("ls")), said(run("rm -rf"), "max_output_tokens"))
    assert trajectory.end_reason == "max_output_tokens"
    assert [item["type"] for item in trajectory.transcript.output][-1] == "message"
    assert len(trajectory.calls) == 2


class Broken(ScriptedSpeaker):
    async def respond(self, *arguments: Any, **named: Any) -> Reply:
        raise Failure("model", "gone", code="model-unreachable")


def test_failures_arrive_as_they_are() -> None:
    with pytest.raises(Failure, match="gone") as caught:
        asyncio.run(MiniSweAgent().run(Shell(), Broken(), Sampling()))
    assert (caught.value.boundary, caught.value.code) == ("model", "model-unreachable")
    assert no_thread_is_left()

    class Falling(Shell):
        async def step(self, items: Sequence[Item]) -> Step:
            raise Failure("sandbox", "no room")

    with pytest.raises(Failure, match="no room") as caught:
        asyncio.run(MiniSweAgent().run(Falling(), ScriptedSpeaker(*REPLIES), Sampling()))
    assert caught.value.boundary == "sandbox"


class Waiting(ScriptedSpeaker):
    """A model that never answers, and notes that it was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.was_asked = asyncio.Event()
        self.cancelled = 0

    async def respond(self, *arguments: Any, **named: Any) -> Reply:
        self.was_asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError


def no_thread_is_left() -> bool:
    end = time.monotonic() + 5
    while (left := "palestra-bridge" in [thread.name for thread in threading.enumerate()]) and time.monotonic() < end:
        time.sleep(0.005)
    return not left


def test_cancelling_ends_the_call_and_the_thread() -> None:
    async def main() -> int:
        speakers = [Waiting() for _ in range(40)]
        tasks = [asyncio.create_task(MiniSweAgent().run(Shell(), speaker, Sampling())) for speaker in speakers]
        await asyncio.gather(*(speaker.was_asked.wait() for speaker in speakers))
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended)
        return sum(speaker.cancelled for speaker in speakers)

    assert asyncio.run(asyncio.wait_for(main(), 20)) == 40
    assert no_thread_is_left()


def test_many_play_at_the_same_time() -> None:
    """More than the event loop's executor has threads: each waits for all the others."""

    async def main() -> list[str]:
        barrier = asyncio.Barrier(64)

        class Together(Shell):
            async def step(self, items: Sequence[Item]) -> Step:
                await barrier.wait()
                return await super().step(items)

        agent = MiniSweAgent()
        games = [agent.run(Together(), ScriptedSpeaker(*REPLIES), Sampling()) for _ in range(64)]
        return [trajectory.end_reason for trajectory in await asyncio.wait_for(asyncio.gather(*games), 30)]

    assert asyncio.run(main()) == ["done"] * 64


def test_a_wait_after_the_end_is_refused() -> None:
    async def main() -> Bridge[str]:
        bridge = Bridge[str]()
        assert await bridge.run(lambda: bridge.wait(lambda: asyncio.sleep(0, "got"))) == "got"
        return bridge

    bridge = asyncio.run(main())
    with pytest.raises(Exception, match=r"^$") as caught:
        bridge.wait(lambda: asyncio.sleep(0))
    assert type(caught.value).__name__ == "CancelledError"


def test_the_import_changes_nothing_outside(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Any
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "minisweagent"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MSWEA_SILENT_STARTUP", "")
    monkeypatch.delenv("MSWEA_GLOBAL_CONFIG_DIR", raising=False)
    before = dict(os.environ)
    import_harness()
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minisweagent.agents.default", None)
    with pytest.raises(PalestraError, match="mini-swe-agent") as caught:
        MiniSweAgent()
    assert caught.value.code == "missing-package"
    assert "--no-deps mini-swe-agent" in str(caught.value.fix)


def test_the_harness_needs_no_client_library() -> None:
    program = "from palestra.agents.mini_swe import MiniSweAgent; MiniSweAgent(); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "minisweagent.agents.default" in loaded
    assert not {"litellm", "openai", "textual", "requests"} & loaded
