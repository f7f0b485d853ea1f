"""Tests of a solution: they run in one cell, the solution in another, and here messages pass between them."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

from palestra.core.sandbox import Check, Limits, Run, RunStatus
from palestra.sandbox.inside.driver import DONE
from palestra.sandbox.inside.values import Malformed, decode, encode

GRACE_S = 2.0
"""How long a process that has said its last word may take to end."""
ENDED = "the program ended while it was tested"
TESTS_ENDED = "the tests ended before they were through"


class Cell(Protocol):
    """A process in a sandbox that we exchange messages with."""

    async def send(self, message: bytes) -> None:
        """Raises EOFError if the process is gone."""
        ...

    async def receive(self) -> bytes:
        """The next message. Raises EOFError if the process is gone."""
        ...

    async def outcome(self) -> Run:
        """What became of the process, once it has ended."""
        ...

    async def end(self) -> None:
        """End the process if it has not ended."""
        ...


OpenCell = Callable[[str, bytes, Limits], AbstractAsyncContextManager[Cell]]
"""Starts a process that runs a module of `inside`, with options for it, within limits."""


async def relay(solution: Cell, driver: Cell, word: str) -> Run:
    """Pass messages until the tests have ended. Ok only if their process says so with the word that only it knows."""
    while True:
        try:
            message = await driver.receive()
        except EOFError:
            return ended(await outcome_of(driver), TESTS_ENDED)
        if message[:1] == DONE:
            return verdict(message[1:], word, await outcome_of(driver))
        try:
            await solution.send(message[1:])
            answer = await solution.receive()
        except EOFError:
            return ended(await outcome_of(solution), ENDED)
        try:
            await driver.send(answer)
        except EOFError:
            return ended(await outcome_of(driver), TESTS_ENDED)


def solution_options(check: Check) -> bytes:
    return encode({"solution": check.solution})


def driver_options(check: Check, word: str) -> bytes:
    return encode({"tests": check.tests, "call": check.call, "argument": check.argument, "word": word})


def new_word() -> str:
    return secrets.token_hex(16)


async def outcome_of(cell: Cell) -> Run:
    """What became of a process that no longer answers: it may have closed the connection and live on."""
    try:
        return await asyncio.wait_for(cell.outcome(), GRACE_S)
    except TimeoutError:
        return Run("died")


def ended(run: Run, reason: str) -> Run:
    """A run that ended without a verdict, whatever its process says of itself."""
    status = "died" if run.status in ("ok", "raised") else run.status
    return replace(run, status=status, value=None, error=reason, error_repr=None, trace=None)


def verdict(message: bytes, word: str, run: Run) -> Run:
    """What the tests' process said in the end, beside what it used."""
    try:
        told = decode(message)
        if told["word"] != word:
            return ended(run, TESTS_ENDED)
        details = {name: told.get(name) for name in ("error", "error_repr", "trace")}
        status: RunStatus = "ok" if told["status"] == "ok" else "raised"
    except (Malformed, KeyError, TypeError, AttributeError):
        return ended(run, TESTS_ENDED)
    notes = tuple(note for note in run.notes if note.startswith("standard"))
    return replace(run, status=status, value=None, exit_code=None, notes=notes, **details)
