"""The open episodes of a served environment: who they belong to, how long they live, and what was said of them."""

import asyncio
import hashlib
import hmac
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from palestra.core.errors import Failure
from palestra.core.session import Host, Session
from palestra.serve.refusals import Refusal

SWEEP_EVERY_S = 1.0
CLOSED_TOGETHER = 64
SIGNATURE_DIGITS = 32
FULL_RETRY_AFTER_S = 5
MAX_VERDICT_BYTES = 64 * 2**20
"""Of all answers that are kept to be given again; the oldest go first."""


@dataclass(slots=True)
class Episode:
    """One session of a client."""

    id: str
    """What its client names it by, signed."""
    cookie: bytes
    """The header that tells its client so."""
    session: Session | None
    """None if the client brought no row yet, or if the episode is over."""
    row: Mapping[str, Any] = field(default_factory=dict[str, Any])
    used: float = 0.0
    rewards: list[float] = field(default_factory=list[float])
    """What the steps were worth."""
    digest: bytes = b""
    """Of the conversation that was judged."""
    answer: bytes = b""
    """The verdict it got."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_judged(self) -> bool:
        return bool(self.digest)


@dataclass(frozen=True, slots=True)
class EpisodeLimits:
    """Bounds of what a server holds."""

    max_open: int = 20_000
    """Episodes open at the same time; a further one is refused with 503 until one is over."""
    ttl_s: float = 3600.0
    """An episode that nobody asked for so long is closed; a verdict is kept so long to be given again."""


class Episodes:
    """Opens, finds and closes the episodes of one environment."""

    def __init__(
        self, host: Host, cookie: str, secret: str | None = None, *, limits: EpisodeLimits | None = None
    ) -> None:
        self.host = host
        self.cookie = cookie
        """The name of the cookie that says which episode a request belongs to."""
        self.key = (secret or secrets.token_hex(32)).encode()
        self.limits = limits or EpisodeLimits()
        self.open_episodes: OrderedDict[str, Episode] = OrderedDict()
        """In the order in which they were last asked for, as `judged`."""
        self.judged: OrderedDict[str, Episode] = OrderedDict()
        self.kept_bytes = 0
        self.opening = 0

    async def open(self, row: Mapping[str, Any] | None, *, seed: int) -> Episode:
        """A new episode; without a row it is one in name only. Raises Failure, Refusal."""
        if len(self.open_episodes) + self.opening >= self.limits.max_open:
            message = f"{self.limits.max_open} episodes are open; verify or abandon some"
            raise Refusal(503, message, retry_after_s=FULL_RETRY_AFTER_S)
        self.opening += 1
        try:
            session = await self.host.open(row, seed=seed) if row is not None else None
        finally:
            self.opening -= 1
        identity = self.signed(uuid.uuid4().hex)
        cookie = f"{self.cookie}={identity}; path=/; HttpOnly; SameSite=lax".encode()
        episode = Episode(identity, cookie, session, row or {}, time.monotonic())
        self.open_episodes[episode.id] = episode
        return episode

    def find(self, identity: str) -> Episode | None:
        """The episode of this id, which was asked for just now; None if there is none any more."""
        for place in (self.open_episodes, self.judged):
            if episode := place.get(identity):
                episode.used = time.monotonic()
                place.move_to_end(identity)
                return episode
        return None

    async def judge(self, episode: Episode, digest: bytes, answer: bytes) -> None:
        """Keep the verdict that an episode got, and close it: what is left of it is what it was told."""
        session, episode.session, episode.row = episode.session, None, {}
        episode.digest, episode.answer = digest, answer
        if self.open_episodes.pop(episode.id, None) is not None:
            self.judged[episode.id] = episode
            self.kept_bytes += len(answer)
        while self.kept_bytes > MAX_VERDICT_BYTES:
            _, oldest = self.judged.popitem(last=False)
            self.kept_bytes -= len(oldest.answer)
        if session is not None:
            # The verdict stands, whatever becomes of the rest.
            with suppress(Failure):
                await session.close()

    async def drop(self, episode: Episode) -> None:
        """Close an episode that nobody will ask for any more."""
        self.open_episodes.pop(episode.id, None)
        if self.judged.pop(episode.id, None) is not None:
            self.kept_bytes -= len(episode.answer)
        session, episode.session = episode.session, None
        if session is not None:
            with suppress(Failure):
                await session.close()

    async def sweep(self) -> None:
        """Close what nobody asked for, until cancelled."""
        while True:
            await asyncio.sleep(min(SWEEP_EVERY_S, self.limits.ttl_s))
            due = time.monotonic() - self.limits.ttl_s
            for place in (self.open_episodes, self.judged):
                while place and (episode := next(iter(place.values()))).used < due:
                    if episode.lock.locked():
                        # A tool or a verifier is at work for it.
                        self.find(episode.id)
                    else:
                        await self.drop(episode)

    async def close(self) -> None:
        """Close all episodes, then the host."""
        while self.open_episodes:
            some = [self.open_episodes.popitem()[1] for _ in range(min(CLOSED_TOGETHER, len(self.open_episodes)))]
            await asyncio.gather(*map(self.drop, some))
        await self.host.close()

    def signed(self, name: str) -> str:
        """A name that only a server with the same secret can have given."""
        return f"{name}.{hmac.new(self.key, name.encode(), hashlib.sha256).hexdigest()[:SIGNATURE_DIGITS]}"
