"""A collect whose environment runs on a resources server."""

import asyncio
import json
from pathlib import Path

from palestra.collection.collect import collect
from palestra.collection.config import CollectConfig, ModelChoice
from tests.simulated_environment_server import SimulatedEnvironmentServer

SCRIPT = {
    "task": "*",
    "replies": [[{"type": "function_call", "name": "increment_counter", "arguments": '{"count": 2}'}], "Done."],
}


def test_episodes_are_played_and_judged_by_the_server(tmp_path: Path) -> None:
    (tmp_path / "script.jsonl").write_text(json.dumps(SCRIPT) + "\n")
    rows = [
        {
            "initial_count": first,
            "expected_count": 5,
            "responses_create_params": {"input": "Add 2.", "tools": []},
        }
        for first in (3, 4)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    async def run() -> None:
        async with SimulatedEnvironmentServer() as server:
            config = CollectConfig(
                environments=("example_session_state_mgmt",),
                input=tmp_path / "rows.jsonl",
                output=tmp_path / "out.jsonl",
                model=ModelChoice(spec=f"scripted:{tmp_path / 'script.jsonl'}"),
                host_url=server.url,
                repeats=3,
            )
            report = await collect(config)
            assert (report.judged, report.failures) == (6, {})

    asyncio.run(run())
    rollouts = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(rollout["reward"] for rollout in rollouts) == [0.0] * 3 + [1.0] * 3
    assert {rollout["palestra"]["task"]["initial_count"] for rollout in rollouts if rollout["reward"]} == {3}
