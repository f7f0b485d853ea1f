"""Ports for instances that have none: free at the moment, in the range that was asked for, none given twice."""

import errno
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from palestra.core.errors import PalestraError

UNBINDABLE_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EINVAL})
"""The address belongs to another machine, so nothing can be tried here."""


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. A host of another machine counts as free: it cannot be asked."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return True
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as tried:
            # What a server that was just stopped leaves behind does not block the port for the next one.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(address)
            except OSError as error:
                if error.errno not in UNBINDABLE_HERE:
                    return False
    return True


@dataclass(slots=True)
class Ports:
    """The ports of one configuration."""

    lowest: int
    highest: int
    """Both may be given."""
    taken: set[int]
    """Never given: that of the head server, those that were written down, `disallowed_ports`, and all given ones."""
    random: Random = field(default_factory=Random)
    is_free: Callable[[str, int], bool] = is_free

    def next(self, host: str) -> int:
        """A free port. Raises PalestraError if the range has none."""
        for port in self.candidates():
            if port not in self.taken and self.is_free(host, port):
                self.taken.add(port)
                return port
        message = f"no port from {self.lowest} to {self.highest} is free on {host!r}"
        fix = "Widen port_range_low and port_range_high, or end what is listening there."
        raise PalestraError("invalid-config", message, fix=fix)

    def candidates(self) -> Iterator[int]:
        """The whole range from a random start, so that two runs at the same time seldom want the same."""
        count = self.highest - self.lowest + 1
        start = self.random.randrange(count)
        return (self.lowest + (start + step) % count for step in range(count))


def require_distinct(places: Iterable[tuple[str, str, int]]) -> Iterator[str]:
    """A problem for each two servers, given as name, host and port, that would listen at the same place."""
    seen: dict[tuple[str, int], str] = {}
    for name, host, port in places:
        if (other := seen.setdefault((host, port), name)) != name:
            yield f"{other} and {name} would both listen on {host}:{port}"


def own_address() -> str:
    """The address of this machine by its own name, for `use_absolute_ip`."""
    name = socket.gethostname()
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        message = f"use_absolute_ip: this machine's name {name!r} has no address: {error.strerror}"
        raise PalestraError("invalid-config", message, fix="Set default_host to an address instead.") from error
