"""The sandbox that hosts lend: opened once, when it is first used, and closed with the run."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest

from palestra.core.discovery import find
from palestra.core.errors import PalestraError
from palestra.core.sandbox import Check, Input, Limits, Program
from palestra.hosts import lent_sandbox
from palestra.hosts.lent_sandbox import LentSandbox, lend
from tests.collection.workspace import ECHO, Workspace
from tests.hosts.in_memory_sandbox import Opener

LIMITS = Limits(cpu_s=3)


def test_it_is_opened_once_however_many_ask() -> None:
    opener = Opener()

    async def use() -> None:
        lent = LentSandbox(opener=opener)
        assert opener.opened == []
        with pytest.raises(RuntimeError, match="not open yet"):
            _ = lent.backend
        runs = await asyncio.gather(*(lent.run(Program(str(number)), Input("\n")) for number in range(20)))
        assert [run.output for run in runs] == [f"{number}\n" for number in range(20)]
        assert (lent.backend, lent.is_strong) == ("namespaces", True)
        await lent.close()
        await lent.close()

    asyncio.run(use())
    assert [sandbox.log for sandbox in opener.opened] == [["close"]]


def test_everything_is_passed_on() -> None:
    opener = Opener()

    async def use() -> None:
        lent = LentSandbox("weak", opener)
        check = await lent.check(Check("a", "b"), limits=LIMITS)
        assert (check.output, check.notes) == ("ab", ("3.0",))
        assert (await lent.run(Program("x"), limits=LIMITS)).notes == ("3.0",)
        found = [run async for run in lent.runs(Program("x"), [Input("1"), Input("2")], limits=LIMITS, isolated=False)]
        assert [(run.output, run.notes) for run in found] == [("x1", ("3.0", "False")), ("x2", ("3.0", "False"))]
        async with lent.interpreter(limits=LIMITS, prelude="p") as interpreter:
            assert interpreter == "interpreter 3.0 p"
        async with lent.workspace({"f": b""}, image="i", folder="/t") as workspace:
            assert workspace == "workspace ['f'] i /t"
        assert (lent.backend, lent.is_strong) == ("weak", False)

    asyncio.run(use())
    assert opener.opened[0].log == ["runs ended", "interpreter ended", "workspace ended"]


def test_runs_that_are_not_wanted_any_more_are_not_made() -> None:
    opener = Opener()

    async def use() -> None:
        found = LentSandbox(opener=opener).runs(Program("x"), [Input()] * 5)
        async for _ in found:
            break
        await found.aclose()
        assert opener.opened[0].log == ["runs ended"]

    asyncio.run(use())


def test_a_missing_boundary_is_told_each_time() -> None:
    opener = Opener(strong=None)

    async def use() -> None:
        lent = LentSandbox(opener=opener)
        for _ in range(2):
            with pytest.raises(PalestraError) as error:
                await lent.run(Program("x"))
            assert error.value.code == "sandbox-missing"
            assert "--sandbox weak" in error.value.fix
        opener.strong = "landlock"
        assert (await lent.open()).backend == "landlock"

    asyncio.run(use())


@pytest.mark.parametrize("needs", [True, False])
def test_it_is_open_before_the_run_only_if_an_environment_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: bool
) -> None:
    opener = Opener()
    monkeypatch.setattr(lent_sandbox, "open_sandbox", opener)
    source = find(str(Workspace(tmp_path).environment("runs", ECHO, sandbox=needs)))

    async def use() -> None:
        async with AsyncExitStack() as stack:
            lent = await lend("strong", [source], stack)
            assert (lent.opened is not None) == needs
            assert len(opener.opened) == int(needs)
            assert cast("object", lent.policy) == "strong"

    asyncio.run(use())
    assert [sandbox.log for sandbox in opener.opened] == [["close"]] * needs
