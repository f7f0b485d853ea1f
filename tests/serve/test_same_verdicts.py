"""An environment behind HTTP is the environment: what the model reads and what it gets are the same."""

import asyncio
from typing import Any

import pytest

from palestra.conformance.cases import Case, play, without_times
from palestra.conformance.check import subject_of
from palestra.conformance.subject import Subject
from palestra.core.discovery import Source, every_environment
from palestra.core.errors import Failure
from palestra.core.session import Host
from palestra.core.transcript import output_text
from palestra.hosts.http import HttpHost
from tests.served_environments import served

SOURCES = [source for source in every_environment() if source.name == source.folder.name]
"""Variants differ in options only."""


async def outcome(host: Host, row: dict[str, Any], case: Case) -> Any:
    """What an episode comes to: what the environment said, and the verdict, or the failure that it is."""
    try:
        transcript, verdict = await play(host, row, case.replies or [])
    except Failure as failure:
        return failure.boundary, failure.code
    said = [output_text(item) for item in transcript.output if item.get("type") == "function_call_output"]
    told = verdict.reward, dict(verdict.components), without_times(dict(verdict.metrics)), verdict.reason
    return said, transcript.step_rewards, told


async def compared(subject: Subject, url: str) -> list[tuple[str, Any, Any]]:
    remote = HttpHost(url, environment=subject.source.name, prompt_source=subject.host)
    differing: list[tuple[str, Any, Any]] = []
    try:
        for case in subject.cases:
            if case.replies and subject.plays_as_it_is(case):
                row = subject.row_of(case)
                here, there = await outcome(subject.host, row, case), await outcome(remote, row, case)
                if here != there:
                    differing.append((case.name, here, there))
    finally:
        await remote.close()
    return differing


@pytest.mark.parametrize(
    "source",
    [pytest.param(source, marks=[pytest.mark.slow] if source.manifest.sandbox else []) for source in SOURCES],
    ids=[source.name for source in SOURCES],
)
def test_every_case_comes_to_the_same_over_tcp(source: Source) -> None:
    async def used() -> list[tuple[str, Any, Any]]:
        async with subject_of(source, "strong") as subject, served(subject.host) as url:
            return await compared(subject, url)

    assert asyncio.run(used()) == []
