"""Sandboxes for all who need one: started on demand, used by one at a time, in the order of asking."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from palestra.core.errors import Failure
from palestra.sandbox.nursery import Nursery, Plan

WAIT_S = 3600.0
"""How long a place in the queue may last. Runs are bounded, so that only a sandbox that is far too small gets there."""


@dataclass(slots=True)
class Place:
    """One who waits."""

    granted: asyncio.Future[None]


class Pool:
    """Up to `most` sandboxes set up alike."""

    def __init__(self, plan: Plan, most: int | None = None, *, single_use: bool = False) -> None:
        self.plan = plan
        self.most = most or os.cpu_count() or 1
        self.single_use = single_use
        self.idle: list[Nursery] = []
        self.all: set[Nursery] = set()
        self.in_use = 0
        self.queue: deque[Place] = deque()
        self.is_closed = False

    @asynccontextmanager
    async def nursery(self) -> AsyncGenerator[Nursery]:
        """A sandbox for the block. One that is broken after it is replaced. Raises Failure (`sandbox`)."""
        await self.enter()
        try:
            nursery = await self.take()
            try:
                yield nursery
            finally:
                await self.give_back(nursery)
        finally:
            self.leave()

    async def enter(self) -> None:
        if self.in_use < self.most and not self.queue:
            self.in_use += 1
            return
        place = Place(asyncio.get_running_loop().create_future())
        self.queue.append(place)
        try:
            async with asyncio.timeout(WAIT_S):
                await place.granted
        except BaseException as error:
            if place.granted.done() and not place.granted.cancelled():
                self.leave()
            elif place in self.queue:
                self.queue.remove(place)
            if isinstance(error, TimeoutError):
                raise Failure("sandbox", f"no sandbox was free for {WAIT_S:g} s", retryable=True) from error
            raise

    def leave(self) -> None:
        """Hand the place on to whoever waits longest."""
        while self.queue:
            place = self.queue.popleft()
            if not place.granted.done():
                place.granted.set_result(None)
                return
        self.in_use -= 1

    async def take(self) -> Nursery:
        if self.is_closed:
            raise Failure("sandbox", "the sandbox is closed")
        while self.idle:
            nursery = self.idle.pop()
            if nursery.process.poll() is None and not nursery.is_broken:
                return nursery
            await self.discard(nursery)
        nursery = await Nursery.start(self.plan)
        self.all.add(nursery)
        return nursery

    async def give_back(self, nursery: Nursery) -> None:
        if nursery.is_broken or self.single_use or self.is_closed:
            await self.discard(nursery)
        else:
            self.idle.append(nursery)

    async def discard(self, nursery: Nursery) -> None:
        self.all.discard(nursery)
        await asyncio.shield(nursery.close())

    async def close(self) -> None:
        self.is_closed = True
        await asyncio.gather(*(self.discard(nursery) for nursery in list(self.all)))
        self.idle.clear()
