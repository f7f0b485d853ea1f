"""`palestra data prepare`: NeMo Gym's files and numbers, and none of its silence."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palestra.cli.main import main
from palestra.data.prepare.metrics import Metrics, Numbers, conflicts, rounded

TOOL = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}


def row(text: str = "2 + 2?", **fields: Any) -> dict[str, Any]:
    return {"responses_create_params": {"input": [{"role": "user", "content": text}]}, **fields}


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def dataset(name: str, kind: str, path: Path, more: str = "") -> str:
    licence = 'license = "MIT"\n' if kind != "example" else ""
    return (
        f'[[datasets]]\nagent = "math_simple_agent"\nname = "{name}"\ntype = "{kind}"\n'
        f'jsonl_fpath = "{path}"\n{licence}{more}\n'
    )


def prepare(folder: Path, *datasets: str, mode: str = "train_preparation", more: tuple[str, ...] = ()) -> int:
    config = folder / "datasets.toml"
    config.write_text("".join(datasets))
    return main(["data", "prepare", str(config), "--mode", mode, "--output", str(folder / "out"), *more])


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_files_of_both_modes(tmp_path: Path) -> None:
    train = write(tmp_path / "d" / "train.jsonl", row("a", answer="1"), row("b", answer="2"))
    valid = write(tmp_path / "d" / "valid.jsonl", row("c", agent_ref={"name": "other"}))
    example = write(tmp_path / "d" / "few.jsonl", row("e"))
    sets = (
        dataset("t", "train", train, "num_repeats = 2\n"),
        dataset("v", "validation", valid),
        dataset("e", "example", example),
    )
    assert prepare(tmp_path, *sets) == 0
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json*") if "lineage" not in path.name}
    assert names == {
        "d/train.jsonl", "d/train_prepare.jsonl", "d/train_metrics.json", "d/valid.jsonl", "d/valid_prepare.jsonl",
        "d/valid_metrics.json", "d/few.jsonl", "out/train.jsonl", "out/train_metrics.json", "out/validation.jsonl",
        "out/validation_metrics.json",
    }  # fmt: skip
    rows = read(tmp_path / "out" / "train.jsonl")
    reference = {"type": "responses_api_agents", "name": "math_simple_agent"}
    assert rows == [{**row(text, answer=a), "agent_ref": reference} for text, a in ("a1", "a1", "b2", "b2")]
    assert read(tmp_path / "out" / "validation.jsonl")[0]["agent_ref"] == reference
    assert prepare(tmp_path, *sets, mode="example_validation") == 0
    assert len(read(tmp_path / "out" / "example.jsonl")) == 1


def test_the_metrics_have_nemo_gyms_names_and_rounding(tmp_path: Path) -> None:
    rows = [row("a", score=1, tags=["x", "y"], ok=True), row("b", score=2, tags=["x"]), row("c", score=3, other={})]
    rows[0]["responses_create_params"].update(tools=[TOOL], temperature=0.1234)
    path = write(tmp_path / "train.jsonl", *rows)
    assert prepare(tmp_path, dataset("t", "train", path)) == 0
    metrics = json.loads((tmp_path / "train_metrics.json").read_text())
    assert list(metrics)[:7] == [
        "name", "type", "jsonl_fpath", "num_repeats", "gitlab_identifier", "huggingface_identifier", "license",
    ]  # fmt: skip
    assert metrics["Number of examples"] == 3
    assert metrics["score"] == {
        "Total # non-null values": 3, "Average": 2.0, "Min": 1.0, "Max": 3.0, "Standard deviation": 1.0,
    }  # fmt: skip
    assert metrics["Temperature"]["Average"] == 0.123
    assert metrics["Temperature"]["Standard deviation"] == 0.0
    assert metrics["Number of tools"]["Total # non-null values"] == 1
    assert metrics["Number of turns"]["Average"] == 1.0
    assert metrics["tags"] == {"unique_count": 2, "total_count": 3}
    assert metrics["ok"]["Total # non-null values"] == 1
    assert "other" not in metrics
    words = [len(json.dumps(each["responses_create_params"]).split()) for each in rows]
    found = metrics["Json-dumped number of words (proxy for token count)"]
    assert found["Average"] == rounded(statistics.fmean(words))
    assert found["Standard deviation"] == rounded(statistics.stdev(words))


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", *(row(str(n), score=n / 7) for n in range(50)))
    assert prepare(tmp_path, dataset("t", "train", path)) == 0
    before = {each: each.read_bytes() for each in tmp_path.rglob("*.json*")}
    assert prepare(tmp_path, dataset("t", "train", path)) == 0
    assert {each: each.read_bytes() for each in tmp_path.rglob("*.json*")} == before


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ('{"a": \n', "line 2 is not JSON"),
        ('{"answer": 4}\n', "line 2 has no responses_create_params"),
        (json.dumps({"responses_create_params": {"input": "a", "top_k": 4}}) + "\n", "responses_create_params.top_k"),
        (json.dumps(row("")) + "\n", "says nothing"),
    ],
)
def test_a_wrong_row_ends_it_before_anything_is_written(
    tmp_path: Path, bad: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "d" / "train.jsonl", row("a"))
    path.write_text(path.read_text() + bad)
    assert prepare(tmp_path, dataset("t", "train", path)) == 2
    assert told in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "d").iterdir()] == ["train.jsonl"]
    assert not (tmp_path / "out").exists()
    assert prepare(tmp_path, dataset("t", "train", path), more=("--skip-invalid",)) == 0
    assert len(read(tmp_path / "out" / "train.jsonl")) == 1
    assert len(read(tmp_path / "d" / "train_rejected.jsonl")) == 1
    assert "1 rows of t were left out" in capsys.readouterr().err


def test_metrics_in_conflict_stay_and_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "train.jsonl", row("a", score=1))
    assert prepare(tmp_path, dataset("t", "train", path)) == 0
    old = (tmp_path / "train_metrics.json").read_text()
    write(path, row("a", score=2), row("b", score=3))
    assert prepare(tmp_path, dataset("t", "train", path)) == 1
    told = capsys.readouterr().err
    assert "Number of examples was 1, is 2" in told
    assert "--overwrite-metrics" in told
    assert (tmp_path / "train_metrics.json").read_text() == old
    assert json.loads((tmp_path / "train_metrics_conflict.json").read_text())["Number of examples"] == 2
    assert len(read(tmp_path / "out" / "train.jsonl")) == 2
    assert prepare(tmp_path, dataset("t", "train", path), more=("--overwrite-metrics",)) == 0
    assert json.loads((tmp_path / "train_metrics.json").read_text())["Number of examples"] == 2
    assert not (tmp_path / "train_metrics_conflict.json").exists()


def test_what_nemo_gym_does_in_silence_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "a.jsonl", row("a", score=1, agent_ref={"name": "other_agent"}), row("b", score="high"))
    second = write(tmp_path / "b.jsonl", row("c", score=5))
    assert prepare(tmp_path, dataset("a", "train", first), dataset("b", "train", second), more=("--json",)) == 0
    remarks = " ".join(json.loads(capsys.readouterr().out)["remarks"])
    assert "1 rows of a named the agent 'other_agent'" in remarks
    assert "1 values of 'score' in a are of another type" in remarks
    assert "score in train_metrics.json are those of b alone" in remarks
    assert json.loads((tmp_path / "out" / "train_metrics.json").read_text())["score"]["Average"] == 5.0


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('[[datasets]]\nname = "a"\n', "agent"),
        (dataset("a", "train", Path("a.jsonl")).replace('license = "MIT"\n', ""), "needs a license"),
        (dataset("a", "train", Path("a.jsonl")).replace("MIT", "GPL"), "is none of"),
        (dataset("a", "example", Path("a.jsonl")), "needs a dataset of type train or validation"),
        (dataset("a", "train", Path("a.jsonl")), "there is no a.jsonl of a"),
        (dataset("a", "train", Path("a.jsonl")) + dataset("b", "train", Path("a.jsonl")), "both be written"),
    ],
)
def test_a_wrong_configuration_is_told(
    tmp_path: Path, config: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare(tmp_path, config) == 2
    assert told in capsys.readouterr().err


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 3)), min_size=1, max_size=30), st.integers(0, 30))
@settings(max_examples=50)
def test_numbers_equal_the_standard_librarys_however_they_are_merged(values: list[tuple[float, int]], cut: int) -> None:
    parts = Numbers(), Numbers()
    for number, (value, times) in enumerate(values):
        parts[number >= cut].add(value, times)
    parts[0].merge(parts[1])
    repeated = [value for value, times in values for _ in range(times)]
    assert parts[0].count == len(repeated)
    assert parts[0].mean == pytest.approx(statistics.fmean(repeated), abs=1e-6)
    spread = statistics.stdev(repeated) if len(repeated) > 1 else 0.0
    assert (parts[0].squares / max(1, parts[0].count - 1)) ** 0.5 == pytest.approx(spread, rel=1e-6, abs=1e-4)


def test_conflicts_follow_the_tolerances() -> None:
    assert not list(conflicts({"a": 1.0, "Median": 5, "l": [1, 2]}, {"a": 1.004, "b": 1, "l": [2, 1]}))
    assert list(conflicts({"a": 0.5}, {"a": 0.5006})) == ["a was 0.5, is 0.5006"]
    assert list(conflicts({"a": {"b": 1}}, {"a": {}})) == ["a.b was 1 and is gone"]


def test_an_empty_metric_is_zero() -> None:
    assert set(Metrics().to_json()["Temperature"].values()) == {0}


def test_the_prepared_rows_of_nemo_gym_are_made_again(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "nemo_gym" / "equivalence_llm_judge"
    expected = read(folder / "example_prepare.jsonl")
    rows = [{name: value for name, value in each.items() if name != "agent_ref"} for each in expected]
    path = write(tmp_path / "example.jsonl", *rows)
    text = dataset("e", "example", path).replace("math_simple_agent", expected[0]["agent_ref"]["name"])
    assert prepare(tmp_path, text, mode="example_validation") == 0
    assert read(tmp_path / "example_prepare.jsonl") == expected
