"""What comes over TCP and is no sound request gets what it deserves, and the next request is served."""

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from palestra.conformance.check import subject_of
from palestra.core.deadline import TimeLimits
from palestra.core.discovery import find
from palestra.serve import door, protocol
from tests.served_environments import served
from tests.serving import request

PATIENCE_S = 20.0
SHORT_S = 0.4
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
PIPELINED = 100


@asynccontextmanager
async def server() -> AsyncGenerator[str, None]:
    async with subject_of(find("mcqa"), "strong") as subject, served(subject.host) as url:
        yield url


def sent_of(case: dict[str, Any]) -> bytes:
    made = case.get("gen") or {}
    if "rep" in made:
        first, unit, count, second, other, times, last = made["rep"]
        return (first + unit * count + second + other * times + last).encode("latin-1")
    return case["raw"].encode("latin-1")


async def answered(url: str, case: dict[str, Any]) -> tuple[list[int], bytes]:
    """The statuses that come back for a case, and all that comes; until the server closes, or says no more."""
    made = case.get("gen") or {}
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    received = bytearray()

    wanted = PIPELINED if case["expect"] == "200s" else 1

    async def receive() -> None:
        while len(STATUS.findall(bytes(received))) < wanted and (piece := await reader.read(65536)):
            received.extend(piece)

    receiving = asyncio.create_task(receive())
    with suppress(ConnectionError):
        writer.write(sent_of(case))
        await writer.drain()
        for _ in range(4000):
            if receiving.done() or not ("repeat" in made or "drip" in made):
                break
            writer.write(made["repeat"].encode("latin-1") if "repeat" in made else b"X")
            await writer.drain()
            await asyncio.sleep(SHORT_S / 8 if "drip" in made else 0)
        if "half_close" in made:
            writer.write_eof()
    await asyncio.wait({receiving}, timeout=3 * SHORT_S if case["expect"] == "any" else PATIENCE_S)
    receiving.cancel()
    with suppress(ConnectionError, asyncio.CancelledError):
        await receiving
    writer.close()
    return [int(status) for status in STATUS.findall(bytes(received))], bytes(received)


def holds(expected: str, statuses: list[int], received: bytes, secret: str) -> bool:
    first = statuses[0] if statuses else None
    if expected in ("4xx", "4xx_431", "timeout_4xx"):
        return first is not None and 400 <= first < 500
    if expected in ("close", "timeout_close"):
        return first is None or 400 <= first < 500
    if expected == "200s":
        return statuses == [200] * PIPELINED
    if expected == "no_secret":
        return secret.encode() not in received and first is not None and first >= 400
    return expected == "any" or first == int(expected)


def test_every_case_meets_what_it_expects_and_the_next_request_is_served(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [json.loads(line) for line in (shared / "data/corpus/http_bad.jsonl").read_text().splitlines()]
    monkeypatch.setattr(door, "BODIES", TimeLimits(SHORT_S))
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", SHORT_S)
    secret = "a-secret-of-this-process"
    monkeypatch.setitem(os.environ, "PALESTRA_TEST_SECRET", secret)

    async def used() -> list[tuple[str, str, list[int]]]:
        broken: list[tuple[str, str, list[int]]] = []
        async with server() as url:
            for case in cases:
                async with asyncio.timeout(PATIENCE_S):
                    statuses, received = await answered(url, case)
                    if not holds(case["expect"], statuses, received, secret):
                        broken.append((case["id"], case["expect"], statuses))
                    assert await request(f"{url}/") == (200, {"status": "ok"}), case["id"]
        return broken

    assert asyncio.run(used()) == []
    assert len(cases) > 40
