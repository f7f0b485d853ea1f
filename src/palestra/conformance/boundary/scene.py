"""What stands around a hostile program: secrets, folders, listeners, and processes that must not be harmed."""

import json
import os
import secrets
import select
import shutil
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from palestra.conformance.boundary.corpus import HIDDEN_TESTS

BOUND_TRIES = 20


class Scene:
    """One case's surroundings, on the host. Everything of it is removed in the end."""

    def __init__(self) -> None:
        self.canary = f"CANARY-{secrets.token_hex(12)}"
        self.mark = f"sbx{secrets.token_hex(6)}"
        self.folder = Path(tempfile.mkdtemp(prefix="palestra-boundary-"))
        # Whatever user the program runs as, only the boundary may keep it from these.
        self.folder.chmod(0o755)
        for name in ("out", "credentials", "work"):
            (self.folder / name).mkdir()
            (self.folder / name).chmod(0o777)
        self.canary_file = self.folder / "credentials" / "secret"
        self.canary_file.write_text(self.canary)
        self.canary_file.chmod(0o666)
        self.tests_file = self.folder / f"hidden_tests_{self.mark}.json"
        self.tests_file.write_text(json.dumps({str(given): str(expected) for given, expected in HIDDEN_TESTS}))
        self.inherited = [os.open(path, os.O_RDONLY) for path in (self.canary_file, self.tests_file)]
        self.stream, self.datagrams = listeners()
        self.port = self.stream.getsockname()[1]
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.mark}")
        self.abstract.listen()

    @property
    def places(self) -> Mapping[str, str]:
        """The placeholders of cases."""
        return {
            "CANARY": self.canary,
            "CANARY_FILE": str(self.canary_file),
            "OUT": str(self.folder / "out"),
            "PORT": str(self.port),
            "MARK": self.mark,
        }

    def was_reached(self) -> bool:
        """Whether anything came to the listeners."""
        return bool(select.select([self.stream, self.datagrams], [], [], 0)[0])

    def holds_canary(self, path: str) -> bool:
        try:
            return self.canary in Path(path).read_text(errors="replace")
        except OSError:
            return False

    def written(self) -> str:
        """The start of what was written into the host's folder."""
        texts: list[str] = []
        for path in sorted((self.folder / "out").rglob("*")):
            with suppress(OSError), path.open(errors="replace") as file:
                texts.append(file.read(1 << 16))
        return "".join(texts)

    def close(self) -> None:
        for descriptor in self.inherited:
            os.close(descriptor)
        for listener in (self.stream, self.datagrams, self.abstract):
            listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in Path("/dev/shm").glob(f"*{self.mark}*"):  # noqa: S108 - where a case tries to leave something
            path.unlink(missing_ok=True)


def listeners() -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on the same port of the loopback."""
    for _ in range(BOUND_TRIES):
        stream, datagrams = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        stream.bind(("127.0.0.1", 0))
        try:
            datagrams.bind(stream.getsockname())
        except OSError:
            # Something else has that port for datagrams.
            stream.close()
            datagrams.close()
            continue
        stream.listen()
        return stream, datagrams
    raise OSError("no port of the loopback is free for both TCP and UDP")
