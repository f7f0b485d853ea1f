"""Many checks in one sandbox, for tests that judge programs by the hundred."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from palestra.core.errors import PalestraError
from palestra.core.sandbox import Check, Limits, Run
from palestra.sandbox.local import LocalSandbox
from palestra.sandbox.open import open_sandbox

Result = TypeVar("Result")
LIMITS = Limits(cpu_s=10, wall_s=120)
AT_A_TIME = 4


def in_sandbox(use: Callable[[LocalSandbox], Awaitable[Result]]) -> Result:
    """What `use` makes of a sandbox behind the strong boundary; skips where there is none."""

    async def used() -> Result:
        try:
            sandbox = await open_sandbox()
        except PalestraError as error:
            pytest.skip(str(error))
        try:
            return await use(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(used())


def checked(checks: Sequence[Check], limits: Limits = LIMITS) -> list[Run]:
    """The runs of the checks, in their order."""

    async def all_of(sandbox: LocalSandbox) -> list[Run]:
        places = asyncio.Semaphore(AT_A_TIME)

        async def one(check: Check) -> Run:
            async with places:
                return await sandbox.check(check, limits=limits)

        return await asyncio.gather(*map(one, checks))

    return in_sandbox(all_of)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def humaneval(shared: Path) -> list[dict[str, Any]]:
    return rows_of(shared / "data/real/humaneval/HumanEval.jsonl")


def humaneval_check(row: dict[str, Any], solution: str | None = None) -> Check:
    code = row["prompt"] + row["canonical_solution"] if solution is None else solution
    return Check(code, row["test"], "check", row["entry_point"])


def mbpp_check(row: dict[str, Any]) -> Check:
    tests = [row["test_setup_code"], *row["test_list"], *row["challenge_test_list"]]
    return Check(row["code"], "\n".join(tests))
