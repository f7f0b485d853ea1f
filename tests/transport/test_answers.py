"""What comes back over a connection is read for what it is, whole or not at all."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palestra.transport.connection import Answer, BadAnswer, Connection, CutOff, Disconnected
from tests.transport.raw_server import Peer, RawServer, Script, always, ask, once

Play = Callable[[Any], Any]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


async def answers(script: Script, times: int = 1, **options: Any) -> tuple[list[Answer], RawServer]:
    async with RawServer(script) as server:
        client = server.client()
        found = [await ask(client, **options) for _ in range(times)]
        await client.close()
        return found, server


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (HELLO, 200, b"hello"),
        (OK + b"content-length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 200\r\nContent-Length: 5 \r\n\r\nhello", 200, b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nStatus: 500\r\n\r\n", 200, b"hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HELLO, 200, b"hello"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (OK + b"Upgrade: h2\r\nConnection: Upgrade\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (OK + b"Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (b"HTTP/1.1 502 Bad\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 502, b"hello"),
        (b"HTTP/1.1 999 ?\r\nContent-Length: 5\r\n\r\nhello", 999, b"hello"),
    ],
)
def test_an_answer_is_read_and_its_connection_kept(play: Play, sent: bytes, status: int, body: bytes) -> None:
    found, server = play(answers(always(sent), times=3))
    assert [(answer.status, answer.body, answer.is_cut) for answer in found] == [(status, body, False)] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.0 200 OK\r\n\r\nhel",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhel",
        OK + b"\r\nhel",
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhel",
        OK + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_ends_with_its_connection(play: Play, sent: bytes) -> None:
    found, server = play(answers(once(sent, b"" if b"chunked" in sent else b"lo"), times=2))
    assert [answer.body for answer in found] == [b"hello"] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"hello", "no HTTP"),
        (b"HTTP/2 200 OK\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 000 ?\r\nContent-Length: 0\r\n\r\n", "status"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "no HTTP"),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "no HTTP"),
        (OK + b"Content-Length: 2, 3\r\n\r\nabc", "no HTTP"),
        (OK + b"Content-Length: -1\r\n\r\n", "no HTTP"),
        (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", "no HTTP"),
        (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no HTTP"),
        (OK + b"Transfer-Encoding: gzip\r\n\r\nhello", "transfer coding"),
        (OK + b"Transfer-Encoding: chunked, identity\r\n\r\nhello", "transfer coding"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "compressed"),
        (CHUNKED + b"z\r\n", "no HTTP"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n", "no HTTP"),
        (OK + b"Set-Cookie: a=1\r\n X-Evil: 2\r\n\r\n", "no HTTP"),
        (OK + b"Set-Cookie: a=\x001\r\n\r\n", "no HTTP"),
        (OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n", "more than 65536 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, "more than 65536 bytes"),
        (CHUNKED + b"1\r\nx\r\n0\r\nX: " + b"x" * 2_000_000, "more than 65536 bytes"),
        (CHUNKED + b"1;" + b"x" * 2_000_000, "more than 65536 bytes"),
    ],
)
def test_what_is_no_whole_http_is_no_answer(play: Play, sent: bytes, words: str) -> None:
    async def main() -> None:
        async with RawServer(always(*(sent[at : at + 16_384] for at in range(0, len(sent), 16_384)))) as server:
            client = server.client()
            with pytest.raises(BadAnswer, match=words) as caught:
                await ask(client)
            assert "hello" not in str(caught.value)
            await asyncio.sleep(0.01)
            assert not client.open

    play(main())


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", Disconnected),
        (b"HTTP/1.1 2", CutOff),
        (OK + b"Content-Length: 6\r\n\r\nhello", CutOff),
        (CHUNKED + b"5\r\nhello\r\n", CutOff),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", CutOff),
        (b"HTTP/1.1 100 Continue\r\n\r\n", CutOff),
    ],
)
def test_an_answer_that_is_not_whole_is_none(play: Play, sent: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        play(answers(once(sent)))


def test_a_reset_in_a_body_without_a_length_is_no_end_of_it(play: Play) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\nhel")
        await asyncio.sleep(0.05)
        peer.reset()

    with pytest.raises(ConnectionError):
        play(answers(script))


class TestTooLong:
    def test_what_says_it_is_too_long_is_not_read(self, play: Play) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"Content-Length: 1001\r\n\r\n")
            await peer.gone()

        (answer,), _ = play(answers(script))
        assert (answer.body, answer.is_cut) == (b"", True)

    @pytest.mark.parametrize("head", [OK + b"Content-Length: 1000000\r\n\r\n", OK + b"\r\n"])
    def test_a_cut_answer_has_as_much_as_was_asked_for(self, play: Play, head: bytes) -> None:
        (answer,), _ = play(answers(always(head, b"x" * 600, b"y" * 300_000), cut=True))
        assert (answer.body, answer.is_cut) == (b"x" * 600 + b"y" * 400, True)

    def test_an_answer_of_exactly_the_limit_is_whole(self, play: Play) -> None:
        found, server = play(answers(always(OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000), times=2, cut=True))
        assert [(len(answer.body), answer.is_cut) for answer in found] == [(1000, False)] * 2
        assert server.connections == 1

    def test_a_body_in_the_smallest_chunks_is_read(self, play: Play) -> None:
        (answer,), _ = play(answers(always(CHUNKED, b"1\r\nx\r\n" * 50_000, b"0\r\n\r\n"), max_bytes=50_000))
        assert answer.body == b"x" * 50_000


class Written:
    """A transport that goes nowhere."""

    def write(self, data: bytes) -> None:
        return

    def abort(self) -> None:
        return

    def get_write_buffer_size(self) -> int:
        return 0


VALID = [
    (HELLO, b"hello", False),
    (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"hello", False),
    (OK + b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n4;x\r\nello\r\n0\r\n\r\n",
     b"hello", False),
    (b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello", b"hello", True),
]  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(VALID), st.lists(st.integers(1, 120)))
def test_however_an_answer_is_split_it_is_the_same(case: tuple[bytes, bytes, bool], cuts: list[int]) -> None:
    sent, body, ends_with_connection = case
    edges = sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})

    async def main() -> Answer:
        connection = Connection(asyncio.get_running_loop(), set())
        connection.connection_made(Written())  # pyright: ignore[reportArgumentType]
        asking = asyncio.ensure_future(connection.ask(b"", 1000, cut=False))
        await asyncio.sleep(0)
        for first, last in pairwise(edges):
            connection.data_received(sent[first:last])
        if ends_with_connection:
            connection.eof_received()
            connection.connection_lost(None)
        answer = await asking
        assert connection.is_open is not ends_with_connection
        return answer

    answer = asyncio.run(main())
    assert (answer.status, answer.body, answer.is_cut) == (200, body, False)
    assert answer.headers("set-cookie") == (["a=b", "c=d"] if b"Set-Cookie" in sent else [])


@given(st.binary(max_size=200) | st.tuples(st.sampled_from([OK, CHUNKED, HELLO]), st.binary(max_size=60)).map(b"".join))
def test_whatever_is_sent_is_an_answer_or_a_known_error(sent: bytes) -> None:
    async def main() -> None:
        connection = Connection(asyncio.get_running_loop(), set())
        connection.connection_made(Written())  # pyright: ignore[reportArgumentType]
        asking = asyncio.ensure_future(connection.ask(b"", 50, cut=True))
        await asyncio.sleep(0)
        connection.data_received(sent)
        connection.connection_lost(None)
        try:
            assert len((await asking).body) <= 50
        except (BadAnswer, Disconnected, CutOff):
            assert not connection.is_open

    asyncio.run(main())
