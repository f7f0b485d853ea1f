"""TLS: a host that cannot show who it is gets no request, and the reason is said."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import Failure
from palestra.core.model import Sampling
from palestra.hosts.http_connection import Connection as HostConnection
from palestra.models.openai import OpenAIModel
from palestra.transport.client import Client, UntrustedCertificate
from tests.transport.raw_server import RawServer, always, ask

Play = Callable[[Any], Any]
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate of its own for `localhost`."""
    if shutil.which("openssl") is None:
        pytest.skip("no `openssl` command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, path = folder / "key.pem", folder / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", path], check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


def serving(certificate: Path) -> RawServer:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return RawServer(always(HELLO), ssl=context)


def trusting(client: Client, certificate: Path) -> Client:
    client.tls_context().load_verify_locations(certificate)
    return client


def test_a_certificate_that_is_trusted(play: Play, certificate: Path) -> None:
    async def main() -> None:
        async with serving(certificate) as server:
            client = trusting(server.client(at="localhost"), certificate)
            assert [(await ask(client)).body for _ in range(3)] == [b"hello"] * 3
            assert server.connections == 1
            await client.close()
            await asyncio.sleep(0.01)
            assert not client.open

    play(main())


def test_a_certificate_that_nobody_vouches_for(play: Play, certificate: Path) -> None:
    async def main() -> None:
        async with serving(certificate) as server:
            client = server.client(at="localhost")
            with pytest.raises(UntrustedCertificate, match=r"not accepted: self.signed certificate"):
                await ask(client)
            assert server.requests == []
            await asyncio.sleep(0.01)
            assert not client.open

    play(main())


def test_an_authority_of_ones_own(play: Play, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def main() -> None:
        async with serving(certificate) as server:
            client = server.client(at="localhost")
            assert (await ask(client)).body == b"hello"
            await client.close()

    play(main())


def test_a_certificate_of_another_host(play: Play, certificate: Path) -> None:
    async def main() -> None:
        async with serving(certificate) as server:
            client = trusting(server.client(at="127.0.0.1"), certificate)
            with pytest.raises(UntrustedCertificate, match=r"not valid for '127\.0\.0\.1'"):
                await ask(client)
            assert server.requests == []

    play(main())


def test_a_server_without_tls(play: Play) -> None:
    async def main() -> None:
        async with RawServer(always(HELLO)) as server:
            server.ssl = "only the client uses it"
            client = server.client()
            with pytest.raises(OSError):  # noqa: PT011 - the words are those of OpenSSL
                await asyncio.wait_for(ask(client), 10)
            await asyncio.sleep(0.01)
            assert not client.open

    async def hello(peer: Any) -> None:
        await peer.send(b"220 this is no TLS\r\n")

    async def greeted() -> None:
        async with RawServer(hello) as server:
            server.ssl = "only the client uses it"
            with pytest.raises(OSError):  # noqa: PT011
                await ask(server.client())

    play(greeted())


def test_a_run_ends_at_once_and_says_why(certificate: Path) -> None:
    async def main() -> tuple[Failure, Failure]:
        async with serving(certificate) as server:
            url = f"https://localhost:{server.port}"
            model = OpenAIModel("m", base_url=f"{url}/v1", api_key="sk-secret")
            with pytest.raises(Failure) as of_model:
                await model.respond([], [], Sampling())
            host = HostConnection(url, "a-token", environment="e", call_timeout_s=10)
            with pytest.raises(Failure) as of_host:
                await host.post("/verify", b"{}", {}, max_bytes=100)
            await model.close()
            await host.close()
            return of_model.value, of_host.value

    for failure in asyncio.run(main()):
        assert (failure.fatal, failure.retryable) == (True, False)
        assert "its certificate is not accepted: self" in failure.message
