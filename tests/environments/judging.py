"""One verdict of a packaged environment on a conversation written in a test."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.core.discovery import find
from palestra.core.model import Model
from palestra.core.transcript import Transcript, assistant_message
from palestra.core.verdict import Verdict
from palestra.hosts.grading_pool import GradingPool
from palestra.hosts.local import NO_ROLES, LocalHost


def judge_in(
    name: str,
    row: dict[str, Any],
    output: list[dict[str, Any]],
    *,
    roles: Mapping[str, Model] = NO_ROLES,
    **options: Any,
) -> Verdict:
    async def judged() -> Verdict:
        source = find(name)
        pool = GradingPool(1)
        host = LocalHost(source, source.options(options), pool, roles)
        try:
            session = await host.open(row, seed=0)
            return await session.verify(Transcript(tuple(session.prompt), tuple(output)))
        finally:
            await host.close()
            await pool.close()

    return asyncio.run(judged())


def answered_in(name: str, row: dict[str, Any], calls: list[dict[str, Any]], **options: Any) -> list[str]:
    """What a packaged environment answers to function calls of one reply, in one episode of the row."""

    async def answers() -> list[str]:
        source = find(name)
        pool = GradingPool(1)
        host = LocalHost(source, source.options(options), pool)
        try:
            session = await host.open(row, seed=0)
            step = await session.step([{"call_id": f"call_{number}", **call} for number, call in enumerate(calls)])
            return [item["output"] for item in step.items]
        finally:
            await host.close()
            await pool.close()

    return asyncio.run(answers())


def say(text: str) -> list[dict[str, Any]]:
    return [assistant_message(text)]


def assert_recorded_rewards(path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded rollouts get their rewards and metrics again, with NeMo Gym's rules and with ours."""
    for compatible in ("false", "true"):
        words = ["verify", str(path), "--env", name, "--recorded", "--json", "--option", f"compatible={compatible}"]
        assert main(words) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["n"] == told["agree"] > 0
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        verdict = judge_in(name, entry["row"], entry["recorded"]["response"]["output"])
        assert dict(verdict.metrics) == {metric: entry["recorded"][metric] for metric in verdict.metrics}
