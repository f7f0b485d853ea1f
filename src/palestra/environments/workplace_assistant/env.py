"""Office work with 27 tools over five tables: what the tables hold at the end is compared with what they should."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

import palestra
from palestra import Environment, Failure, Item, Task, Transcript, Verdict
from palestra.core.task import asked
from palestra.core.tools import compact_json
from palestra.core.transcript import Call

from .calling import WRITING, Desk, answer, replay
from .comparing import mismatch
from .csv_tables import read_tables
from .generated_tables import generated_tables
from .requests import make_task
from .tables import Tables

INSTRUCTIONS = (
    "You are the assistant of Robin and do office work with the given tools. Now is Thursday, 2023-11-30, 23:59:00. "
    "Do exactly what is asked, and nothing else. Ask nothing back; look up what you need to know."
)
OTHER_TABLES = "Name the folder of the tables that the row is about with --option tables=FOLDER."


class GroundTruthCall(BaseModel):
    """A tool call that fulfils the request, or a part of it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    arguments: str | dict[str, Any]
    """As JSON text, or as an object."""

    def call(self) -> Call:
        return Call(self.name, self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments))


class WorkplaceTask(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    ground_truth: tuple[GroundTruthCall, ...]
    """Calls after which the tables are as they should be; none if nothing is to be changed."""
    tables: str | None = None
    """Fingerprint of the tables that the row is about; a row without one is taken for whatever tables there are."""

    @field_validator("ground_truth")
    @classmethod
    def must_be_objects(cls, given: tuple[GroundTruthCall, ...]) -> tuple[GroundTruthCall, ...]:
        for entry in given:
            if entry.call().parsed() is None:
                raise ValueError(f"the arguments of {entry.name} are no JSON object")
        return given


class Workplace(Desk, Environment[WorkplaceTask]):
    class Options(palestra.Options):
        difficulty: Literal[1, 2, 3, 4] = 2
        """Of generated tasks. 1: one action, all is said; 2: one action after a look-up; 3: the same on two to five
        rows; 4: actions on several tables."""
        tables: Path | None = None
        """Folder with CSV tables in NeMo Gym's form; left out, the environment's own are used."""
        compatible: bool = False
        """Compare as NeMo Gym does, with its regular expressions in searches."""

    def prompt(self) -> list[Item]:
        question = asked(self.task.question, "a question")
        return [
            {"type": "message", "role": "system", "content": INSTRUCTIONS},
            {"type": "message", "role": "user", "content": question},
        ]

    def setup(self) -> None:
        tables: Tables = self.context.shared
        if self.task.tables not in (None, tables.fingerprint):
            raise refused(f"the row is about tables {self.task.tables}, these are {tables.fingerprint}")
        truth = [entry.call() for entry in self.task.ground_truth]
        self.wanted, failed = replay(tables, truth, compatible=self.options.compatible)
        if failed and not self.options.compatible:
            raise refused(f"a call of ground_truth fails: {failed[0][:300]}")
        self.lay_out(tables, compatible=self.options.compatible)

    async def run_tool(self, name: str, arguments: str) -> str:
        return compact_json({"output": answer(self, Call(name, arguments))})

    def verify(self, transcript: Transcript) -> Verdict:
        compatible = self.options.compatible
        # A call that was never answered did nothing.
        calls = [call for call in transcript.calls if compatible or call.output is not None]
        done, failed = replay(self.tables, calls, compatible=compatible)
        problem = mismatch(self.wanted, done, compatible=compatible)
        actions = sum(call.name in WRITING for call in calls)
        if problem is not None and self.task.tables is None and self.options.tables is None:
            problem += f" (these are the environment's own tables. {OTHER_TABLES})"
        return Verdict(
            float(problem is None), metrics={"actions": actions, "failed_actions": len(failed)}, reason=problem
        )

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Options) -> AsyncGenerator[Tables]:
        yield tables_of(options.tables)

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        tables = tables_of(options.tables)
        for index in range(n):
            yield make_task(Random(f"{seed}/{options.difficulty}/{index}"), tables, index, options.difficulty)


def tables_of(folder: Path | None) -> Tables:
    """The tables of a folder, or the environment's own. Raises PalestraError."""
    return generated_tables() if folder is None else read_tables(folder)


def refused(message: str) -> Failure:
    return Failure("environment", f"{message}. {OTHER_TABLES}", code="task-invalid")
