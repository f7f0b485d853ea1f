"""A Python that keeps its names: a cell that lives from run to run, and is ended when it does not heed its limits."""

import asyncio
import math
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from palestra.core.errors import Failure
from palestra.core.sandbox import DEFAULT_LIMITS, Limits, Run
from palestra.sandbox.exchange import Cell, OpenCell, ended, outcome_of
from palestra.sandbox.inside.values import Malformed, decode, encode

GRACE_S = 2.0
"""How long code may take to heed the interrupt at its limit, before its process is ended with all its names."""
LIFETIME_S = 7 * 24 * 3600.0
"""Of the process; what a run may take is measured by the run."""
KEPT = "the run was interrupted at its limit; the names are kept"
ENDED = "the process ended in the middle of the run"
LOST = "the process was ended; its names are gone"
STATUSES = ("ok", "raised", "cpu_limit", "wall_limit", "memory_limit")


class CellInterpreter:
    """One interpreter. Its process starts with the first run, and again after one that ended it."""

    def __init__(self, open_cell: OpenCell, limits: Limits = DEFAULT_LIMITS, prelude: str = "") -> None:
        self.open_cell = open_cell
        self.limits = limits
        self.prelude = prelude
        self.cell: Cell | None = None
        self.opened = AsyncExitStack()
        self.turn = asyncio.Lock()
        self.number = 0

    async def run(self, code: str, *, wall_s: float | None = None) -> Run:
        """Run statements; `value` is the repr of a last expression.

        At `wall_s` (the limit of the interpreter unless given) or at the limit of CPU time the run is interrupted and
        the names are kept; code that goes on all the same is ended, with the names. `notes` say which it was.
        """
        async with self.turn:
            cell = self.cell or await self.started()
            return await self.asked(cell, code, self.limits.wall_s if wall_s is None else wall_s)

    async def started(self) -> Cell:
        """A fresh process, with what the prelude defines. Raises Failure (`sandbox`) if the prelude fails."""
        own = self.limits.model_copy(update={"cpu_s": LIFETIME_S, "wall_s": LIFETIME_S})
        self.cell = cell = await self.opened.enter_async_context(self.open_cell("interpreter", b"", own))
        if self.prelude:
            run = await self.asked(cell, self.prelude, self.limits.wall_s)
            if not run.ok:
                await self.lost()
                raise Failure("sandbox", f"the prelude of an interpreter failed: {run.error or run.status}")
        return cell

    async def asked(self, cell: Cell, code: str, wall_s: float) -> Run:
        self.number += 1
        own = self.limits
        began_s = time.monotonic()
        request = {"number": self.number, "code": code, "wall_s": wall_s, "cpu_s": own.cpu_s}
        try:
            await cell.send(encode(request | {"output_bytes": own.output_bytes}))
            answer = await asyncio.wait_for(cell.receive(), wall_s + GRACE_S)
            return replace(told(decode(answer), self.number), wall_s=time.monotonic() - began_s)
        except TimeoutError:
            await self.lost()
            return Run("wall_limit", notes=(LOST,))
        except Malformed as error:
            await self.lost()
            return Run("died", error=str(error), notes=(LOST,))
        except EOFError:
            run = ended(await outcome_of(cell), ENDED)
            await self.lost()
            return replace(run, notes=(*run.notes, LOST))

    async def lost(self) -> None:
        self.cell = None
        await self.opened.aclose()

    async def close(self) -> None:
        await self.lost()


def told(answer: Any, number: int) -> Run:
    """What the process said of a run. Raises Malformed for what is no answer to it: the code shares the process."""
    try:
        if answer["number"] != number or answer["status"] not in STATUSES:
            raise Malformed("not the answer to this run")
        texts = {name: answer.get(name) for name in ("value", "error", "error_repr", "trace")}
        texts |= {name: answer[name] for name in ("output", "errors")}
        if not all(type(text) is str or text is None for text in texts.values()):
            raise Malformed("an answer that is no text")
        used_s = answer["cpu_s"]
        if type(used_s) is not float or not 0 <= used_s < math.inf:
            raise Malformed("an answer that took no time")
        cut = [name for name, is_cut in zip(("output", "error"), answer["cut"], strict=True) if is_cut]
        notes = [f"standard {name} cut" for name in cut]
        notes += [KEPT] if answer["status"].endswith("_limit") else []
        return Run(answer["status"], truncated=bool(cut), notes=tuple(notes), cpu_s=used_s, **texts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed("not an answer") from error
