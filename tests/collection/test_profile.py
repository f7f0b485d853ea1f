"""The profile of a run has a line for each task, with its row and what became of its rollouts."""

import json
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.collection.profile import read_plans
from palestra.collection.report import write_metrics
from palestra.core.errors import PalestraError
from palestra.monitor.columns import read_columns
from palestra.store.paths import RunPaths, replacing
from palestra.wire.encoding import encode, encode_with_checksum
from tests.collection.workspace import Workspace, lines_of, words

ANSWERING = """
from palestra import Environment, Task, Transcript, Verdict


class EchoTask(Task):
    text: str


class Echo(Environment[EchoTask]):
    def prompt(self) -> str:
        return f"Say {self.task.text}."

    def verify(self, transcript: Transcript) -> Verdict:
        return Verdict(float(transcript.reply == self.task.text), metrics={"said": transcript.reply})
"""


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def rollout(task: int, repeat: int, reward: float, **fields: Any) -> dict[str, Any]:
    own = {"agent_ref": {"name": "a"}, "_ng_task_index": task, "_ng_rollout_index": repeat}
    return {"responses_create_params": {"input": []}, "response": {}, "reward": reward, **own, **fields}


def row(task: int, repeat: int, **fields: Any) -> dict[str, Any]:
    made = rollout(task, repeat, 0.0, **fields)
    return {name: value for name, value in made.items() if name not in ("reward", "response")}


def written(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def profile_of(*files: Path) -> list[dict[str, Any]]:
    output = files[0].parent / "profile.jsonl"
    assert main(["stats", *map(str, files), "--profile", str(output)]) == 0
    return lines_of(output)


def test_a_collect_writes_the_profile_of_its_tasks(place: Workspace) -> None:
    place.rows(words(3))
    place.collect(repeats=2, agent="tool_loop")
    profile = lines_of(place.paths.profile)
    assert [entry["_ng_task_index"] for entry in profile] == [0, 1, 2]
    assert [entry["mean/reward"] for entry in profile] == [0.0, 1.0, 0.0]
    second = profile[1]
    names = ("num_rollouts", "expected_num_rollouts", "missing_num_rollouts", "reward_profile_completion_pct")
    assert [second[name] for name in names] == [2, 2, 0, 100.0]
    assert [(info["rollout_id"], info["reward"]) for info in second["rollout_infos"]] == [("1:0", 1.0), ("1:1", 1.0)]
    assert (second["sample"]["text"], second["sample"]["number"]) == ("bee", 1)
    assert second["sample"]["agent_ref"]["name"] == "echo_simple_agent"
    assert second["sample"]["responses_create_params"]["input"][0]["content"] == "Say bee."
    assert not {"palestra", "_ng_task_index", "_ng_rollout_index", "reward", "response"} & second["sample"].keys()
    (entry,) = json.loads(place.paths.metrics.read_bytes())
    groups = [{name: value for name, value in line.items() if name != "sample"} for line in profile]
    assert entry["group_level_metrics"] == groups


def test_the_majority_of_a_collect_votes_on_the_field_that_its_manifest_names(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    place.environment("echo", ANSWERING, answer_key="said")
    place.rows(words(3))
    report = place.collect(repeats=2)
    assert report.metrics[0]["agent_metrics"]["majority@2/accuracy"] == pytest.approx(100 / 3)
    # The folder is not installed, but the run noted the field beside its rollouts.
    assert main(["stats", str(place.paths.rollouts), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[0]["agent_metrics"]
    assert found["majority@2/accuracy"] == pytest.approx(100 / 3)
    place.paths.run.unlink()
    assert main(["stats", str(place.paths.rollouts), "--json"]) == 0
    assert "majority@2/accuracy" not in json.loads(capsys.readouterr().out)[0]["agent_metrics"]
    assert main(["stats", str(place.paths.rollouts), "--json", "--answer-key", "said"]) == 0
    assert "majority@2/accuracy" in json.loads(capsys.readouterr().out)[0]["agent_metrics"]


def test_failed_rollouts_are_missing_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", [rollout(0, 0, 1.0), rollout(1, 0, 1.0), rollout(1, 1, 0.0)])
    # Task 0: one rollout judged, one failed twice, one dispatched and lost. Task 2 has no rollout at all.
    failed = [{**row(task, repeat), "_ng_failure_class": "model-error"} for task, repeat in ((0, 1), (0, 1), (2, 0))]
    written(RunPaths(path).failures, failed)
    written(RunPaths(path).inputs, [row(0, repeat, word="cat") for repeat in range(3)] + ["half a li"])
    first, second = profile_of(path)
    names = ("num_rollouts", "expected_num_rollouts", "missing_num_rollouts")
    assert [first[name] for name in names] == [1, 3, 2]
    assert first["reward_profile_completion_pct"] == pytest.approx(100 / 3)
    assert [second[name] for name in names] == [2, 2, 0]
    named = {"responses_create_params": {"input": []}, "agent_ref": {"name": "a"}}
    assert first["sample"] == {**named, "word": "cat"}


def test_a_row_comes_from_its_materialized_input_else_from_the_rollout(tmp_path: Path) -> None:
    own = {"task": {"word": "dog"}, "environment": "e"}
    lines = [rollout(0, 0, 1.0, extra=1), rollout(1, 0, 1.0, extra=1, palestra=own), rollout(2, 0, 1.0, extra=1)]
    path = written(tmp_path / "r.jsonl", lines)
    written(RunPaths(path).inputs, [row(2, 1, word="late"), row(2, 0, word="eel")])
    samples = [entry["sample"] for entry in profile_of(path)]
    named = {"responses_create_params": {"input": []}, "agent_ref": {"name": "a"}}
    assert samples[:2] == [{**named, "extra": 1}, {**named, "word": "dog"}]
    assert samples[2]["word"] == "eel"


def test_files_of_other_producers_without_indices_or_agents_have_a_profile(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", [{"reward": 1, "question": "x"}, {"reward": 0, "question": "y"}])
    profile = profile_of(path)
    assert [(entry["_ng_task_index"], entry["sample"]) for entry in profile] == [
        (0, {"question": "x"}),
        (1, {"question": "y"}),
    ]


def test_tasks_of_several_files_and_agents_keep_their_rows(tmp_path: Path) -> None:
    one = written(tmp_path / "1.jsonl", [rollout(0, 0, 1.0, word="a0"), rollout(1, 0, 1.0, word="a1")])
    # What the first file has lost must not be taken for a task of the second.
    written(RunPaths(one).failures, [row(2, 0), row(0, 1)])
    other = written(tmp_path / "2.jsonl", [rollout(0, 0, 0.0, word="b0", agent_ref={"name": "b"})])
    written(RunPaths(other).inputs, [row(0, 0, word="from inputs")])
    profile = profile_of(one, other)
    assert [entry["_ng_task_index"] for entry in profile] == [0, 1, 2]
    assert [entry["sample"].get("word") for entry in profile] == ["a0", "a1", "from inputs"]
    assert [entry["missing_num_rollouts"] for entry in profile] == [1, 0, 0]


def test_a_profile_takes_no_row_into_memory_but_its_place(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", [rollout(task, 0, 1.0, text="x" * 1000) for task in range(20)])
    columns = read_columns([path], [])
    plan = read_plans(columns, [path], lambda: None)["a"]
    assert len(plan.inputs) == 20
    assert plan.expected == {}


@pytest.mark.parametrize("name", ["r.jsonl", "r_failures.jsonl", "r_materialized_inputs.jsonl", "link"])
def test_a_profile_never_takes_the_place_of_what_it_is_made_of(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "r.jsonl", [rollout(0, 0, 1.0)])
    (tmp_path / "link").symlink_to(path)
    before = path.read_bytes()
    assert main(["stats", str(path), "--profile", str(tmp_path / name)]) == 2
    assert "is a file of the run" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_file_that_is_not_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("old")

    def broken() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_a_profile_that_cannot_be_written_is_told_and_leaves_the_metrics(place: Workspace) -> None:
    place.rows(words(2))
    place.paths.profile.mkdir(parents=True)
    report = place.collect()
    assert report.metrics
    assert place.paths.metrics.exists()
    assert any("rollouts_reward_profiling.jsonl cannot be written" in remark for remark in place.remarks)


@pytest.mark.parametrize(("name", "problem"), [("no/p.jsonl", "there is no folder"), (".", "is a folder")])
def test_a_place_where_no_profile_can_be_is_told_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, problem: str
) -> None:
    path = written(tmp_path / "r.jsonl", [rollout(0, 0, 1.0)])
    assert main(["stats", str(path), "--profile", str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert (problem in shown.err, shown.out) == (True, "")


def test_writing_stops_when_time_is_over_in_the_middle(place: Workspace) -> None:
    place.rows(words(3))
    place.collect()
    place.paths.profile.unlink()
    asked: list[int] = []

    def is_time_over() -> bool:
        asked.append(1)
        # 3 rollouts, 3 inputs, 3 groups of the aggregate, and the first line of the profile.
        return len(asked) > 10

    problems: list[str] = []
    entries = write_metrics(place.paths, problems, is_time_over)
    assert len(entries) == 1
    assert "no time" in problems[0]
    assert not place.paths.profile.exists()


@pytest.mark.parametrize(("option", "nearest"), [("--answer-key", "extracted_answer"), ("--subset-by", "difficulty")])
def test_a_field_that_no_rollout_has_is_refused_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, nearest: str
) -> None:
    own = {"task": {"difficulty": 1}}
    path = written(tmp_path / "r.jsonl", ["{", rollout(0, 0, 1.0, extracted_answer="a", palestra=own)])
    assert main(["stats", str(path), option, nearest[:-1] + "x"]) == 2
    assert repr(nearest) in capsys.readouterr().err


def test_stats_show_intervals_and_shares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        rollout(task, repeat, float(task > repeat), extracted_answer="ab"[repeat % 2], level=task % 2)
        for task in range(4)
        for repeat in range(3)
    ]
    path = written(tmp_path / "r.jsonl", lines)
    assert main(["stats", str(path), "--answer-key", "extracted_answer", "--subset-by", "level"]) == 0
    shown = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert shown["a:"] == ["12", "rollouts", "of", "4", "tasks"]
    # Task rewards 000, 100, 110, 111: the mean is 0.5; sums of deviations -1.5, -0.5, 0.5, 1.5; sqrt(5) / 12 = 0.1863,
    # times t(3) = 3.182: 0.593.
    assert shown["mean/reward"] == ["0.5", "-0.09301", "to", "1.093"]
    assert shown["pass^2/accuracy"][0] == "33.33"
    assert {"pass@1/accuracy", "pass@2/accuracy", "pass@3/accuracy", "majority@3/accuracy"} <= shown.keys()
    assert {"pass@1[avg-of-3]/no_answer", "1/pass@3/accuracy", "0/majority@3/accuracy"} <= shown.keys()
    assert not [name for name in shown if "std_err" in name or "ci95" in name or "1/pass@2" in name]


def test_replacing_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match="cannot be written"), replacing(tmp_path / "no" / "x"):
        pass


PLAIN_USAGE = {"usage": {"input_tokens": 3, "output_tokens": 4}}
RESPONSES: list[dict[str, Any]] = [
    {"id": "r", **PLAIN_USAGE},
    {"output": [{"usage": {"input_tokens": 9}, "reward": {"x": 1}}]},
    {"output": [{"usage": {"input_tokens": 9}}], "usage": None},
    {**PLAIN_USAGE, "later": 5},
    {"output": [{"text": '},"reward":7,"usage":{"a":1},"palestra":{"version":1'}], **PLAIN_USAGE},
]
METRICS: list[dict[str, Any]] = [
    {"length": 7, "share": 2.5e-7},
    {"nested": {"reward": 3, "usage": {"output_tokens": 8}}, "length": 10**17},
    {"parts": {"palestra": {"version": 1}}, "count": 10**25},
    {"_ng_attempt_index": 2, "rate %b": True},
]
ROWS: list[dict[str, Any]] = [
    {"text": "bee é"},
    {"text": "\x01", "number": 1e-7},
    {"number": 10**25},
    {"text": "\ud800", "number": 1e-7},
    {"_ng_attempt_index": 1, "nested": {"_ng_task_index": 3, "palestra": {}}},
]


@pytest.mark.parametrize("repeats", [1, 2])
def test_lines_of_palestra_have_the_metrics_and_rows_that_reading_all_of_them_gives(
    tmp_path: Path, repeats: int
) -> None:
    found: list[list[bytes]] = []
    for name, write in (("quick", encode_with_checksum), ("whole", encode)):
        paths = RunPaths(tmp_path / f"{name}.jsonl")
        rollouts: list[bytes] = []
        inputs: list[bytes] = []
        for number in range(len(RESPONSES) * len(METRICS) * len(ROWS) * repeats):
            task, index = divmod(number, repeats)
            names = {"agent_ref": {"name": "a"}, "_ng_task_index": task, "_ng_rollout_index": index}
            own = {"version": 1, "key": "0" * 32, "environment": "e", "task_hash": "0a"}
            line = {"response": RESPONSES[task % 5], "reward": 0.5 * (number % 3), **METRICS[task // 5 % 4], **names}
            params = {"responses_create_params": {"input": []}}
            rollouts.append(write({**params, **line, "palestra": {**own, "task": ROWS[task // 20]}}))
            del own["version"]
            inputs.append(write({**ROWS[task // 20], **params, **names, "palestra": own}))
        paths.rollouts.write_bytes(b"\n".join(rollouts))
        paths.inputs.write_bytes(b"\n".join(inputs))
        problems: list[str] = []
        assert write_metrics(paths, problems)
        assert problems == []
        found.append([paths.metrics.read_bytes(), paths.profile.read_bytes()])
    assert found[0] == found[1]
    profile = [json.loads(line) for line in found[0][1].splitlines()]
    assert [entry["_ng_task_index"] for entry in profile] == list(range(len(profile)))
    assert profile[0]["sample"]["text"] == "bee é"
    assert (profile[0]["mean/input_tokens"], "mean/input_tokens" in profile[1]) == (3.0, False)
