"""The web: Google's Custom Search, and pages from public addresses alone."""

import asyncio
import errno
import ipaddress
import json
import os
import socket
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from palestra.core.errors import PalestraError, describe
from palestra.core.extras import missing

from .web import WebError

RESULTS = 10
MAX_REDIRECTS = 5
MAX_URL_CHARACTERS = 4_000
MAX_QUERY_CHARACTERS = 2_000
"""Google refuses requests that are longer than an address may be."""
MAX_REPLY_BYTES = 2_000_000
CHUNK_BYTES = 65_536
HEADERS = MappingProxyType({"User-Agent": "palestra (reads pages for a language model)", "Accept-Encoding": "gzip"})
NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Limits:
    """What the web backend may do. Holds the names of secrets, not the secrets."""

    api_url: str
    api_key_env: str
    cx_env: str
    search_timeout_s: float
    page_timeout_s: float
    max_page_bytes: int
    allow_private_addresses: bool


def limits_of(options: Any) -> Limits:
    """The limits in the options of the environment."""
    return Limits(**{name: getattr(options, name) for name in Limits.__dataclass_fields__})


class Web:
    """Searches and downloads, with one pool of connections for each. Errors never hold the key."""

    def __init__(
        self, limits: Limits, *, key: str, cx: str, api: aiohttp.ClientSession, pages: aiohttp.ClientSession
    ) -> None:
        self.limits = limits
        self.key = key
        self.cx = cx
        self.api = api
        self.pages = pages

    @classmethod
    @asynccontextmanager
    async def opened(cls, limits: Limits) -> "AsyncGenerator[Web]":
        """Raises PalestraError if the key, the engine's id or trafilatura is missing."""
        if lacking := missing("search"):
            fix = 'Run `palestra doctor --fix`, or pip install "palestra[search]".'
            raise PalestraError("missing-package", f"the backend google needs {', '.join(lacking)}", fix=fix)
        key, cx = secret(limits.api_key_env, "api_key_env"), secret(limits.cx_env, "cx_env")
        resolver = ThreadedResolver() if limits.allow_private_addresses else PublicResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, limit_per_host=8)
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession() as api,
            aiohttp.ClientSession(connector=connector, cookie_jar=jar, headers=HEADERS, auto_decompress=False) as pages,
        ):
            yield cls(limits, key=key, cx=cx, api=api, pages=pages)

    async def search(self, query: str) -> str:
        params = {"key": self.key, "cx": self.cx, "q": query[:MAX_QUERY_CHARACTERS], "num": str(RESULTS)}
        try:
            async with (
                asyncio.timeout(self.limits.search_timeout_s),
                self.api.get(self.limits.api_url, params=params, allow_redirects=False) as response,
            ):
                body = await start_of(response, MAX_REPLY_BYTES)
                status = response.status
            reply = json.loads(body)
        except TimeoutError as error:
            raise WebError(f"no answer within {self.limits.search_timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            # Not `from error`: it may hold the address, and with it the key.
            raise WebError(self.without_key(describe(error))) from None
        if status != 200 or not isinstance(reply, dict):
            raise WebError(self.without_key(f"HTTP {status}: {message_in(reply)}"))
        return self.without_key(json.dumps(reply))

    def without_key(self, text: str) -> str:
        return text.replace(self.key, "***")

    async def fetch(self, url: str) -> bytes | None:
        try:
            async with asyncio.timeout(self.limits.page_timeout_s):
                return await self.followed(url)
        except TimeoutError as error:
            raise WebError(f"the page did not come within {self.limits.page_timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
            raise WebError(describe(error)) from error

    async def followed(self, url: str) -> bytes | None:
        """The page at the end of at most five redirects; every address on the way must be allowed."""
        for _ in range(MAX_REDIRECTS + 1):
            target = self.allowed(url)
            async with self.pages.get(target, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status in (301, 302, 303, 307, 308) and location:
                    url = str(target.join(URL(location)))
                    continue
                if response.status != 200:
                    return None
                body = await start_of(response, self.limits.max_page_bytes)
                return unpacked(body, response.headers.get("Content-Encoding"), self.limits.max_page_bytes)
        raise WebError(f"more than {MAX_REDIRECTS} redirects")

    def allowed(self, url: str) -> URL:
        """The address, if it is one of a page. Names are looked at when they are resolved, numbers here."""
        if len(url) > MAX_URL_CHARACTERS:
            raise WebError(f"the address has {len(url)} characters, at most {MAX_URL_CHARACTERS}")
        target = URL(url.strip())
        if target.scheme not in ("http", "https") or not target.host:
            raise WebError(f"{url[:100]!r} is no address of a page")
        if not self.limits.allow_private_addresses and is_number(target.host) and not is_public(target.host):
            raise WebError(f"{target.host} is no public address")
        return target


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses alone, so that no page can reach this machine or its network.

    The connection is made to what was looked at: a name that is resolved differently a second time gains nothing.
    """

    def __init__(self) -> None:
        self.inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self.inner.resolve(host, port, family)
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise OSError(errno.EADDRNOTAVAIL, f"{host} has no public address")
        return public

    async def close(self) -> None:
        await self.inner.close()


def is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_public(host: str) -> bool:
    """Whether an IP address belongs to a machine on the internet, also if it hides in an IPv6 address."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if hidden is None and address in NAT64:
            hidden = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if hidden is not None:
            return hidden.is_global and not hidden.is_multicast
    return address.is_global and not address.is_multicast


async def start_of(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The first `limit` bytes of a body."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def unpacked(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The body without its compression, at most `limit` bytes of it. Raises ValueError for one that is not known."""
    if not encoding or encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"the page is packed as {encoding[:40]!r}, which was not asked for")
    return zlib.decompressobj(wbits=47).decompress(body, limit)


def message_in(reply: Any) -> str:
    """What the API says is wrong."""
    error = reply.get("error") if isinstance(reply, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or reply)[:500]


def secret(variable: str, option: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        fix = f"Set {variable}, name another with --option {option}=NAME, or leave the backend at offline."
        raise PalestraError("usage", f"the environment variable {variable} is not set", fix=fix)
    return value
