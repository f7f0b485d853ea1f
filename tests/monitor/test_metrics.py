"""Metrics have NeMo Gym's names and values, from any producer's files, in little memory."""

import io
import json
import math
import statistics
import sys
from array import array
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.collection.report import write_aggregate
from palestra.monitor.metrics import AgentColumns, aggregate, describe, pass_metrics, read_columns
from palestra.wire.encoding import encode_with_checksum

numbers = st.floats(-1e6, 1e6, allow_nan=False)


def rollout(task: int, repeat: int, reward: Any, agent: str = "a", **fields: Any) -> dict[str, Any]:
    return {
        "reward": reward,
        "agent_ref": {"name": agent},
        "_ng_task_index": task,
        "_ng_rollout_index": repeat,
        **fields,
    }


def metrics_of(folder: Path, *files: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The metrics of files of these lines, and the problems on the way."""
    paths: list[Path] = []
    for number, lines in enumerate(files):
        paths.append(folder / f"{number}.jsonl")
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        paths[-1].write_text(text)
    problems: list[str] = []
    return aggregate(read_columns(paths, problems)), problems


def test_the_vectors_of_the_wire_format_hold_exactly(tmp_path: Path) -> None:
    rewards = [[1, 0], [1, 1]]
    lines = [rollout(task, repeat, rewards[task][repeat]) for repeat in (1, 0) for task in (1, 0)]
    (entry,), problems = metrics_of(tmp_path, lines)
    assert problems == []
    found = entry["agent_metrics"]
    assert {name: found[f"{name}/reward"] for name in ("mean", "max", "min", "median", "std")} == {
        "mean": 0.75, "max": 1, "min": 0, "median": 1.0, "std": 0.5,
    }  # fmt: skip
    assert found["pass@1/accuracy"] == 75.0
    assert found["pass@2/accuracy"] == 100.0
    assert found["pass@1[avg-of-1]/accuracy"] == 100.0
    assert found["pass@1[avg-of-2]/accuracy"] == 75.0
    assert found["per_sample_aggregate"] == {"accuracy": [100.0, 50.0]}
    assert found["pass@1[avg-of-2]/accuracy/std_dev_across_runs"] == 35.35533905932738
    assert found["pass@1[avg-of-2]/accuracy/std_err_across_runs"] == 25.0
    groups = entry["group_level_metrics"]
    assert [(group["_ng_task_index"], group["num_rollouts"]) for group in groups] == [(0, 2), (1, 2)]
    assert [(group["mean/reward"], group["std/reward"]) for group in groups] == [(0.5, 0.7071067811865476), (1.0, 0)]
    assert entry["key_metrics"] == {"mean/reward": 0.75}
    assert entry["agent_ref"] == {"name": "a"}


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=30))
def test_statistics_agree_with_numpy_and_the_standard_library(values: list[float]) -> None:
    found = describe(sorted(values))
    close = pytest.approx
    assert found["mean"] == close(np.mean(values), rel=1e-12, abs=1e-9)
    assert found["median"] == close(statistics.median(values), rel=1e-12, abs=1e-9)
    assert (found["max"], found["min"]) == (max(values), min(values))
    expected = statistics.stdev(values) if len(values) > 1 else 0.0
    assert found["std"] == close(expected, rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from((0.0, 1.0)), min_size=1, max_size=6), min_size=1, max_size=5))
def test_pass_at_k_is_the_share_of_all_subsets_that_hold_a_right_answer(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    for k in range(1, max(map(len, tasks)) + 1):
        shares = [
            statistics.mean(float(any(chosen)) for chosen in combinations(scores, k))
            for scores in tasks
            if len(scores) >= k
        ]
        assert found[f"pass@{k}/accuracy"] == pytest.approx(100 * statistics.mean(shares))


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), min_size=1, max_size=5))
def test_averages_over_k_count_the_tasks_that_have_k_rollouts(tasks: list[list[float]]) -> None:
    found = pass_metrics(tasks)
    for k in range(1, max(map(len, tasks)) + 1):
        counted = [scores for scores in tasks if len(scores) >= k]
        mean = statistics.mean(statistics.mean(scores[:k]) for scores in counted)
        assert found[f"pass@1[avg-of-{k}]/accuracy"] == pytest.approx(100 * mean)
        if any(score not in (0, 1) for scores in tasks for score in scores):
            best = statistics.mean(max(scores[:k]) for scores in counted)
            assert found[f"pass@{k}/accuracy"] == pytest.approx(100 * best)


def test_fields_that_some_rollouts_lack_are_averaged_over_those_that_have_them(tmp_path: Path) -> None:
    lines = [
        rollout(0, 0, 1.0, early=1.0),
        rollout(0, 1, 0.0, late=True, text="x", nothing=None),
        rollout(1, 0, 1.0, late=False, response={"usage": {"input_tokens": 10, "details": {"cached": 1}}}),
    ]
    (entry,), _ = metrics_of(tmp_path, lines)
    found = entry["agent_metrics"]
    assert (found["mean/early"], found["mean/late"], found["mean/input_tokens"]) == (1.0, 0.5, 10.0)
    assert not {"mean/text", "mean/nothing", "mean/_ng_task_index", "mean/details"} & found.keys()
    first, second = entry["group_level_metrics"]
    assert (first["mean/early"], first["mean/late"]) == (1.0, 1.0)
    assert "mean/early" not in second


def test_a_rollout_without_reward_counts_in_no_reward_metric(tmp_path: Path) -> None:
    lines: list[Any] = [
        rollout(0, 0, 1.0),
        {**rollout(0, 1, None), "length": 3},
        rollout(1, 0, 0.0),
        rollout(2, 0, None),
    ]
    (entry,), _ = metrics_of(tmp_path, lines)
    found = entry["agent_metrics"]
    assert (found["mean/reward"], found["pass@1/accuracy"], found["mean/length"]) == (0.5, 50.0, 3.0)
    assert "pass@2/accuracy" not in found
    json.dumps(entry, allow_nan=False)


def test_tasks_of_several_files_stay_apart_and_agents_too(tmp_path: Path) -> None:
    one = [rollout(0, 0, 1.0), rollout(1, 0, 0.0)]
    entries, _ = metrics_of(tmp_path, one, [rollout(0, 0, 0.0), rollout(0, 0, 1.0, "b")])
    assert [entry["agent_ref"]["name"] for entry in entries] == ["a", "b"]
    groups = entries[0]["group_level_metrics"]
    assert [(group["_ng_task_index"], group["num_rollouts"]) for group in groups] == [(0, 1), (1, 1), (2, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "nothing", "[]", '"text"', '{"_ng_task_index": "x"}', '{"response": "text"}', '{"response": {"usage": [1]}}',
        '{"_ng_rollout_index": null}', '{"_ng_rollout_index": 99999999999999999999}', '{"_ng_task_index": 1e400}',
        '{"_ng_task_index": 1%s}' % ("0" * 400), '{"agent_ref": {"name": "b"}, "_ng_task_index": {}}', "{",
    ],
)  # fmt: skip
def test_a_line_that_is_no_rollout_is_named_and_changes_nothing(tmp_path: Path, line: str) -> None:
    whole = [rollout(0, 0, 1.0), rollout(0, 1, 0.0), rollout(1, 0, 1.0)]
    expected, _ = metrics_of(tmp_path, whole)
    found, problems = metrics_of(tmp_path, [whole[0], line, *whole[1:]])
    assert found == expected
    assert len(problems) == 1
    assert "line 2 was skipped" in problems[0]


@pytest.mark.parametrize("value", ["1%s" % ("0" * 400), "1e200", "-1e300"])
def test_numbers_too_large_to_be_averaged_are_left_out(tmp_path: Path, value: str) -> None:
    line = json.dumps(rollout(0, 0, 1.0))[:-1] + f', "huge": {value}}}'
    (entry,), problems = metrics_of(tmp_path, [line, rollout(1, 0, 0.0)])
    assert (entry["agent_metrics"]["mean/reward"], problems) == (0.5, [])
    assert "mean/huge" not in entry["agent_metrics"]


def test_a_line_that_rotted_is_left_out(tmp_path: Path) -> None:
    line = encode_with_checksum({**rollout(0, 0, 1.0), "palestra": {"version": 1}}).decode()
    (entry,), problems = metrics_of(tmp_path, [line, line.replace('"reward":1.0', '"reward":9.0')])
    assert (entry["agent_metrics"]["max/reward"], len(problems)) == (1.0, 1)


def test_files_without_a_rollout_have_no_metrics(tmp_path: Path) -> None:
    assert metrics_of(tmp_path, ["", "  "]) == ([], [])


def test_what_is_written_group_by_group_is_what_aggregate_gives(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    lines = [rollout(task, repeat, task % 2, agent) for task in range(5) for repeat in range(3) for agent in "ab"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    agents = read_columns([path], [])
    file = io.BytesIO()
    entries = write_aggregate(agents, file)
    assert json.loads(file.getvalue()) == aggregate(agents)
    assert [entry["agent_ref"]["name"] for entry in entries] == ["a", "b"]
    assert all("group_level_metrics" not in entry for entry in entries)


def test_a_rollout_takes_eight_bytes_a_column_and_sixteen_for_its_place() -> None:
    columns = AgentColumns()
    count = 20_000
    for number in range(count):
        columns.add(rollout(number // 4, number % 4, 1.0, length=3), number // 4)
    arrays: list[array[Any]] = [columns.tasks, columns.repeats, *columns.columns.values()]
    assert len(arrays) == 4
    assert sum(map(sys.getsizeof, arrays)) / count < 4 * 8 * 1.15
    assert not any(math.isnan(value) for value in columns.columns["length"])
