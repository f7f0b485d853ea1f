"""A bridge to aviary's environments: they observe, offer tools, step and reward; here their step rewards are summed."""

import asyncio
import math
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

import palestra
from palestra import Environment, Failure, Item, Step, Task, Transcript, Verdict
from palestra.core.model import ToolSchema
from palestra.core.tools import error_text
from palestra.core.transcript import function_calls, is_assistant_message, split_turns, user_message

from .arguments import NotJson, fitted, read_arguments
from .lanes import Lanes

if TYPE_CHECKING:
    from .episode import Episode, Request
    from .tasks import Tasks

NOT_JSON = "Invalid tool call arguments (not a valid JSON)"
NO_CALL = "No tool was called. Go on by calling one of the tools."
EPISODE_OVER = "The episode was over before this call."
NOT_RUN = "Not run, as another call of the same reply cannot be used."
MAX_CALLS = 100
"""Calls in one reply."""


class AviaryTask(Task):
    task_idx: int = Field(ge=0)
    """The number of the task in its dataset, from 0."""


class Shared:
    """What all episodes of a host use: the dataset and the threads that environments run on."""

    def __init__(self, tasks: "Tasks", lanes: Lanes) -> None:
        self.tasks = tasks
        self.lanes = lanes


class Aviary(Environment[AviaryTask]):
    adds_to_rows = True

    class Options(palestra.Options):
        dataset: str = "gsm8k"
        """`gsm8k`, `hotpotqa`, another name that aviary knows, or `module:Class` of a TaskDataset."""
        source: Literal["shipped", "package"] = "shipped"
        """Whether the questions shipped here are asked, or those that the dataset's own package loads."""
        arguments: dict[str, Any] = Field(default_factory=dict)
        """What a package's dataset is made with, such as `{"split": "train"}`."""
        pages: str = "shipped"
        """Where hotpotqa searches: `shipped`, `wikipedia` (live), or a JSONL file of `{"title", "text"}`."""
        max_steps: int | None = Field(default=None, ge=1)
        """The episode ends after so many replies."""
        done_if_no_tool_calls: bool = True
        """Whether a message without a call ends the episode; if not, the model is asked to go on."""
        return_transitions: bool = False
        """Whether the rollout gets `transitions`: the whole conversation after each step, as a list of lists."""
        step_timeout_s: float = Field(default=60.0, gt=0)
        """The longest that an environment may take to start, to step, and to close."""
        threads: int = Field(default=4, ge=1)
        """Event loops that the environments of a host are spread over."""
        compatible: bool = False
        """Pay as aviary and NeMo Gym do: all calls of a reply count, and answers that merely hold the gold one."""

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Options) -> AsyncGenerator[Shared]:
        def opened() -> "Tasks":
            # aviary imports litellm, which else downloads a price list on import, and tries for seconds offline.
            os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            from .tasks import open_tasks

            return open_tasks(
                dataset=options.dataset,
                source=options.source,
                arguments=options.arguments,
                pages=options.pages,
                compatible=options.compatible,
            )

        lanes = Lanes(options.threads)
        try:
            yield Shared(await asyncio.to_thread(opened), lanes)
        finally:
            await asyncio.to_thread(lanes.close)

    async def setup(self) -> None:
        from .episode import Episode

        self.episode: Episode | None = None
        self.steps = 0
        self.over = False
        shared, timeout_s = self.context.shared, self.options.step_timeout_s
        lane = shared.lanes.lend()

        async def made() -> Any:
            return shared.tasks.new(self.task.task_idx)

        try:
            environment = await lane.call(made, timeout_s=timeout_s)
        except IndexError as error:
            raise Failure("environment", str(error), code="task-invalid") from error
        self.episode = Episode(environment, lane, timeout_s)
        self.observations, self.offered = await self.episode.reset()

    async def close(self) -> None:
        if self.episode is not None:
            await self.episode.close()

    def prompt(self) -> list[Item]:
        return self.observations

    def tool_schemas(self) -> list[ToolSchema]:
        return self.offered

    async def step(self, items: Sequence[Item]) -> Step:
        calls = function_calls(items)
        if not calls:
            return self.without_calls(items)
        self.steps += 1
        step = await self.act(calls)
        self.over = step.done
        return Step(step.items, done=step.done or self.steps == self.options.max_steps, reward=step.reward)

    def without_calls(self, items: Sequence[Item]) -> Step:
        """A message ends the episode or is answered; without one, only reasoning was written and the model goes on."""
        if not any(map(is_assistant_message, items)):
            return Step()
        if self.options.done_if_no_tool_calls:
            return Step(done=True)
        self.steps += 1
        return Step((user_message(NO_CALL),), done=self.steps == self.options.max_steps)

    async def act(self, calls: Sequence[Item]) -> Step:
        """Have the environment act, unless the calls cannot be used."""
        try:
            requests = [self.request(call) for call in calls]
        except NotJson:
            return Step((user_message(NOT_JSON),), reward=0.0)
        usable = [request for request in requests if not isinstance(request, str)]
        if len(usable) < len(calls) or len(calls) > MAX_CALLS:
            return Step(tuple(map(refused, calls, requests)), reward=0.0)
        return await self.all_at_once(usable) if self.options.compatible else await self.one_by_one(calls, usable)

    def request(self, call: Item) -> "Request | str":
        """The call as a request, or what is wrong with it. What no tool is called is for the environment to answer."""
        from .episode import Request

        name = str(call.get("name") or "")
        parameters = {tool["name"]: tool["parameters"] for tool in self.offered}
        try:
            arguments = read_arguments(call)
            if name in parameters:
                arguments = fitted(parameters[name], arguments)
            elif not isinstance(arguments, dict):
                arguments = {}
        except NotJson:
            raise
        except ValueError as error:
            return str(error)
        return Request(str(call.get("call_id")), name, arguments)

    async def all_at_once(self, requests: "Sequence[Request]") -> Step:
        observed = await self.running.step(requests)
        return Step(observed.items, done=observed.done, reward=observed.reward)

    async def one_by_one(self, calls: Sequence[Item], requests: "Sequence[Request]") -> Step:
        """One step of the environment a call, so that nothing counts that follows the call which ended the episode."""
        outputs: list[Item] = []
        rewards: list[float] = []
        done = False
        for call, request in zip(calls, requests, strict=True):
            if done:
                outputs.append(refused(call, EPISODE_OVER))
                continue
            observed = await self.running.step([request])
            outputs.extend(observed.items)
            rewards.append(observed.reward)
            done = observed.done
        return Step(tuple(outputs), done=done, reward=math.fsum(rewards))

    @property
    def running(self) -> "Episode":
        assert self.episode is not None, "the episode was set up"
        return self.episode

    def verify(self, transcript: Transcript) -> Verdict:
        self.require_same_task(transcript)
        metrics: dict[str, Any] = {"steps": self.steps, "finished": self.over}
        if self.options.return_transitions:
            metrics |= {"contains_transitions": True, "group_id": str(self.task.task_idx)}
            metrics["transitions"] = transitions(transcript)
        reason = None if self.over else "the environment had not ended the episode"
        # Rounded because sums of decimals may miss what they stand for by a hair.
        return Verdict(round(math.fsum(transcript.step_rewards), 9), metrics=metrics, reason=reason)

    def require_same_task(self, transcript: Transcript) -> None:
        """NeMo Gym's output begins with the observations. Raises ValueError if they are of another dataset's task."""
        first = transcript.output[: len(self.observations)]
        if not first or first[0].get("role") != "user":
            return
        said, expected = [item.get("content") for item in first], [item["content"] for item in self.observations]
        if said != expected:
            raise ValueError(
                f"the conversation begins with {str(said[0])[:80]!r}, but task {self.task.task_idx} of this dataset "
                f"with {expected[0][:80]!r}; name the dataset that was played by the options source and arguments"
            )


def refused(call: Item, problem: object) -> Item:
    text = problem if isinstance(problem, str) else NOT_RUN
    return {"type": "function_call_output", "call_id": call.get("call_id"), "output": error_text(text)}


def transitions(transcript: Transcript) -> list[list[Item]]:
    """The whole conversation as it was after each reply and its answer."""
    said = list(transcript.prompt)
    found: list[list[Item]] = []
    for items, answers in split_turns(transcript.output):
        said = [*said, *items, *answers]
        found.append(said)
    return found
