"""Each case runs on both event loops that Palestra runs on: they order what happens differently."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

LIMIT_S = 20


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine; what it leaves to the event loop's handler of errors fails the test."""
    factory = None
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop", reason="no uvloop: the extra `fast` is not installed").new_event_loop
    unheard: list[dict[str, Any]] = []

    async def bounded(main: Coroutine[Any, Any, Any]) -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
        async with asyncio.timeout(LIMIT_S):
            return await main

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            result = runner.run(bounded(main))
        assert unheard == []
        return result

    return run
