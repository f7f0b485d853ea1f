"""Requests that are tried again, and downloads that go on where they stopped."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from palestra.core.errors import PalestraError, describe

TRIES = 5
FIRST_PAUSE_S = 0.5
"""Before the second try; it doubles with each further one."""
TIMEOUT_S = 60.0
"""How long a server may say nothing."""
BLOCK_BYTES = 1 << 20
PASSING = frozenset({429, 500, 502, 503, 504})
"""Answers of a server that may give another one soon."""
ALL_THERE = 416
TOLD_CHARACTERS = 300


def tried(
    request: Callable[[], Any], url: str, *, accepts: tuple[int, ...] = (), pause_s: float = FIRST_PAUSE_S
) -> Any:
    """An answer, after at most `TRIES` tries while the server is not there or has an error of its own.

    Raises PalestraError for any other answer of 400 or more that is not among `accepts`.
    """
    import httpx

    for attempt in range(1, TRIES + 1):
        try:
            answer = request()
        except httpx.HTTPError as error:
            if attempt == TRIES:
                message = f"{url} could not be reached in {TRIES} tries: {describe(error)}"
                raise PalestraError("source-unavailable", message) from error
        else:
            if answer.status_code < 400 or answer.status_code in accepts:
                return answer
            if attempt == TRIES or answer.status_code not in PASSING:
                raise refused(url, answer)
        time.sleep(pause_s * 2 ** (attempt - 1))
    raise AssertionError("the last try returns or raises")


def refused(url: str, answer: Any) -> PalestraError:
    said = " ".join(answer.text.split())[:TOLD_CHARACTERS]
    fix = "Check name, version and token; for an upload, whether the version is there already."
    return PalestraError("source-unavailable", f"{url} answered {answer.status_code}: {said}", fix=fix)


def fetch_rest(client: Any, url: str, part: Path, headers: Mapping[str, str], *, pause_s: float) -> None:
    """Append to `part` what it still lacks of a file; all of it if the server gives no parts. Raises PalestraError.

    What was received stays in `part` whatever happens; whether it is the right file is for a checksum to say.
    """

    def once() -> Any:
        have = part.stat().st_size if part.exists() else 0
        wanted = {"Range": f"bytes={have}-"} if have else {}
        # Positions are those of the file itself, so it must not be compressed on its way.
        sent = {**headers, "Accept-Encoding": "identity", **wanted}
        with client.stream("GET", url, headers=sent) as answer:
            if answer.status_code not in (200, 206):
                answer.read()
                return answer
            with part.open("ab" if answer.status_code == 206 else "wb") as file:
                for block in answer.iter_raw():
                    file.write(block)
            return answer

    tried(once, url, accepts=(ALL_THERE,), pause_s=pause_s)
