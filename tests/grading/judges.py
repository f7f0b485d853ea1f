"""Judges that are written in a test, and a context that lends them."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from palestra.core.errors import Failure
from palestra.core.model import Item, Model, Reply, Sampling, TokenTrace, ToolSchema, Usage
from palestra.core.sandbox import Sandbox
from palestra.core.transcript import assistant_message, content_text
from palestra.grading.judge_options import JudgeOptions, judge_resources
from palestra.grading.judge_prompt import JudgePrompt

Result = TypeVar("Result")

PROMPT = JudgePrompt("Q: {question}\nGOLD: {expected_answer}\nCANDIDATE: {generated_answer}\n{verdict_format}")


class Options(JudgeOptions):
    def prompt(self) -> JudgePrompt:
        return PROMPT


class Scripted:
    """A judge whose reply to a prompt is what a function makes of it; a Failure is raised."""

    def __init__(self, say: Callable[[str, int], str | Reply | Failure], name: str = "scripted") -> None:
        self.say = say
        self.name = name
        self.prompts: list[str] = []
        self.sampling: list[Sampling] = []
        self.at_work = self.most_at_work = 0

    async def respond(
        self,
        items: Sequence[Item],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        trace: TokenTrace | None = None,
    ) -> Reply:
        prompt = "\n".join(content_text(item["content"]) for item in items)
        self.prompts.append(prompt)
        self.sampling.append(sampling)
        call = len(self.prompts) - 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        await asyncio.sleep(0)
        self.at_work -= 1
        said = self.say(prompt, call)
        if isinstance(said, Failure):
            raise said
        return said if isinstance(said, Reply) else reply(said)

    async def close(self) -> None:
        return


def reply(text: str, stop: Any = "stop") -> Reply:
    return Reply((assistant_message(text),), stop, "judge-1", Usage(100, 7))


def nonce_in(prompt: str) -> str:
    return prompt.split('"verdict_')[1].split('"', maxsplit=1)[0]


def verdict(prompt: str, name: str) -> str:
    """A verdict in the json protocol, as a judge that was asked by this prompt writes it."""
    return f'{{"verdict_{nonce_in(prompt)}": "{name}"}}'


class Lent:
    """The part of a Context that a judge needs."""

    folder = Path()
    random = Random(0)

    def __init__(self, shared: Any = None, seed: int = 5, **roles: Model) -> None:
        self.roles = roles
        self.shared = shared
        self.seed = seed

    def model(self, role: str) -> Model:
        return self.roles[role]

    @property
    def sandbox(self) -> Sandbox:
        raise AssertionError("a judge runs no code")

    async def grade(self, function: Callable[..., Result], *arguments: Any, deadline_s: float = 10.0) -> Result:
        return function(*arguments)


def run(action: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(action)


def with_shared(options: JudgeOptions, action: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
    """Run something with what the episodes of a host share."""

    async def entered() -> Result:
        async with judge_resources(options) as resources:
            return await action(resources)

    return asyncio.run(entered())
