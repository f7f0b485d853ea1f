"""Metrics have NeMo Gym's names and values, from any producer's files, in little memory."""

import io
import json
import math
import statistics
import sys
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.collection.profile import Plan
from palestra.collection.report import write_aggregate
from palestra.core.errors import PalestraError
from palestra.monitor.columns import AgentColumns, Reading, read_columns
from palestra.monitor.metrics import agent_entry, describe
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


def metrics_of(folder: Path, *files: list[Any], **reading: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The metrics of files of these lines, and the problems on the way."""
    paths: list[Path] = []
    for number, lines in enumerate(files):
        paths.append(folder / f"{number}.jsonl")
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        paths[-1].write_text(text)
    problems: list[str] = []
    columns = read_columns(paths, problems, Reading(**reading))
    file = io.BytesIO()
    write_aggregate(columns, {name: Plan() for name in columns.agents}, file)
    return json.loads(file.getvalue()), problems


def answer_of_all(rollout: Any) -> str:
    return "extracted_answer"


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
    assert {name: entry["key_metrics"][name] for name in entry["key_metrics"] if name.count("/") == 1} == {
        "mean/reward": 0.75,
        "pass@1[avg-of-2]/accuracy": 75.0,
        "pass@2/accuracy": 100.0,
        "pass^2/accuracy": 50.0,
    }
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


def test_a_group_says_who_its_rollouts_are(tmp_path: Path) -> None:
    lines = [rollout(3, 1, 0.0, flag=True, response={"usage": {"output_tokens": 7}}), rollout(3, 0, 0.25, flag=False)]
    (entry,), _ = metrics_of(tmp_path, lines)
    (group,) = entry["group_level_metrics"]
    names = ("num_rollouts", "expected_num_rollouts", "missing_num_rollouts", "reward_profile_completion_pct")
    assert [group[name] for name in names] == [2, 2, 0, 100.0]
    assert group["rollout_infos"] == [
        {"rollout_id": "3:0", "_ng_task_index": 3, "_ng_rollout_index": 0, "reward": 0.25, "flag": 0},
        {
            "rollout_id": "3:1",
            "_ng_task_index": 3,
            "_ng_rollout_index": 1,
            "reward": 0.0,
            "flag": 1,
            "output_tokens": 7,
        },
    ]
    # Whole numbers stay whole, so that a count is no 7.0.
    assert '"output_tokens": 7}' in json.dumps(group)


def test_means_have_the_error_over_tasks(tmp_path: Path) -> None:
    # Rewards [1, 0] and [1, 1]: the mean is 0.75, the deviations are [0.25, -0.75] and [0.25, 0.25], their sums by
    # task -0.5 and 0.5; sqrt(0.25 + 0.25) / 4 = 0.1767766952966369, and t(1 degree of freedom) is 12.706204736174694.
    lines = [rollout(0, 0, 1), rollout(0, 1, 0), rollout(1, 0, 1), rollout(1, 1, 1)]
    (entry,), _ = metrics_of(tmp_path, lines)
    found = entry["agent_metrics"]
    assert found["mean/reward/std_err"] == pytest.approx(0.1767766952966369, rel=1e-12)
    assert found["mean/reward/ci95_low"] == pytest.approx(0.75 - 12.706204736174694 * 0.1767766952966369, rel=1e-9)
    assert found["mean/reward/ci95_high"] == pytest.approx(0.75 + 12.706204736174694 * 0.1767766952966369, rel=1e-9)
    # pass@1 is [0.5, 1] over tasks: standard deviation 0.35355, over sqrt(2) is 0.25.
    assert found["pass@1/accuracy/std_err"] == pytest.approx(25.0, rel=1e-12)
    assert {"mean/reward/std_err", "pass@2/accuracy/ci95_low", "pass^2/accuracy/std_err"} <= entry["key_metrics"].keys()


def test_one_task_alone_has_no_interval(tmp_path: Path) -> None:
    (entry,), _ = metrics_of(tmp_path, [rollout(0, 0, 1.0), rollout(0, 1, 0.0)])
    assert not [name for name in entry["agent_metrics"] if name.endswith(("/std_err", "/ci95_low", "/ci95_high"))]


def test_majorities_need_to_know_which_field_is_the_answer(tmp_path: Path) -> None:
    # Task 0 votes 7 (right) twice against 8 once; task 1 votes 5 and 6, a tie of right and wrong; task 2 has no answer.
    said = [["7", "8", "7"], ["5", "6", None], [None, None, None]]
    right = [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    lines = [
        rollout(task, repeat, right[task][repeat], extracted_answer=said[task][repeat])
        for task in range(3)
        for repeat in range(3)
    ]
    (entry,), _ = metrics_of(tmp_path, lines)
    assert not [name for name in entry["agent_metrics"] if name.startswith("majority@") or "no_answer" in name]
    (entry,), _ = metrics_of(tmp_path, lines, answer_key_of=answer_of_all)
    found = entry["agent_metrics"]
    # k=1: right, right, none. k=2: a tie in both tasks (0.5 each). k=3: 1 for task 0, 0.5 for task 1.
    assert [found[f"majority@{k}/accuracy"] for k in (1, 2, 3)] == pytest.approx([200 / 3, 100 / 3, 50.0])
    assert [found[f"pass@1[avg-of-{k}]/no_answer"] for k in (1, 2, 3)] == pytest.approx([100 / 3, 100 / 3, 400 / 9])
    assert found["per_sample_aggregate"]["no_answer"] == pytest.approx([100 / 3, 100 / 3, 200 / 3])
    assert "majority@3/accuracy" in entry["key_metrics"]
    assert not [name for name in entry["key_metrics"] if "no_answer" in name]


def test_answers_of_environments_that_name_no_field_do_not_count_as_missing(tmp_path: Path) -> None:
    lines = [rollout(0, 0, 1.0, extracted_answer="a", kind="x"), rollout(1, 0, 1.0, kind="y")]
    key_of = {"x": "extracted_answer", "y": None}
    (entry,), _ = metrics_of(tmp_path, lines, answer_key_of=lambda rollout: key_of[rollout["kind"]])
    assert (entry["agent_metrics"]["pass@1/no_answer"], entry["agent_metrics"]["majority@1/accuracy"]) == (0.0, 100.0)


def test_a_field_that_no_rollout_has_makes_no_majority(tmp_path: Path) -> None:
    (entry,), _ = metrics_of(tmp_path, [rollout(0, 0, 1.0)], answer_key_of=answer_of_all)
    assert "majority@1/accuracy" not in entry["agent_metrics"]


def test_answers_are_equal_if_their_values_are(tmp_path: Path) -> None:
    said: list[Any] = [7, 7.0, "7", {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"b": 2, "a": 1}]
    lines = [rollout(0, repeat, float(repeat > 2), extracted_answer=answer) for repeat, answer in enumerate(said)]
    (entry,), _ = metrics_of(tmp_path, lines, answer_key_of=answer_of_all)
    found = entry["agent_metrics"]
    # Two for 7; then the objects draw level with two, and win with three.
    assert [found[f"majority@{k}/accuracy"] for k in (2, 3, 5, 6)] == [0.0, 0.0, 50.0, 100.0]


def test_subsets_have_the_metrics_in_percent_of_their_tasks(tmp_path: Path) -> None:
    lines = [
        rollout(0, 0, 1.0, palestra={"task": {"difficulty": 1}}),
        rollout(0, 1, 0.0, palestra={"task": {"difficulty": 1}}),
        rollout(1, 0, 0.0, difficulty="hard"),
        rollout(2, 0, 1.0),
    ]
    (entry,), _ = metrics_of(tmp_path, lines, subset_field="difficulty")
    found = entry["agent_metrics"]
    assert {name: found[name] for name in ("1/pass@1/accuracy", "1/pass@2/accuracy", "hard/pass@1/accuracy")} == {
        "1/pass@1/accuracy": 50.0,
        "1/pass@2/accuracy": 100.0,
        "hard/pass@1/accuracy": 0.0,
    }
    assert not [name for name in found if name.startswith("1/") and "per_sample" in name]
    assert "hard/pass@2/accuracy" not in found


def test_a_field_with_too_many_values_names_no_subsets(tmp_path: Path) -> None:
    lines = [rollout(task, 0, 1.0, number=task) for task in range(1001)]
    with pytest.raises(PalestraError, match="more than 1000 values"):
        metrics_of(tmp_path, lines, subset_field="number")


def test_an_answer_nested_too_deeply_loses_its_line_only(tmp_path: Path) -> None:
    deep = json.dumps(rollout(0, 1, 0.0))[:-1] + ', "extracted_answer": ' + "[" * 900 + "]" * 900 + "}"
    (entry,), problems = metrics_of(tmp_path, [rollout(0, 0, 1.0), deep], answer_key_of=answer_of_all)
    assert entry["agent_metrics"]["mean/reward"] in (0.5, 1.0)
    assert len(problems) == (entry["agent_metrics"]["mean/reward"] == 1.0)


def test_a_field_of_the_rollouts_comes_before_an_error_of_the_same_name(tmp_path: Path) -> None:
    lines = [{**rollout(task, 0, float(task)), "reward/std_err": 9.0} for task in range(3)]
    (entry,), _ = metrics_of(tmp_path, lines)
    assert entry["agent_metrics"]["mean/reward/std_err"] == 9.0


@given(st.permutations(range(6)))
def test_the_order_of_lines_and_of_tasks_does_not_matter(order: list[int]) -> None:
    scores = [[1.0, 0.0, 1.0], [0.0], [0.5, 0.25], [1.0, 1.0, 1.0], [0.0, 0.0], [0.75, 1.0, 0.125]]
    expected, found = AgentColumns(), AgentColumns()
    for columns, tasks in ((expected, range(6)), (found, order)):
        for place, task in enumerate(tasks):
            for repeat in sorted(range(len(scores[task])), reverse=columns is found):
                columns.add(rollout(place, repeat, scores[task][repeat]), place)
        columns.arrange()
    one, other = (agent_entry("a", columns)["agent_metrics"] for columns in (expected, found))
    assert other.pop("per_sample_aggregate") == {
        name: pytest.approx(values) for name, values in one.pop("per_sample_aggregate").items()
    }
    assert other == pytest.approx(one)


def test_a_rollout_takes_eight_bytes_a_number_and_forty_for_what_it_is() -> None:
    columns = AgentColumns()
    count = 20_000
    for number in range(count):
        columns.add(rollout(number // 4, number % 4, 1.0, length=3), number // 4)
    arrays: list[array[Any]] = [*columns.columns.values(), columns.tasks, columns.repeats, columns.lines]
    arrays += [columns.answers, columns.subsets]
    assert len(arrays) == 7
    assert sum(map(sys.getsizeof, arrays)) / count < 7 * 8 * 1.15
    assert not any(math.isnan(value) for value in columns.columns["length"])
