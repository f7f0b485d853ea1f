"""The base of environments that ask a judge."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from palestra.core.environment import Environment
from palestra.core.task import Task
from palestra.grading.judge_options import JudgeOptions, JudgeResources, judge_resources

TaskType = TypeVar("TaskType", bound=Task)


class JudgedEnvironment(Environment[TaskType]):
    """An environment whose Options are JudgeOptions. In `verify` it makes a `Judge(self.context, self.options)`."""

    @classmethod
    def roles(cls, options: JudgeOptions) -> tuple[str, ...]:
        return options.judge_roles if options.asks_judge else ()

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Any) -> AsyncGenerator[JudgeResources]:
        """The bound on judge calls and the cache, for all episodes of a host."""
        async with judge_resources(options) as resources:
            yield resources
