"""The environment under check, and a rule it keeps or breaks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from palestra.conformance.cases import Case
from palestra.conformance.roles import ruled_roles
from palestra.core.discovery import Source
from palestra.core.errors import Failure
from palestra.hosts.local import LocalHost
from palestra.wire.rows import Opening

TASKS_PROBED = 5


@dataclass
class Rule:
    """One rule, and where it is broken."""

    name: str
    problems: list[str] = field(default_factory=list[str])
    checked: int = 0

    def demand(self, holds: bool, problem: str) -> None:
        self.checked += 1
        if not holds:
            self.problems.append(problem)


@dataclass
class Subject:
    """The environment under check."""

    source: Source
    rows: list[dict[str, Any]]
    cases: list[Case]
    host: LocalHost
    options: BaseModel

    def row_of(self, case: Case) -> dict[str, Any]:
        return self.rows[case.task] if isinstance(case.task, int) else case.task

    def plays_as_it_is(self, case: Case) -> bool:
        """Whether a case needs no other options and models than the environment has; variants differ in theirs."""
        return not case.roles and self.source.options(case.options) == self.options

    @asynccontextmanager
    async def host_for(self, case: Case) -> AsyncIterator[LocalHost]:
        if not case.options and not case.roles:
            yield self.host
            return
        roles = {**self.host.roles, **ruled_roles(case.roles)}
        host = LocalHost(self.source, self.source.options(case.options), self.host.pool, roles, self.host.lent)
        try:
            yield host
        finally:
            await host.close()

    async def opened(self, row: dict[str, Any]) -> Opening | Failure:
        """Prompt and tools of a row's episode, or why there is none."""
        try:
            session = await self.host.open(row, seed=0)
            await session.close()
        except Failure as failure:
            return failure
        return Opening(session.prompt, session.tools)
