"""Every name that is written is documented, and every documented name is written."""

import json
from pathlib import Path

import pytest

from palestra.cli.main import main
from palestra.monitor.catalogue import METRICS, Metric


@pytest.fixture
def names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """The names of agent and of task metrics in the output of `palestra stats` and in a profile."""
    path, profile = tmp_path / "r.jsonl", tmp_path / "p.jsonl"
    lines = [
        {"reward": task % 2, "said": "a", "level": "x", "agent_ref": {"name": "a"}}
        | {"_ng_task_index": task, "_ng_rollout_index": repeat}
        for task in range(3)
        for repeat in range(2)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ["--json", "--answer-key", "said", "--subset-by", "level", "--profile", str(profile)]
    assert main(["stats", str(path), *options]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    groups = [*entry["group_level_metrics"], *map(json.loads, profile.read_text().splitlines())]
    return {
        "agent": {*entry["agent_metrics"], *entry["key_metrics"]},
        "task": {name for group in groups for name in group},
    }


def documented(name: str, place: str) -> list[Metric]:
    plain = name.removeprefix("x/")
    found = [metric for metric in METRICS if place in metric.places and metric.matches(plain)]
    # `mean/<field>` also has the form of `mean/<field>/std_err`: the more exact name counts.
    exact = [metric for metric in found if metric.name != "mean/<field>" or len(found) == 1]
    return exact if plain == name else [metric for metric in exact if metric.unit == "%" or "avg_sample" in name]


@pytest.mark.parametrize("place", ["agent", "task"])
def test_every_name_of_a_file_is_documented_once(names: dict[str, set[str]], place: str) -> None:
    for name in names[place]:
        assert len(documented(name, place)) == 1, name


def test_every_documented_name_is_in_a_file(names: dict[str, set[str]]) -> None:
    for metric in METRICS:
        for place in metric.places:
            if metric.name.startswith("<subset>"):
                assert any(name.startswith("x/pass@") for name in names[place])
            else:
                assert any(metric in documented(name, place) for name in names[place]), metric.name


def test_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
