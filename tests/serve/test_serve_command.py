"""`palestra serve model` as a process: its one line, its end, and what it refuses to start with."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from palestra.cli import serve as command
from palestra.cli.main import main
from tests.serving import request

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
PATIENCE_S = 30


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.jsonl"
    path.write_text('{"task": "*", "replies": ["one", "two"]}\n')
    return f"scripted:{path}"


@contextmanager
def started(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from palestra.cli.main import run; run()", "serve", "model", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize(
    ("number", "exit_codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {-signal.SIGTERM, 143})], ids=["int", "term"]
)
def test_one_line_says_where_it_listens_and_a_signal_ends_it(
    script: str, number: signal.Signals, exit_codes: set[int]
) -> None:
    with started(script, "--port", "0", "--json") as process:
        said = json.loads(first_line(process))
        assert (said["models"], said["pid"]) == (["scripted"], process.pid)
        status, body = asyncio.run(request(f"{said['url']}/chat/completions", HELLO))
        assert (status, body["choices"][0]["message"]["content"]) == (200, "one")
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE_S) in exit_codes
        assert time.monotonic() - began < PATIENCE_S / 2
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def answer_to(port: int, request: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        found = bytearray()
        # Who is refused before all was sent may be told so by a reset.
        with suppress(ConnectionError):
            connection.sendall(request)
        with suppress(ConnectionError):
            while data := connection.recv(1 << 16):
                found += data
        return bytes(found)


def test_a_request_whose_head_has_no_end_is_refused_and_the_next_one_served(script: str) -> None:
    with started(script, "--port", "0", "--json") as process:
        url = json.loads(first_line(process))["url"]
        port = urlsplit(url).port
        assert port is not None
        for rest in (b"X: " + b"x" * 4_000_000, b"X: y\r\n" * 500_000):
            assert answer_to(port, b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest)[:12] in (
                b"",
                b"HTTP/1.1 431",
            )
        assert asyncio.run(request(f"{url}/models"))[0] == 200


def test_a_person_reads_name_and_address_and_a_key_guards_it(script: str) -> None:
    with started(script, "--port", "0", "--host", "0.0.0.0", "--token-env", "KEY", KEY="a-long-secret") as process:
        name, url = first_line(process).removeprefix("serving ").split(" at ")
        assert name == "scripted"
        address = url.strip().replace("0.0.0.0", "127.0.0.1")
        headers = {"Authorization": "Bearer a-long-secret"}
        assert asyncio.run(request(f"{address}/models"))[0] == 401
        assert asyncio.run(request(f"{address}/models", headers=headers))[0] == 200


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--port", "0", "--host", "0.0.0.0"], "--token-env NAME"),
        (["--port", "0", "--token-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE, which is not set"),
        (["--port", "70000"], "port 70000"),
        (["--port", "0", "--host", "no.such.host.invalid"], "no.such.host.invalid"),
        (["--port", "0", "--max-requests", "0"], "must be above 0"),
        ([], "--port"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(
    script: str, words: list[str], hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    assert main(["serve", "model", script, *words]) == 2
    captured = capsys.readouterr()
    assert hint in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    ("lines", "model", "hint"),
    [
        ('{"task": "a", "replies": ["x"]}\n', "scripted", 'script for "*"'),
        ('{"response": {"output": []}}\n', "replay", "does not say which"),
        ("", "vllm", "--base-url"),
    ],
)
def test_models_that_cannot_play_conversations_are_refused(
    tmp_path: Path, lines: str, model: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(lines)
    assert main(["serve", "model", f"{model}:{path}", "--port", "0"]) == 2
    assert hint in capsys.readouterr().err


def test_a_missing_extra_names_its_installation(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "missing", lambda extra: ["starlette>=0.45"])
    assert main(["serve", "model", script, "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "starlette>=0.45" in said
    assert 'pip install "palestra[serve]"' in said
