"""The class an author writes: an instance is one episode, used once."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict

from palestra.core.context import Context
from palestra.core.model import Item, ToolSchema
from palestra.core.session import Step
from palestra.core.task import Task
from palestra.core.tools import Tool, answered, run_named, tools_of
from palestra.core.transcript import Transcript, function_calls, is_assistant_message
from palestra.core.verdict import Verdict

TaskType = TypeVar("TaskType", bound=Task)

Judgement = Verdict | float | bool
"""What `verify` may return."""


class Options(BaseModel):
    """Base of an environment's knobs; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Environment(Generic[TaskType]):
    """One episode: state is `self.x`, tools are `@tool` methods, judging is `verify`.

    Write `class Mine(Environment[MyTask])`, give it `prompt` and `verify`, and tools if it has any. `setup`, `close`,
    `step`, `verify` and tools may be `def` or `async def`. What is slow or can hang goes through `self.context.grade`.
    """

    Options: ClassVar[type[BaseModel]] = Options
    task_type: ClassVar[type[Task]] = Task
    tools: ClassVar[dict[str, Tool]] = {}
    adds_to_rows: ClassVar[bool] = False
    """Whether `prompt` and the tools are added to what a row brings, instead of being left out for it."""

    def __init__(self, task: TaskType, context: Context, options: Any) -> None:
        self.task = task
        self.context = context
        self.options = options

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for base in vars(cls).get("__orig_bases__", ()):
            origin, arguments = get_origin(base), get_args(base)
            if isinstance(origin, type) and issubclass(origin, Environment) and isinstance(arguments[0], type):
                cls.task_type = arguments[0]
        cls.tools = tools_of(cls)

    def prompt(self) -> str | list[Item]:
        """What the model is asked: one user message, or Responses items. Not used for rows that bring their own."""
        raise TypeError(f"{type(self).__name__} has no prompt(), and the row brings no responses_create_params")

    def tool_schemas(self) -> Sequence[ToolSchema]:
        """The tools the model is offered, read after setup: the `@tool` methods, unless an episode has its own."""
        return [tool.schema for tool in self.tools.values()]

    def setup(self) -> Awaitable[None] | None:
        """Prepare the episode, before the prompt is read."""

    def close(self) -> Awaitable[None] | None:
        """Give back what the episode holds. Always runs, also when setup failed half-way."""

    async def step(self, items: Sequence[Item]) -> Step:
        """Act on the items the model just produced.

        By default every function call is answered, in order, and the episode is done when the model spoke without
        calling a tool. Override it to end episodes, give step rewards or speak as the user.
        """
        outputs: list[Item] = []
        for call in function_calls(items):
            outputs.append(await answered(call, self.run_tool))
        return Step(tuple(outputs), done=not outputs and any(map(is_assistant_message, items)))

    async def run_tool(self, name: str, arguments: str) -> str:
        """What one call is answered: the name the model used and the JSON text of its arguments, neither checked.

        Override it where answers have a form of their own, also those to unknown tools and to wrong arguments.
        """
        return await run_named(self, self.tools, name, arguments)

    def verify(self, transcript: Transcript) -> Judgement | Awaitable[Judgement]:
        """Judge the conversation."""
        raise NotImplementedError(f"{type(self).__name__} has no verify()")

    def verify_group(
        self, transcripts: Sequence[Transcript], rewards: Sequence[float]
    ) -> Sequence[Judgement] | Awaitable[Sequence[Judgement]]:
        """Judge all conversations about one task by comparing them: a pass over finished rollouts.

        `rewards` are what they were given one by one. One judgement a transcript, in their order. The instance is an
        episode of that task which nobody played. See `palestra verify --group`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no verify_group()")

    @classmethod
    def roles(cls, options: Any) -> tuple[str, ...]:
        """The further models that episodes ask for, such as `judge`; a run that lacks one does not start."""
        return ()

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Any) -> AsyncGenerator[Any]:
        """Something all episodes of a host use (an index, a pool); entered once, found as `self.context.shared`."""
        yield None

    @classmethod
    def generate(cls, seed: int, n: int, options: Any) -> Iterator[dict[str, Any]]:
        """`n` task rows that depend on nothing but the seed and the options, for environments that can make tasks."""
        raise NotImplementedError(f"{cls.__name__} cannot generate tasks")

    @classmethod
    def can_generate(cls) -> bool:
        return any("generate" in vars(base) for base in cls.__mro__[: cls.__mro__.index(Environment)])


async def settled(value: Any) -> Any:
    """The value, awaited if it has to be: lets authors choose `def` or `async def`."""
    return await value if value is not None and inspect.isawaitable(value) else value
