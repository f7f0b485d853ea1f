"""What is sent: the target, the headers, the body, and nothing that a server or a URL could add."""

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from palestra.transport.client import TARGETS_KEPT, Client, split_url
from tests.transport.raw_server import RawServer, always

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def sent(target: str, at: str = "http://127.0.0.1", **options: Any) -> tuple[bytes, list[bytes], bytes]:
    """The request line, the headers and the body of a request to `target`."""

    async def main() -> bytes:
        async with RawServer(always(OK)) as server:
            client = Client(split_url(at), {"X-Own": "ü"}, connect_timeout_s=5, keep_alive_s=5)
            client.name, client.port = "127.0.0.1", server.port
            client.addresses, client.addresses_until = ["127.0.0.1"], float("inf")
            await client.post(target, b'{"a": 1}', max_bytes=10, **options)
            await client.close()
            return server.requests[0]

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    return line, headers, body


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("/v1/chat", b"POST /v1/chat HTTP/1.1"),
        ("/v1/x?api-version=1&a=b%20c", b"POST /v1/x?api-version=1&a=b%20c HTTP/1.1"),
        ("/a b/ü", b"POST /a%20b/%C3%BC HTTP/1.1"),
        ("/x HTTP/1.1\r\nX-Evil: 1\r\n\r\n", b"POST /x%20HTTP/1.1%0D%0AX-Evil:%201%0D%0A%0D%0A HTTP/1.1"),
        ("/a#b\x00", b"POST /a%23b%00 HTTP/1.1"),
    ],
)
def test_a_target_is_one_word(target: str, line: bytes) -> None:
    assert sent(target)[0] == line


def test_headers_and_body() -> None:
    _, headers, body = sent("/x", "http://example.org:8080", headers={"Cookie": "a=\xff; b=\xc3"})
    assert headers == [
        b"Host: example.org:8080", b"X-Own: \xc3\xbc", b"Accept: */*", b"Accept-Encoding: identity",
        b"Content-Length: 8", b"Cookie: a=\xff; b=\xc3",
    ]  # fmt: skip
    assert body == b'{"a": 1}'


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.org:80", b"example.org"),
        ("http://EXAMPLE.org:81", b"example.org:81"),
        ("http://ex\u00e4mple.org", b"xn--exmple-cua.org"),
        ("http://[::1]:8000", b"[::1]:8000"),
        ("http://[fe80::1%eth0]", b"[fe80::1]"),
    ],
)
def test_the_host_header(url: str, host: bytes) -> None:
    assert sent("/x", url)[1][0] == b"Host: " + host


@pytest.mark.parametrize(
    ("user", "credentials"),
    [("a:b", b"a:b"), ("a%40c:p%2Fw", b"a@c:p/w"), ("a", b"a:"), (":b", b":b"), ("a:b:c", b"a:b:c")],
)
def test_credentials_of_a_url_become_basic_authorization(user: str, credentials: bytes) -> None:
    assert b"Authorization: Basic " + b64encode(credentials) in sent("/x", f"http://{user}@127.0.0.1")[1]


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost", "ftp://a", "http://", "http://:80", "http://a:0", "http://a:x", "http://a:70000", "http://[::1",
        "http://a b", "http://a\x00b", "http://a..b", "http://" + "a" * 64, "http://\udcff", "http://\udcff@a", "http://a\x7f",
    ],
)  # fmt: skip
def test_urls_that_name_no_origin(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the caller's to write
        split_url(url)


def test_made_up_targets_do_not_pile_up() -> None:
    client = Client(split_url("http://a"), {}, connect_timeout_s=5, keep_alive_s=5)
    for number in range(TARGETS_KEPT + 1000):
        assert client.begun(f"/tool_{number}").startswith(b"POST /tool_%d HTTP/1.1\r\n" % number)
    assert len(client.requests) == TARGETS_KEPT
