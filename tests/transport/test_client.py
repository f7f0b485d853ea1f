"""Connections are kept, shared and given back; nothing of one call reaches another."""

import asyncio
import gc
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from palestra.transport import client as client_module
from palestra.transport.client import ConnectTimeout
from palestra.transport.connection import CutOff, Disconnected
from tests.transport.raw_server import Peer, RawServer, always, ask, client_of, free_port, once

Play = Callable[[Any], Any]
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
OTHER = OK + b"Content-Length: 5\r\n\r\nOTHER"


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


class TestWhatFollowsAnAnswer:
    @pytest.mark.parametrize("rest", [OTHER, OTHER[:-3], b"HT", b"x", b"\r\nH"])
    def test_in_one_piece_with_it_is_not_the_next_answer(self, play: Play, rest: bytes) -> None:
        async def main() -> None:
            async with RawServer(always(HELLO + rest)) as server:
                client = server.client()
                assert [(await ask(client)).body for _ in range(3)] == [b"hello"] * 3
                assert server.connections == 3
                await client.close()

        play(main())

    @pytest.mark.parametrize("rest", [OTHER, b"HT"])
    def test_later_is_not_the_next_answer(self, play: Play, rest: bytes) -> None:
        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(HELLO)
                await asyncio.sleep(0.02)
                await peer.send(rest)

        async def main() -> None:
            async with RawServer(script) as server:
                client = server.client()
                for _ in range(3):
                    assert (await ask(client)).body == b"hello"
                    await asyncio.sleep(0.05)
                assert server.connections == 3
                assert not client.open

        play(main())


class TestKeptConnections:
    def test_calls_in_a_row_share_one(self, play: Play) -> None:
        async def main() -> None:
            async with RawServer(always(HELLO)) as server:
                client = server.client()
                for _ in range(20):
                    await ask(client)
                assert (server.connections, len(client.open), len(client.idle)) == (1, 1, 1)
                await client.close()
                assert not client.open

        play(main())

    def test_one_that_the_server_closed_is_not_used(self, play: Play) -> None:
        async def main() -> None:
            async with RawServer(once(HELLO)) as server:
                client = server.client()
                for _ in range(20):
                    # The answer and the end arrive in one turn of the loop or in two.
                    assert (await ask(client)).body == b"hello"
                    await asyncio.sleep(0.01)
                assert server.connections == 20
                assert not client.open

        play(main())

    def test_one_that_was_idle_for_long_is_closed(self, play: Play) -> None:
        async def main() -> None:
            async with RawServer(always(HELLO)) as server:
                client = server.client(keep_alive_s=0.05)
                await asyncio.gather(*(ask(client) for _ in range(5)))
                assert len(client.open) == 5
                await asyncio.sleep(0.1)
                await ask(client)
                await asyncio.sleep(0.01)
                assert (server.connections, len(client.open), len(client.idle)) == (6, 1, 1)
                await client.close()

        play(main())

    def test_they_hold_no_body(self, play: Play) -> None:
        async def main() -> None:
            async with RawServer(
                always(OK + b"Content-Length: 100000\r\n\r\n", b"x" * 60_000, b"y" * 40_000)
            ) as server:
                client = server.client()
                assert len((await ask(client, max_bytes=10**6)).body) == 100_000
                assert len(client.idle[0].body) == 0
                await client.close()

        play(main())

    def test_one_whose_request_was_not_taken_whole_is_not_used(self, play: Play) -> None:
        async def script(peer: Peer) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            await peer.send(b"HTTP/1.1 413 Too long\r\nContent-Length: 0\r\n\r\n")
            await asyncio.sleep(3600)

        async def main() -> None:
            async with RawServer(script) as server:
                client = server.client()
                answers = [await ask(client, data=b"x" * 30_000_000) for _ in range(2)]
                assert [answer.status for answer in answers] == [413, 413]
                await asyncio.sleep(0.01)
                assert not client.open

        play(main())

    def test_another_event_loop_begins_anew(self) -> None:
        """A client that was not closed is used in the next `asyncio.run`; the server goes on all the time."""
        ready: queue.Queue[tuple[RawServer, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

        async def serve() -> None:
            async with RawServer(always(HELLO)) as server:
                over = asyncio.Event()
                ready.put((server, asyncio.get_running_loop(), over))
                await over.wait()

        def use() -> list[bytes]:
            bodies = [asyncio.run(ask(client)).body for _ in range(3)]
            gc.collect()
            return bodies

        with ThreadPoolExecutor(1) as thread:
            serving = thread.submit(asyncio.run, serve())
            server, loop, over = ready.get(timeout=10)
            client = server.client()
            try:
                with pytest.warns(ResourceWarning, match="unclosed transport"):
                    bodies = use()
                asyncio.run(client.close())
            finally:
                loop.call_soon_threadsafe(over.set)
            serving.result(timeout=10)
        assert bodies == [b"hello"] * 3
        assert server.connections == 3


class TestCancelledCalls:
    @pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200", OK + b"Content-Length: 5\r\n\r\nhel", OK + b"\r\nhel"])
    def test_a_cancelled_call_takes_its_connection_with_it(self, play: Play, head: bytes) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head)
            await asyncio.sleep(0.05)
            await peer.send(OTHER)
            await peer.gone()

        async def main() -> None:
            async with RawServer(script) as server:
                client = server.client()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await ask(client)
                await asyncio.sleep(0.01)
                assert not client.open
                assert not client.idle

        play(main())

    def test_calls_cancelled_at_any_moment_leave_nothing_behind(self, play: Play) -> None:
        async def main() -> None:
            async with RawServer(always(HELLO)) as server:
                client = server.client(at="localhost")
                for turns in range(40):
                    calls = [asyncio.create_task(ask(client)) for _ in range(4)]
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    for call in calls[::2]:
                        call.cancel()
                    ended = await asyncio.gather(*calls, return_exceptions=True)
                    assert all(not isinstance(end, Exception) and end.body == b"hello" for end in ended[1::2])  # pyright: ignore[reportAttributeAccessIssue]
                await asyncio.sleep(0.05)
                assert client.open == set(client.idle)
                assert len(client.open) <= 4
                await client.close()
                assert not client.open
                await asyncio.sleep(0.05)
                assert not server.working, "the server still has a connection that nobody knows"

        play(main())

    def test_a_slow_drip_ends_with_the_time_of_the_call(self, play: Play) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            for byte in OK + b"X: " + b"x" * 10_000:
                await peer.send(bytes([byte]))
                await asyncio.sleep(0.01)

        async def main() -> None:
            async with RawServer(script) as server:
                client = server.client()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await ask(client)

        play(main())


class TestClose:
    @pytest.mark.parametrize("head", [b"", OK + b"Content-Length: 5\r\n\r\nhel", OK + b"\r\nhel"])
    def test_it_ends_calls_under_way_and_makes_no_answer_of_half_of_one(self, play: Play, head: bytes) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head)
            await peer.gone()

        async def main() -> None:
            async with RawServer(script) as server:
                client = server.client()
                call = asyncio.create_task(ask(client))
                await asyncio.sleep(0.05)
                await client.close()
                with pytest.raises(CutOff if head else Disconnected):
                    await call
                assert not client.open

        play(main())

    def test_a_connection_that_comes_about_afterwards_is_closed(self, play: Play) -> None:
        async def main() -> None:
            async with RawServer(always(HELLO)) as server:
                client = server.client()
                call = asyncio.create_task(ask(client))
                await asyncio.sleep(0)
                await client.close()
                with pytest.raises(Disconnected):
                    await call
                await asyncio.sleep(0.01)
                assert not client.open
                # Whoever asks again is answered again.
                assert (await ask(client)).body == b"hello"
                await client.close()

        play(main())


class TestAddresses:
    @staticmethod
    def named(monkeypatch: pytest.MonkeyPatch, *addresses: str, delay_s: float = 0.0) -> list[float]:
        """The loop finds these for any name; the list grows with each lookup."""
        lookups: list[float] = []

        async def getaddrinfo(name: str, port: int, **options: Any) -> list[Any]:
            lookups.append(time.monotonic())
            await asyncio.sleep(delay_s)
            return [(2, 1, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return lookups

    def test_one_that_refuses_is_passed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            async with RawServer(always(HELLO)) as server:
                lookups = self.named(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1", delay_s=0.05)
                client = server.client(at="several")
                answers = await asyncio.gather(*(ask(client) for _ in range(10)))
                assert [answer.body for answer in answers] == [b"hello"] * 10
                assert (len(lookups), server.connections) == (1, 10)
                await client.close()

        asyncio.run(main())

    def test_one_that_is_silent_is_passed_over_and_the_other_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_module, "ATTEMPT_S", 0.2)
        attempts: list[str] = []

        async def main() -> None:
            async with RawServer(always(HELLO)) as server:
                self.named(monkeypatch, "127.0.0.9", "127.0.0.1")
                loop = asyncio.get_running_loop()
                connect = loop.create_connection

                async def create_connection(factory: Any, host: str, port: int, **options: Any) -> Any:
                    attempts.append(host)
                    if host == "127.0.0.9":
                        await asyncio.sleep(3600)
                    return await connect(factory, host, port, **options)

                monkeypatch.setattr(loop, "create_connection", create_connection)
                client = server.client(at="several")
                for _ in range(6):
                    assert (await ask(client)).body == b"hello"
                    client.idle.clear()
                    client.addresses_until = 0.0
                await client.close()

        asyncio.run(main())
        assert attempts.count("127.0.0.9") == 1
        assert attempts.count("127.0.0.1") == 6

    def test_replicas_share_the_connections(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> list[int]:
            async with (
                RawServer(always(HELLO)) as one,
                RawServer(always(HELLO), host="127.0.0.2", port=one.port) as other,
            ):
                self.named(monkeypatch, "127.0.0.1", "127.0.0.2")
                client = one.client(at="replicas")
                await asyncio.gather(*(ask(client) for _ in range(20)))
                await client.close()
                return [one.connections, other.connections]

        assert asyncio.run(main()) == [10, 10]

    def test_a_name_without_an_address_is_looked_up_once_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            lookups: list[str] = []

            async def getaddrinfo(name: str, port: int, **options: Any) -> list[Any]:
                lookups.append(name)
                await asyncio.sleep(0.1)
                raise OSError(-2, "Name or service not known")

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
            client = client_of("http://nowhere")
            calls = [asyncio.create_task(ask(client)) for _ in range(20)]
            await asyncio.sleep(0.01)
            calls[0].cancel()
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(end) for end in ended] == [asyncio.CancelledError] + [OSError] * 19
            assert lookups == ["nowhere"]
            with pytest.raises(OSError, match="Name or service not known"):
                await ask(client)
            assert len(lookups) == 2

        asyncio.run(main())

    def test_no_connection_in_time(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        async def never(*arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(3600)

        async def main() -> None:
            client = client_of("http://127.0.0.1:1", connect_timeout_s=0.05)
            monkeypatch.setattr(client, "connect_to", never)
            with pytest.raises(ConnectTimeout, match=r"no connection within 0\.05 s"):
                await ask(client)

        play(main())

    def test_a_port_where_nobody_listens(self, play: Play) -> None:
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            play(ask(client_of(f"http://127.0.0.1:{free_port()}")))

    def test_an_address_of_version_6(self, play: Play) -> None:
        async def main() -> None:
            try:
                server = await RawServer(always(HELLO), host="::1").__aenter__()
            except OSError:
                pytest.skip("this machine has no IPv6")
            client = client_of(f"http://[::1]:{server.port}")
            assert (await ask(client)).body == b"hello"
            assert b"Host: [::1]:%d\r\n" % server.port in server.requests[0]
            await client.close()
            await server.__aexit__(None, None, None)

        play(main())
