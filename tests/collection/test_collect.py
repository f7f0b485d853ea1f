"""A collect from rows to files: what it writes, what it refuses, and what it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.config import SamplingChoice
from palestra.wire.encoding import checksum_holds
from tests.collection.workspace import Workspace, comparable, keys_of, lines_of, words

COUNTER = '''
from palestra import Environment, Task, Transcript, tool


class CountTask(Task):
    start: int
    goal: int


class Count(Environment[CountTask]):
    def prompt(self) -> str:
        return "Reach the goal."

    async def setup(self) -> None:
        self.count = self.task.start

    @tool
    def add(self, amount: int) -> int:
        """Add.

        Args:
            amount: How much.
        """
        self.count += amount
        return self.count

    def verify(self, transcript: Transcript) -> float:
        return float(self.count == self.task.goal)
'''

WALK = """
from palestra import Environment, Step, Task, Transcript


class WalkTask(Task):
    steps: int


class Walk(Environment[WalkTask]):
    def prompt(self) -> str:
        return "Walk."

    def setup(self) -> None:
        self.taken = 0

    async def step(self, items) -> Step:
        self.taken += 1
        return Step(done=self.taken == self.task.steps, reward=0.25)

    def verify(self, transcript: Transcript) -> float:
        return sum(transcript.step_rewards)
"""

ADD = {"type": "function_call", "name": "add", "arguments": '{"amount": 2}'}


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.rows(words(6))
    return made


def test_rollouts_inputs_metrics_and_description_are_written(place: Workspace) -> None:
    seen: list[str] = []
    report = place.collect(observe=lambda outcome: seen.append(outcome.job.key), repeats=2)
    assert (report.judged, report.stored, report.failures, report.exit_code) == (12, 12, {}, 0)
    assert sorted(seen) == sorted(keys_of(place.paths.rollouts)) == sorted(keys_of(place.paths.inputs))
    assert len(set(seen)) == 12
    assert all(checksum_holds(line) for line in place.paths.rollouts.read_bytes().splitlines())
    assert {(line["_ng_task_index"], line["_ng_rollout_index"]) for line in lines_of(place.paths.rollouts)} == {
        (task, repeat) for task in range(6) for repeat in range(2)
    }
    (entry,) = json.loads(place.paths.metrics.read_bytes())
    assert entry["key_metrics"]["mean/reward"] == pytest.approx(1 / 3)
    assert len(entry["group_level_metrics"]) == 6
    assert report.metrics[0]["key_metrics"] == entry["key_metrics"]
    assert json.loads(place.paths.run.read_bytes())["environments"]["echo"]["seed"] == 0
    assert sorted(path.name for path in place.paths.rollouts.parent.iterdir()) == [
        "rollouts.jsonl",
        "rollouts_aggregate_metrics.json",
        "rollouts_failures.jsonl",
        "rollouts_materialized_inputs.jsonl",
        "rollouts_reward_profiling.jsonl",
        "rollouts_run.json",
    ]


def test_two_runs_with_one_seed_are_equal_but_for_their_times(place: Workspace) -> None:
    first = place.collect(repeats=2, seed=5, concurrency=1)
    other = place.folder / "other" / "rollouts.jsonl"
    second = place.collect(repeats=2, seed=5, output=other)
    assert comparable(first.paths.rollouts) == comparable(other)
    assert comparable(first.paths.inputs) == comparable(second.paths.inputs)
    third = place.collect(repeats=2, seed=6, output=place.folder / "third.jsonl")
    assert comparable(third.paths.rollouts) != comparable(other)


def three(place: Workspace) -> tuple[str, ...]:
    folders = (place.folder / "echo", place.environment("count", COUNTER), place.environment("walk", WALK))
    place.script({"e": ["bee"], "c1": [[ADD], [ADD], "done"], "c2": [[ADD], "done"], "w": ["on"]})
    return tuple(map(str, folders))


ROWS = (
    ("echo", {"id": "e", "text": "bee"}),
    ("count", {"id": "c1", "start": 1, "goal": 5}),
    ("count", {"id": "c2", "start": 1, "goal": 5}),
    ("walk", {"id": "w", "steps": 3}),
)
SAMPLING = {
    "*": SamplingChoice(top_p=0.5),
    "echo": SamplingChoice(temperature=0.1),
    "count": SamplingChoice(temperature=0.2, max_output_tokens=9),
    "walk": SamplingChoice(temperature=0.3),
}


def require_three(place: Workspace) -> None:
    found = {line["palestra"]["task"]["id"]: line for line in lines_of(place.paths.rollouts)}
    assert {name: line["reward"] for name, line in found.items()} == {"e": 1.0, "c1": 1.0, "c2": 0.0, "w": 0.75}
    params = {name: line["responses_create_params"] for name, line in found.items()}
    assert [params[name]["temperature"] for name in ("e", "c1", "c2", "w")] == [0.1, 0.2, 0.2, 0.3]
    assert [params[name]["top_p"] for name in ("e", "c1", "c2", "w")] == [0.5] * 4
    assert params["c1"]["max_output_tokens"] == 9
    assert "max_output_tokens" not in params["e"]
    assert found["w"]["palestra"]["step_rewards"] == [0.25] * 3
    assert len(found["c1"]["palestra"]["calls"]) == 3
    outputs = [item for item in found["c1"]["response"]["output"] if item["type"] == "function_call_output"]
    assert [item["output"] for item in outputs] == ["3", "5"]
    assert {line["palestra"]["environment"] for line in found.values()} == {"echo", "count", "walk"}
    assert len({line["palestra"]["fingerprint"] for line in found.values()}) == 3


def test_one_collect_spans_environments_named_on_the_command_line(place: Workspace) -> None:
    environments = three(place)
    for name, row in ROWS:
        with (place.folder / name / "tasks.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    report = place.collect(environments=environments, sampling=SAMPLING, input=None)
    assert (report.stored, report.exit_code) == (4, 0)
    require_three(place)
    assert [entry["agent_ref"]["name"] for entry in report.metrics] == [
        "count_simple_agent",
        "echo_simple_agent",
        "walk_simple_agent",
    ]


def test_one_collect_spans_environments_named_by_the_rows(place: Workspace) -> None:
    environments = three(place)
    rows: list[Any] = [{**row, "agent_ref": {"name": f"{name}_simple_agent"}} for name, row in ROWS]
    place.rows([*rows, {"text": "bee", "agent_ref": {"name": "ecko_simple_agent"}}, {"text": "bee"}])
    report = place.collect(environments=environments, sampling=SAMPLING, max_failure_rate=0.5)
    assert (report.stored, report.failures) == (4, {"task-invalid": 2})
    require_three(place)
    messages = [line["palestra"]["failure"]["message"] for line in lines_of(place.paths.failures)]
    assert any("Did you mean 'echo'?" in message for message in messages)
    assert any("no agent_ref" in message for message in messages)
