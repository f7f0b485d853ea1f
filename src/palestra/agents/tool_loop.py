"""The loop between a session and a model: ask, act, until the episode is over or a limit is reached."""

import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

from palestra.core.deadline import stopped_s
from palestra.core.model import Item, Model, ModelCall, Reply, Sampling, TokenTrace, Usage
from palestra.core.session import Session, Step
from palestra.core.transcript import Transcript

NO_USAGE = Usage()

EndReason: TypeAlias = Literal[
    "done", "max_output_tokens", "content_filter", "max_steps", "max_rollout_tokens", "time_limit"
]
"""Why the conversation ended: the environment said so, the model's reply was cut, or a limit of the agent."""


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """Where the loop stops although the episode is not over; what was said until then is judged."""

    max_steps: int | None = 100
    """Model calls in one rollout."""
    max_rollout_tokens: int | None = None
    """Tokens the model may write in one rollout, checked between calls."""
    time_limit_s: float | None = None
    """Seconds, without those in which an endpoint that was gone was waited for; checked between calls."""


@dataclass(slots=True)
class Trajectory:
    """What an agent brings back from one episode."""

    transcript: Transcript
    end_reason: EndReason
    model: str
    usage: Usage
    trace: TokenTrace | None
    """Token ids of all calls, or None if the model does not know them."""
    calls: tuple[ModelCall, ...]
    model_s: float
    step_s: float


@dataclass(frozen=True, slots=True)
class ToolLoop:
    """The default agent; NeMo Gym calls it simple_agent."""

    limits: AgentLimits = AgentLimits()

    async def run(self, session: Session, model: Model, sampling: Sampling) -> Trajectory:
        """Play one episode. Raises Failure (`model`, `limit`, or what the session raises)."""
        talk = Conversation(session, model, sampling, self.limits)
        reason = None
        while reason is None:
            reason = await talk.turn()
        return talk.trajectory(reason)


class Conversation:
    """The state of one episode between model and session."""

    def __init__(self, session: Session, model: Model, sampling: Sampling, limits: AgentLimits) -> None:
        self.session = session
        self.model = model
        self.sampling = sampling
        self.limits = limits
        self.output: list[Item] = []
        self.rewards: list[float] = []
        self.usage = NO_USAGE
        self.model_name = model.name
        self.trace: TokenTrace | None = None
        self.calls: list[ModelCall] = []
        self.model_s = 0.0
        self.step_s = 0.0
        self.started = time.monotonic() - stopped_s()

    async def turn(self) -> EndReason | None:
        """One model call and the environment's answer to it; the reason if the conversation is over."""
        reply = await self.ask()
        # A cut reply is not acted on: its last call may be half of one.
        if reply.stop_reason in ("max_output_tokens", "content_filter"):
            return reply.stop_reason
        step = await self.act(reply)
        return self.end_after(step)

    async def ask(self) -> Reply:
        """One model call, taken into the conversation."""
        began = time.monotonic()
        conversation = [*self.session.prompt, *self.output]
        reply = await self.model.respond(conversation, self.session.tools, self.sampling_now(), self.trace)
        self.model_s += time.monotonic() - began
        self.take(reply)
        return reply

    async def act(self, reply: Reply) -> Step:
        """What the environment answers to a reply, taken into the conversation."""
        began = time.monotonic()
        step = await self.session.step(reply.items)
        self.step_s += time.monotonic() - began
        self.output.extend(step.items)
        if step.reward is not None:
            self.rewards.append(step.reward)
        return step

    def end_after(self, step: Step) -> EndReason | None:
        """Why the conversation is over after a step, if it is."""
        return "done" if step.done else self.limit_reached()

    def sampling_now(self) -> Sampling:
        sampling = self.sampling
        if sampling.seed is not None and self.calls:
            # Equal seeds in every turn would make the turns' random choices equal too.
            return sampling.with_seed((sampling.seed + len(self.calls)) % 2**31)
        return sampling

    def take(self, reply: Reply) -> None:
        """Add a reply to what the episode holds. Raises Failure if its tokens do not continue the rollout's."""
        first, usage, tokens = len(self.output), reply.usage, reply.tokens
        counted = (usage.input_tokens, usage.output_tokens)
        generation_start = None
        if tokens is not None:
            self.trace = self.trace or TokenTrace()
            self.trace.extend(tokens, turn=len(self.calls) + 1)
            generation_start = len(tokens.prompt_ids)
            counted = (generation_start, len(tokens.ids))
        self.output.extend(reply.items)
        self.calls.append(ModelCall(first, len(self.output), *counted, reply.stop_reason, generation_start))
        self.usage = usage if self.usage is NO_USAGE else self.usage + usage
        self.model_name = reply.model

    def limit_reached(self) -> EndReason | None:
        limits = self.limits
        if limits.max_steps is not None and len(self.calls) >= limits.max_steps:
            return "max_steps"
        if limits.max_rollout_tokens is not None and self.usage.output_tokens >= limits.max_rollout_tokens:
            return "max_rollout_tokens"
        if limits.time_limit_s is not None and time.monotonic() - stopped_s() - self.started >= limits.time_limit_s:
            return "time_limit"
        return None

    def trajectory(self, reason: EndReason) -> Trajectory:
        return Trajectory(
            transcript=Transcript(tuple(self.session.prompt), tuple(self.output), tuple(self.rewards)),
            end_reason=reason,
            model=self.model_name,
            usage=self.usage,
            trace=self.trace,
            calls=tuple(self.calls),
            model_s=self.model_s,
            step_s=self.step_s,
        )
