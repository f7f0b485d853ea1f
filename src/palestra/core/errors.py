"""Errors people read and failures rollouts record: each has a code, a cause and a fix in `error_codes.py`."""

import asyncio
from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Literal, TypeAlias

from palestra.core.error_codes import ERRORS

Boundary: TypeAlias = Literal["model", "tool", "environment", "verifier", "judge", "sandbox", "host", "limit"]
"""Where a failed rollout broke."""


DEFAULT_CODES: MappingProxyType[Boundary, str] = MappingProxyType(
    {
        "model": "model-bad-reply",
        "tool": "tool-error",
        "environment": "environment-error",
        "verifier": "verifier-error",
        "judge": "judge-error",
        "sandbox": "sandbox-error",
        "host": "host-error",
        "limit": "rollout-timeout",
    }
)


class PalestraError(Exception):
    """Something the user can mend. `str()` says what was wrong, with which value, and what to do."""

    def __init__(self, code: str, message: str, *, fix: str | None = None) -> None:
        self.code = code
        self.message = message
        self.fix = fix or ERRORS[code].fix
        super().__init__(f"{message}\n  what to do: {self.fix}  [{code}]")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from `args`, which is the text alone; this one has to survive its way out of a worker.
        return partial(type(self), self.code, self.message, fix=self.fix), ()


class Failure(Exception):
    """A rollout that broke: attributed once to a boundary, recorded once, never a reward of 0."""

    def __init__(
        self,
        boundary: Boundary,
        message: str,
        *,
        code: str | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        fatal: bool = False,
    ) -> None:
        self.boundary: Boundary = boundary
        self.code = code or DEFAULT_CODES[boundary]
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.fatal = fatal
        """No other rollout of this run can succeed either (a refused key, a model that does not exist)."""
        assert self.code in ERRORS, self.code
        super().__init__(f"{boundary}: {message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(
            type(self),
            self.boundary,
            self.message,
            code=self.code,
            retryable=self.retryable,
            retry_after_s=self.retry_after_s,
            fatal=self.fatal,
        ), ()


class boundary:  # noqa: N801 - reads as the verb it is: `with boundary("verifier"):`
    """Attribute whatever escapes the block to `name`, unless it is attributed already.

    SystemExit too: a library that calls `sys.exit` must not end the run.
    """

    # A class, as a rollout passes a dozen of them and a generator costs four times as much.
    __slots__ = ("code", "name")

    def __init__(self, name: Boundary, code: str | None = None) -> None:
        self.name: Boundary = name
        self.code = code

    def __enter__(self) -> "boundary":
        """What is returned can be given another `name` as the block goes on."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Failure | PalestraError):
            return
        if isinstance(error, Exception | SystemExit) or is_stray(error):
            raise Failure(self.name, describe(error), code=self.code) from error


def is_stray(error: BaseException) -> bool:
    """Whether it is a cancellation that nobody asked this task for: one that leaked out of a task it waited for."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # Outside of any event loop nobody waits for a task.
        return False
    return task is not None and task.cancelling() == 0


def describe(error: BaseException) -> str:
    """The error as `Type: message`, in one line of at most 2,000 characters."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return " ".join(text.split())[:2000]


def suggestion(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest known name, or an empty string."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
