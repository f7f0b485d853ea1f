"""The host process of cases that are run in a sandbox: it opens one, and does what the checker outside orders, line by
line. It is a process of its own because a case may harm it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any, cast

from palestra.conformance.boundary.corpus import HIDDEN_TESTS
from palestra.core.errors import Failure, PalestraError, describe
from palestra.core.sandbox import Input, Limits, Program, Run, Sandbox
from palestra.sandbox.local import LocalSandbox
from palestra.sandbox.nursery import Kind

TOLD = 1 << 20
"""Characters of output that are reported; what must not be printed is looked for in them."""


async def honest(sandbox: Sandbox, order: dict[str, Any], limits: Limits) -> dict[str, Any]:
    run = await sandbox.run(Program(order["code"]), Input(stdin="5\n"), limits=limits)
    return {"ok": run.ok and run.output.split() == ["25"], "why": f"{run.status}: {run.errors[-300:]}"}


async def hostile(sandbox: Sandbox, order: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Run a case: a safety case once, a solution on the hidden tests, whose expected outputs stay here."""
    began = time.monotonic()
    by_call = order["kind"] == "grade" and order["mode"] == "fn"
    tests = HIDDEN_TESTS if order["kind"] == "grade" else HIDDEN_TESTS[:1]
    inputs = [Input(arguments=(given,)) if by_call else Input(stdin=f"{given}\n") for given, _ in tests]
    program = Program(order["code"], call="square" if by_call else None)
    runs = [run async for run in sandbox.runs(program, inputs, limits=limits)]
    right = [is_right(run, expected, by_call=by_call) for run, (_, expected) in zip(runs, tests, strict=True)]
    output = "\n".join(f"{run.output}\n{run.errors}\n{run.error or ''}\n{run.value!r}" for run in runs)
    return {
        "output": output[:TOLD],
        "kept_bytes": max(len(run.output.encode()) + len(run.errors.encode()) for run in runs),
        "verdict": "pass" if all(right) else "fail",
        "statuses": [run.status for run in runs],
        "wall_s": (time.monotonic() - began) / len(runs),
    }


def is_right(run: Run, expected: int, *, by_call: bool) -> bool:
    if by_call:
        return run.ok and type(run.value) is int and run.value == expected
    return run.ok and run.output.split() == [str(expected)]


async def serve(backend: Kind) -> None:
    sandbox = LocalSandbox(backend, 1)
    async for order in orders():
        try:
            if order["step"] == "close":
                await sandbox.close()
                reply: dict[str, Any] = {"ok": True}
            else:
                limits = Limits.model_validate(order["limits"])
                reply = await (honest if order["step"] == "honest" else hostile)(sandbox, order, limits)
        except (Failure, PalestraError) as error:
            reply = {"ok": False, "why": describe(error), "trouble": describe(error)}
        tell(reply)


async def orders() -> AsyncGenerator[dict[str, Any]]:
    """What is asked for, until it is the end. Read in a thread: the sandbox lives on the loop meanwhile."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        if order["step"] == "end":
            return
        yield order


def tell(reply: dict[str, Any]) -> None:
    print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    tell({"ok": True})
    asyncio.run(serve(cast("Kind", sys.argv[1])))
