"""What serving costs: requests/s and latency of /verify and of a tool, beside a bare route of the same server.

The baseline parses the same body and answers with the same bytes: a starlette route behind uvicorn with httptools. Each
server is a process of its own on one core, the client on the other. `requests_per_cpu_s` is what one core could do,
whatever else the machine was doing; `requests_per_s` is by the clock.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import measurements
import orjson

PARAMS = {"input": [{"role": "user", "content": "A question of middling length, with four options. " * 30}]}
MCQA = {"options": [{"A": "one"}, {"B": "two"}, {"C": "three"}, {"D": "four"}], "expected_answer": "C"}
COUNTER = {"initial_count": 0, "expected_count": 4}
REPLY = {
    "id": "resp", "created_at": 1, "model": "m", "object": "response", "parallel_tool_calls": True,
    "tool_choice": "auto", "tools": [],
    "output": [{"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": [
        {"type": "output_text", "text": "Let us see what each of them says. " * 40 + "\\boxed{C}", "annotations": []},
    ]}],
}  # fmt: skip
WARM_UP_S = 0.5
CORES = (0, 1)
TEN = "example_session_state_mgmt,mcqa,calendar,xlam_fc,math_with_judge,reasoning_gym,example_single_tool_call," \
    "example_multi_step,structured_outputs,word_problems"  # fmt: skip


class Player(asyncio.Protocol):
    """One connection, which asks the same thing again and again."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self.request = request
        self.latencies = latencies
        self.received = bytearray()
        self.expected = 0
        self.errors = 0
        self.stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.expected:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.received[:end]).lower()
            self.errors += not head.startswith(b"http/1.1 200")
            self.expected = end + 4 + int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(self.received) >= self.expected:
            self.latencies.append(time.perf_counter() - self.began)
            self.received.clear()
            self.expected = 0
            if not self.stopped:
                self.ask()


def request_of(url: str, path: str, body: bytes, cookie: str = "") -> bytes:
    place = urlsplit(url)
    head = f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
    head += f"Cookie: {cookie}\r\n" if cookie else ""
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def asked(url: str, requests: list[bytes], seconds: float, process: int) -> dict[str, Any]:
    """Requests/s of as many connections as there are requests, and what the process used for them."""
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    players: list[Player] = []
    for request in requests:
        _, player = await loop.create_connection(lambda r=request: Player(r, latencies), place.hostname, place.port)
        players.append(player)
    await asyncio.sleep(WARM_UP_S)
    latencies.clear()
    began, used = time.perf_counter(), cpu_of(process)
    await asyncio.sleep(seconds)
    count, elapsed, cpu_s = len(latencies), time.perf_counter() - began, cpu_of(process) - used
    for player in players:
        player.stopped = True
    await asyncio.sleep(WARM_UP_S)
    for player in players:
        player.transport.close()
    ordered = sorted(latencies[:count])
    return {
        "requests_per_s": round(count / elapsed),
        "requests_per_cpu_s": round(count / cpu_s),
        "p50_ms": round(ordered[count // 2] * 1e3, 2),
        "p99_ms": round(ordered[int(count * 0.99)] * 1e3, 2),
        "errors": sum(player.errors for player in players),
    }


def cpu_of(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def serving(*words: str) -> Iterator[tuple[list[str], int]]:
    """The URLs of a server, and its process."""
    command = ["taskset", "-c", str(CORES[0]), sys.executable, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        count = words[-1].count(",") + 1
        yield [json.loads(process.stdout.readline())["url"] for _ in range(count)], process.pid
    finally:
        process.terminate()
        process.wait(20)


def palestra(environments: str) -> tuple[str, ...]:
    start = "from palestra.cli.main import run; run()"
    return "-c", start, "serve", "--port", "0", "--json", "--max-requests", "4096", environments


@contextmanager
def bare(answer: bytes, folder: Path) -> Iterator[tuple[str, int]]:
    """The baseline: parse the body, answer these bytes."""
    path = folder / "answer.json"
    path.write_bytes(answer)
    with serving(str(Path(__file__).with_name("bare_server.py")), str(path)) as (urls, process):
        yield urls[0], process


async def posted(url: str, path: str, body: bytes) -> tuple[bytes, str]:
    """The body and the cookie of one answer."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(request_of(url, path, body))
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:] if ": " in line)
    cookie = next((line for line in head.decode().split("\r\n") if line.lower().startswith("set-cookie")), "")
    answer = await reader.readexactly(int(fields["content-length"]))
    writer.close()
    return answer, cookie.partition(": ")[2].partition(";")[0]


def compared(
    case: str, environment: str, path: str, seed: Any, body: Any, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Rows of one route, at each number of connections."""
    raw = orjson.dumps(body)
    rows: list[dict[str, Any]] = []
    for connections in options.connections:
        with serving(*palestra(environment)) as (urls, process):
            cookies = [""] * connections
            if seed is not None:
                cookies = asyncio.run(seeded(urls[0], orjson.dumps(seed), connections))
            answer, _ = asyncio.run(posted_with(urls[0], path, raw, cookies[0]))
            requests = [request_of(urls[0], path, raw, cookie) for cookie in cookies]
            ours = asyncio.run(asked(urls[0], requests, options.seconds, process))
        with tempfile.TemporaryDirectory() as folder, bare(answer, Path(folder)) as (url, process):
            plain = asyncio.run(asked(url, [request_of(url, path, raw)] * connections, options.seconds, process))
        ratio = round(ours["requests_per_cpu_s"] / plain["requests_per_cpu_s"], 2)
        rows.append({"case": case, "connections": connections, **ours, "ratio_to_bare": ratio})
        rows.append({"case": f"{case}, bare route", "connections": connections, **plain, "ratio_to_bare": 1.0})
        print(rows[-2], rows[-1], sep="\n", flush=True)
    return rows


async def seeded(url: str, body: bytes, count: int) -> list[str]:
    return [(await posted(url, "/seed_session", body))[1] for _ in range(count)]


async def posted_with(url: str, path: str, body: bytes, cookie: str) -> tuple[bytes, str]:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(request_of(url, path, body, cookie))
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    answer = await reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
    writer.close()
    return answer, head


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 1024])
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CORES[1]})
    verify = {"responses_create_params": PARAMS, **MCQA, "response": REPLY}
    rows = compared("/verify of mcqa", "mcqa", "/verify", None, verify, options)
    row = {"responses_create_params": {"input": []}, **COUNTER}
    rows += compared(
        "/increment_counter", "example_session_state_mgmt", "/increment_counter", row, {"count": 1}, options
    )
    measurements.write("serve", rows, options.output)


if __name__ == "__main__":
    main()
