"""Training sets: what is chosen, what the rows hold, and that failures are never examples."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.core.errors import PalestraError
from palestra.data.export.choice import Choice
from palestra.data.export.export import ExportConfig, ExportReport, export
from palestra.data.export.layouts import LAYOUTS
from palestra.wire.encoding import encode
from tests import export_rollouts as source

ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=30)
"""Task and reward of each answer."""


def write(folder: Path, rollouts: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "rollouts.jsonl"
    path.write_bytes(source.lines_of(rollouts))
    return path


def run(folder: Path, rollouts: list[dict[str, Any]], **config: Any) -> tuple[ExportReport, Path]:
    choice = Choice(**config.pop("choice", {}))
    output = folder / "set"
    inputs = (write(folder, rollouts),)
    return export(ExportConfig(inputs=inputs, output=output, choice=choice, **config)), output


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("kind", source.NOT_LEARNED_FROM)
@pytest.mark.parametrize("name", ["sft", "dpo", "kto", "rm"])
def test_what_was_not_judged_is_no_example_wanted_or_not(tmp_path: Path, name: Any, kind: str) -> None:
    rollouts = [*source.QUIZ, source.NOT_LEARNED_FROM[kind]]
    report, output = run(tmp_path, rollouts, format=name)
    assert report.dropped.counts[kind] == 1
    written = (output / "train.jsonl").read_bytes()
    _, without = run(tmp_path / "without", source.QUIZ, format=name)
    assert written == (without / "train.jsonl").read_bytes()


def test_truncated_answers_can_be_asked_for(tmp_path: Path) -> None:
    report, _ = run(tmp_path, [source.NOT_LEARNED_FROM["truncated"]], format="sft", choice={"truncated": True})
    assert report.examples == 1


def test_sft_keeps_the_whole_conversation_and_marks_what_the_model_said(tmp_path: Path) -> None:
    _, output = run(tmp_path, [source.weather_talk(1.0)], format="sft")
    (row,) = rows(output / "train.jsonl")
    assert [message["role"] for message in row["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert row["loss_mask"] == [0, 1, 0, 1]
    assert row["messages"][1]["content"] == "<think>I should look.</think>"
    assert row["messages"][1]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city":"Genoa"}'}
    assert row["messages"][2]["tool_call_id"] == "call_1"
    assert [tool["function"]["name"] for tool in row["tools"]] == ["get_weather", "count"]


@pytest.mark.parametrize(("reasoning", "message"), [
    ("field", {"content": "It is 6.", "reasoning_content": "Twice three."}),
    ("drop", {"content": "It is 6."}),
    ("inline", {"content": "<think>Twice three.</think>It is 6."}),
])  # fmt: skip
def test_reasoning_goes_where_it_is_asked_to_go(tmp_path: Path, reasoning: str, message: dict[str, str]) -> None:
    _, output = run(tmp_path, source.QUIZ[4:5], format="sft", choice={"reasoning": reasoning})
    assert rows(output / "train.jsonl")[0]["messages"][1] == {"role": "assistant", **message}


def test_one_row_a_turn_where_the_trainer_learns_all_of_a_completion(tmp_path: Path) -> None:
    report, output = run(tmp_path, [source.weather_talk(1.0)], format="sft", target="trl")
    first, second = rows(output / "train.jsonl")
    assert [message["role"] for message in first["prompt"]] == ["user"]
    assert [message["role"] for message in second["prompt"]] == ["user", "assistant", "tool"]
    assert [len(row["completion"]) for row in (first, second)] == [1, 1]
    assert first["completion"][0]["tool_calls"][0]["function"]["arguments"] == {"city": "Genoa"}
    assert json.loads(first["tools"])[0]["function"]["name"] == "get_weather"
    assert (report.examples, report.rows) == (1, {"train.jsonl": 2})


def test_tools_are_never_lost_silently(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match=r"(?s)tools 1.*Export to generic"):
        run(tmp_path, [source.weather_talk(1.0)], format="sft", target="openrlhf")
    assert not (tmp_path / "set").exists()


def test_best_and_worst_of_a_task_make_a_pair(tmp_path: Path) -> None:
    report, output = run(tmp_path, source.QUIZ, format="dpo", choice={"pairs_per_task": 2})
    pairs = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows(output / "train.jsonl")]
    assert pairs == [
        ("It is 4.", "It is 5."),
        ("Four.", "Perhaps 4?"),
        ("<think>Twice three.</think>It is 6.", "It is 9."),
    ]
    assert report.dropped.counts == {}


def test_one_text_with_two_rewards_is_no_pair(tmp_path: Path) -> None:
    twice = [source.rollout("Q?", [source.said("A.")], reward) for reward in (1.0, 0.0)]
    with pytest.raises(PalestraError, match="same_text 1"):
        run(tmp_path, twice, format="dpo")


@given(ANSWERS, st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 3))
def test_pairs_keep_their_gap_their_task_and_their_limit(
    tmp_path_factory: pytest.TempPathFactory, answers: list[tuple[int, float]], gap: float, limit: int
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    rollouts = [
        source.rollout(f"Question {task}?", [source.said(f"Answer {number}.")], reward, task=task)
        for number, (task, reward) in enumerate(answers)
    ]
    rewards: dict[int, list[float]] = {}
    for task, reward in answers:
        rewards.setdefault(task, []).append(reward)
    expected = 0
    for values in rewards.values():
        ordered = sorted(values)
        expected += min(limit, sum(high - low >= gap for low, high in zip(ordered, reversed(ordered), strict=True)))
    try:
        _, output = run(folder, rollouts, format="dpo", choice={"min_gap": gap, "pairs_per_task": limit})
    except PalestraError:
        assert not expected
        return
    found = rows(output / "train.jsonl")
    assert len(found) == expected
    assert all(row["chosen_reward"] - row["rejected_reward"] >= gap for row in found)
    texts = [row[side][0]["content"] for row in found for side in ("chosen", "rejected")]
    assert len(set(texts)) == len(texts), "no rollout is in two pairs"
    tasks = {f"Answer {number}.": f"Question {task}?" for number, (task, _) in enumerate(answers)}
    for row in found:
        questions = {tasks[row[side][0]["content"]] for side in ("chosen", "rejected")}
        assert questions == {row["prompt"][0]["content"]}
    assert max(Counter(row["task_id"] for row in found).values()) <= limit


def test_labels_and_what_lies_between(tmp_path: Path) -> None:
    report, output = run(tmp_path, source.QUIZ, format="kto")
    assert [row["label"] for row in rows(output / "train.jsonl")] == [True, False, True, True, False]
    assert report.dropped.counts == {"reward": 1}
    with pytest.raises(PalestraError, match="is not below min_reward"):
        run(tmp_path / "other", source.QUIZ, format="kto", choice={"max_negative_reward": 1.0})


def test_the_best_of_a_task(tmp_path: Path) -> None:
    choice = {"min_reward": 0.5, "rollouts_per_task": 1}
    report, output = run(tmp_path, source.QUIZ, format="sft", choice=choice)
    said = [row["messages"][-1]["content"] for row in rows(output / "train.jsonl")]
    assert said == ["It is 4.", "<think>Twice three.</think>It is 6."]
    assert report.dropped.counts == {"reward": 2, "limit": 2}


def test_steps_with_their_rewards(tmp_path: Path) -> None:
    _, output = run(tmp_path, [source.STEPS], format="prm")
    (row,) = rows(output / "train.jsonl")
    assert row["step_rewards"] == [0.0, 1.0]
    assert [[message["role"] for message in step] for step in row["completions"]] == [["assistant", "tool"]] * 2
    wrong = {**source.STEPS, "palestra": {"step_rewards": [1.0]}}
    with pytest.raises(PalestraError, match="step_rewards 1"):
        run(tmp_path / "other", [wrong], format="prm")


def test_tasks_once_each_with_how_they_went(tmp_path: Path) -> None:
    failed = {**source.NOT_LEARNED_FROM["failure"], "responses_create_params": {"input": "Only a failure?"}}
    task = {"responses_create_params": {"input": "A task row"}, "answer": "42"}
    report, output = run(tmp_path, [*source.QUIZ, failed, task], format="grpo")
    found = rows(output / "train.jsonl")
    assert [(row["prompt"][0]["content"], row["rollouts"], row.get("mean_reward")) for row in found] == [
        ("What is 2 + 2?", 4, 0.625), ("What is 3 + 3?", 2, 0.5), ("Only a failure?", 0, None), ("A task row", 0, None),
    ]  # fmt: skip
    assert found[0]["pass_rate"] == 0.5
    assert found[3]["task"] == {"answer": "42"}
    assert report.dropped.counts == {}


def test_no_task_is_in_both_files_and_more_data_moves_none(tmp_path: Path) -> None:
    rollouts = [source.rollout(f"Question {n % 50}?", [source.said(f"{n}")], 1.0, task=n) for n in range(100)]
    places: list[dict[str, str]] = []
    for part in (rollouts, rollouts[:30]):
        folder = tmp_path / str(len(part))
        report, output = run(folder, part, format="sft", validation=0.3)
        found = {split: rows(output / f"{split}.jsonl") for split in ("train", "validation")}
        assert report.rows == {f"{split}.jsonl": len(found[split]) for split in found}
        places.append(
            {row["messages"][0]["content"]: split for split, split_rows in found.items() for row in split_rows}
        )
        asked = [{row["messages"][0]["content"] for row in split_rows} for split_rows in found.values()]
        assert not asked[0] & asked[1]
    assert 5 < list(places[0].values()).count("validation") < 25
    assert places[1].items() <= places[0].items()


def test_exact_tokens_where_the_rollout_has_them(tmp_path: Path) -> None:
    tokens = {"ids": [1, 2, 3, 4], "logprobs": [0.0, 0.0, -0.5, -0.25], "mask": [0, 0, 1, 1]}
    with_tokens = source.rollout("Q?", [source.said("A.")], 1.0, own={"tokens": tokens, "end_reason": "done"})
    report, output = run(tmp_path, [with_tokens, source.QUIZ[0]], format="sft", tokens=True)
    (row,) = rows(output / "train.jsonl")
    assert row["token_ids"] == [1, 2, 3, 4]
    assert row["token_loss_mask"] == [0, 0, 1, 1]
    assert row["token_logprobs"] == tokens["logprobs"]
    assert report.dropped.counts == {"no_tokens": 1}


@pytest.mark.parametrize(("name", "target"), LAYOUTS)
def test_every_row_has_its_schema(tmp_path: Path, name: Any, target: Any) -> None:
    rollouts = [*source.QUIZ, source.weather_talk(1.0), source.weather_talk(0.0, "Turin"), source.STEPS]
    if (name, target) == ("prm", "trl"):
        rollouts = [source.rollout("Q?", [source.said("A."), {"role": "user", "content": "And?"}, source.said("B.")],
                                   1.0, own={"step_rewards": [0.5, 0.5]})]  # fmt: skip
    report, output = run(tmp_path, rollouts, format=name, target=target)
    layout = LAYOUTS[name, target]
    found = rows(output / f"train.{layout.kind}")
    assert len(found) == report.rows[f"train.{layout.kind}"] > 0
    for row in found:
        layout.row.model_validate(row)
    assert json.loads((output / "schema.json").read_bytes()) == layout.row.model_json_schema()
    assert json.loads((output / "export_report.json").read_bytes())["examples"] == report.examples


def test_equal_configurations_give_equal_files(tmp_path: Path) -> None:
    written: list[bytes] = []
    for name in ("one", "two"):
        _, output = run(tmp_path / name, source.QUIZ, format="dpo")
        written.append((output / "train.jsonl").read_bytes())
    assert written[0] == written[1]


def test_the_source_is_not_touched_and_an_output_is_not_overwritten(tmp_path: Path) -> None:
    _, output = run(tmp_path, source.QUIZ, format="sft")
    assert (tmp_path / "rollouts.jsonl").read_bytes() == source.lines_of(source.QUIZ)
    with pytest.raises(PalestraError, match="exists already"):
        run(tmp_path, source.QUIZ, format="sft")
    assert len(rows(output / "train.jsonl")) == 3


def test_broken_lines_are_counted_and_cost_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    good = source.lines_of(source.QUIZ[:1])
    path.write_bytes(
        b'{"reward": \n[]\n' + good + encode({"reward": 1, "response": {"output": []}}) + b"\n" + good[:40]
    )
    report = export(ExportConfig(format="sft", inputs=(path,), output=tmp_path / "set"))
    assert report.examples == 1
    assert report.dropped.counts == {"malformed": 3, "unsupported": 1}
    assert "line 1" in report.dropped.examples["malformed"]


def test_names_that_do_not_exist_or_do_not_go_together() -> None:
    from palestra.data.export.layouts import layout_of

    with pytest.raises(PalestraError, match="Did you mean 'dpo'"):
        layout_of("dop", "trl")
    with pytest.raises(PalestraError, match="verl reads no dpo sets"):
        layout_of("dpo", "verl")
