"""Every mutant of a right solution that shows on the tests' own inputs fails the tests."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from palestra.core.sandbox import Limits, Program, Run
from palestra.sandbox.local import LocalSandbox
from tests.sandbox.checking import humaneval, humaneval_check, in_sandbox
from tests.sandbox.mutants import mutants_of, shows

ANY_ANSWER = {
    "HumanEval/32": "any root of the polynomial is right, and a mutant may find another one",
}
"""Problems whose tests accept more than one answer: a difference is not a mistake there."""
LIMITS = Limits(cpu_s=3, wall_s=60)


def survivors(rows: list[dict[str, Any]], *, most: int | None = None) -> tuple[int, list[tuple[str, str]]]:
    """How many mutants differ, and those of them that pass all the same."""

    async def judged(sandbox: LocalSandbox) -> list[tuple[str, str, bool, Run]]:
        places = asyncio.Semaphore(4)

        async def one(row: dict[str, Any], mutant: str) -> tuple[str, str, bool, Run]:
            right, function = row["prompt"] + row["canonical_solution"], row["entry_point"]
            async with places:
                seen = await sandbox.run(Program(shows(right, mutant, function, row["test"])), limits=LIMITS)
                assert seen.output[:1].isdigit(), f"{row['task_id']}: no inputs were recorded: {seen.error}"
                check = await sandbox.check(humaneval_check(row, mutant), limits=LIMITS)
            return row["task_id"], mutant, "same" not in seen.output, check

        pairs = [
            (row, mutant)
            for row in rows
            for mutant in mutants_of(row["prompt"] + row["canonical_solution"], row["entry_point"], most=most)
        ]
        return await asyncio.gather(*(one(*pair) for pair in pairs))

    differing = [(task, mutant, run) for task, mutant, differs, run in in_sandbox(judged) if differs]
    return len(differing), [(task, mutant) for task, mutant, run in differing if run.ok and task not in ANY_ANSWER]


def test_a_mutant_of_some_problems_that_shows_fails(shared: Path) -> None:
    differing, passed = survivors(humaneval(shared)[40:70:3], most=2)
    assert differing > 10
    assert passed == []


@pytest.mark.slow
def test_every_mutant_that_shows_fails(shared: Path) -> None:
    differing, passed = survivors(humaneval(shared))
    assert differing > 1000
    assert passed == []
