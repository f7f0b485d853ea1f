"""mini-swe-agent as the loop between a session and a model.

The package's own agent class decides who speaks when. Its Model asks ours, so that tokens are captured; its Environment
is the session, whose `step` runs the command of a reply: what is recorded is what `ToolLoop` would record.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NoReturn

from palestra.agents.bridge import Bridge
from palestra.agents.tool_loop import Conversation, EndReason, ToolLoop, Trajectory
from palestra.core.errors import PalestraError
from palestra.core.model import Item, Model, Reply, Sampling
from palestra.core.session import Session, Step
from palestra.core.transcript import is_assistant_message, item_text
from palestra.wire.mini_swe import commands_of

Message = dict[str, Any]
"""A message of mini-swe-agent: `role`, `content`, and `extra` for what is not said."""

DISTRIBUTION = "mini-swe-agent"


@dataclass(frozen=True, slots=True)
class MiniSweAgent(ToolLoop):
    """The real mini-swe-agent. Raises PalestraError (`missing-package`) when made where it is not installed."""

    def __post_init__(self) -> None:
        # Told, and imported, before anything is played.
        import_harness()

    async def run(self, session: Session, model: Model, sampling: Sampling) -> Trajectory:
        talk = Conversation(session, model, sampling, self.limits)
        bridge = Bridge[EndReason]()
        return talk.trajectory(await bridge.run(lambda: play(talk, bridge)))


def play(talk: Conversation, bridge: Bridge[EndReason]) -> EndReason:
    """Let the harness play one episode, in its thread; why it ended."""
    from minisweagent.agents.default import DefaultAgent

    speaker, workbench = Speaker(talk, bridge), Workbench(talk, bridge)
    # Limits are the rollout's: steps, tokens and time are counted by the conversation, money by nobody.
    agent = DefaultAgent(
        speaker, workbench, system_template="{{ system }}", instance_template="{{ task }}", cost_limit=0,
        max_consecutive_format_errors=0,
    )  # fmt: skip
    told = agent.run(text_of(talk.session.prompt, spoken=True), system=text_of(talk.session.prompt, spoken=False))
    return told["exit_status"]


def text_of(prompt: Sequence[Item], *, spoken: bool) -> str:
    """The prompt's instructions, or what is `spoken` to the model as the user."""
    return "\n\n".join(item_text(item) for item in prompt if (item.get("role") == "user") is spoken)


class Part:
    """What the harness asks of its model and its environment alike: settings for templates and files, of which ours
    have none."""

    config = None

    def __init__(self, talk: Conversation, bridge: Bridge[EndReason]) -> None:
        self.talk = talk
        self.bridge = bridge

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        return {}

    def serialize(self) -> dict[str, Any]:
        return {}

    def act(self, reply: Reply) -> tuple[Step, EndReason | None]:
        """Let the session act on a reply; also whether the conversation is over."""
        step = self.bridge.wait(lambda: self.talk.act(reply))
        return step, self.talk.end_after(step)


class Speaker(Part):
    """Our model as the harness's Model. What is sent is the conversation's items, which hold more than its messages."""

    def query(self, messages: list[Message], **kwargs: Any) -> Message:
        from minisweagent.exceptions import FormatError

        reply = self.bridge.wait(self.talk.ask)
        text = "".join(item_text(item) for item in reply.items if is_assistant_message(item))
        said: Message = {"role": "assistant", "content": text, "extra": {}}
        if reply.stop_reason in ("max_output_tokens", "content_filter"):
            end(reply.stop_reason, said)
        if len(commands_of(text)) != 1:
            step, reason = self.act(reply)
            if reason is not None:
                end(reason, said, *messages_of(step))
            raise FormatError(said, *messages_of(step))
        said["extra"]["actions"] = [{"reply": reply}]
        return said

    def format_message(self, **kwargs: Any) -> Message:
        return kwargs

    def format_observation_messages(
        self, message: Message, outputs: list[dict[str, Any]], template_vars: dict[str, Any] | None = None
    ) -> list[Message]:
        return [message for output in outputs for message in output["messages"]]


class Workbench(Part):
    """The session as the harness's Environment."""

    def execute(self, action: dict[str, Any], cwd: str = "") -> dict[str, Any]:
        step, reason = self.act(action["reply"])
        if reason is not None:
            end(reason, *messages_of(step))
        return {"messages": messages_of(step)}


def messages_of(step: Step) -> list[Message]:
    return [{"role": "user", "content": item_text(item), "extra": {}} for item in step.items]


def end(reason: EndReason, *last: Message) -> NoReturn:
    """End the harness's loop as it ends it itself, with its last messages."""
    from minisweagent.exceptions import LimitsExceeded, Submitted

    submission = last[-1]["content"] if reason == "done" else ""
    told = {"role": "exit", "content": reason, "extra": {"exit_status": reason, "submission": submission}}
    raise (Submitted if reason == "done" else LimitsExceeded)(*last, told)


def import_harness() -> ModuleType:
    """Import mini-swe-agent's agent class, which needs none of the clients and interfaces that the package asks for.

    Importing it prints a banner, makes a folder in the user's home and reads environment variables from a file there;
    none of that here.
    """
    try:
        with TemporaryDirectory() as folder, variables(MSWEA_SILENT_STARTUP="1", MSWEA_GLOBAL_CONFIG_DIR=folder):
            import minisweagent.agents.default as harness
    except ModuleNotFoundError as error:
        needs = f"the agent mini_swe_agent needs {DISTRIBUTION}, and {error.name} is not installed here"
        fix = f'Run `palestra doctor --fix`, or pip install "palestra[swe]", then pip install --no-deps {DISTRIBUTION}.'
        raise PalestraError("missing-package", needs, fix=fix) from error
    return harness


@contextmanager
def variables(**wanted: str) -> Iterator[None]:
    """Environment variables of this process for a while."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
