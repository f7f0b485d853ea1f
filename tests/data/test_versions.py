"""Versions that never change, lineage walked both ways, and the folders of a project."""

import json
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.data.layout import FOLDERS
from palestra.data.lineage import record_derivation


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main(["data", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PALESTRA_REGISTRY", raising=False)
    folder = tmp_path / "project"
    assert main(["data", "init", str(folder)]) == 0
    monkeypatch.chdir(folder)
    return folder


def test_the_layout_is_made_once_and_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {path.name for path in project.iterdir() if path.is_dir()} == set(FOLDERS)
    for name in FOLDERS:
        assert f"`{name}/`" in (project / "README.md").read_text()
    (project / "README.md").write_text("mine")
    (project / "tasks" / ".gitkeep").unlink()
    assert told(capsys, "init", ".")["made"] == ["tasks/.gitkeep"]
    assert (project / "README.md").read_text() == "mine"
    (project / "file").write_text("")
    assert main(["data", "init", "file"]) == 2


def test_the_same_content_is_the_same_version(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "tasks" / "train.jsonl"
    path.write_text('{"a": 1}\n')
    words = ("version", str(path), "--name", "sums", "--license", "MIT", "--set", "level=3")
    first = told(capsys, *words)
    assert (first["version"], first["rows"], first["metadata"]) == ("sums@1", 1, {"license": "MIT", "level": 3})
    manifest = path.with_name("train.jsonl.version.json")
    before = manifest.read_bytes()
    assert told(capsys, *words) == first
    assert manifest.read_bytes() == before
    assert json.loads(before)["sha256"] == first["sha256"]
    path.write_text('{"a": 2}\n')
    assert told(capsys, *words)["version"] == "sums@2"
    listed = told(capsys, "version", "--check", code=1)["versions"]
    assert [(each["version"], each["state"]) for each in listed] == [("sums@1", "changed"), ("sums@2", "as registered")]
    path.unlink()
    assert told(capsys, "version", "--check", code=1)["versions"][1]["state"] == "missing"
    assert main(["data", "version", str(path)]) == 2
    path.write_text("")
    assert main(["data", "version", str(path)]) == 2


def collected(tasks: Path, output: Path) -> None:
    script = output.with_name("script.jsonl")
    script.write_text('{"task": "*", "replies": ["Answer: 4"]}\n')
    words = ["collect", "word_problems", "--input", str(tasks), "--model", f"scripted:{script}", "--seed", "5"]
    assert main([*words, "--output", str(output)]) == 0


def test_lineage_from_tasks_through_collection_to_exports_both_ways(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, rollouts = project / "tasks" / "tasks.jsonl", project / "rollouts" / "r.jsonl"
    assert main(["data", "generate", "word_problems", "--n", "6", "--output", str(tasks)]) == 0
    assert main(["data", "split", str(tasks), "--parts", "train=4,test=rest", "--output", str(project / "tasks")]) == 0
    train = project / "tasks" / "train.jsonl"
    told(capsys, "version", str(train), "--name", "sums")
    collected(train, rollouts)
    curated, export = project / "curated" / "c.jsonl", project / "exports" / "sft"
    curated.write_bytes(rollouts.read_bytes())
    export.mkdir()
    (export / "train.jsonl").write_text("{}\n")
    record_derivation(curated, [rollouts], "curate", {"where": "reward >= 0"})
    record_derivation(export, [curated], "export sft", {"to": "trl"})

    up = told(capsys, "lineage", str(export))
    chain, node = [], up["made_by"]
    while node:
        chain.append(node[0]["operation"])
        node = node[0]["files"][0]["steps"] if node[0]["files"] else []
    assert chain == ["export sft", "curate", "collect", "split"]
    collect = up["made_by"][0]["files"][0]["steps"][0]["files"][0]["steps"][0]
    run = collect["config"]["environments"]["word_problems"]
    assert (run["seed"], run["model"].partition(":")[0]) == (5, "scripted")
    assert run["environment"]["code"]
    assert collect["palestra"]
    assert collect["files"][0]["path"] == str(train)
    assert collect["files"][0]["versions"] == ["sums@1"]

    down = told(capsys, "lineage", str(tasks))
    steps, operations = down["used_by"], []
    train_step = next(step for step in steps if step["files"][0]["path"] == str(train))
    while True:
        operations.append(train_step["operation"])
        (node,) = train_step["files"]
        if not node["steps"]:
            break
        train_step = node["steps"][0]
    assert operations == ["split", "collect", "curate", "export sft"]
    assert node["path"] == str(export)

    assert main(["data", "lineage", "sums@1"]) == 0
    text = capsys.readouterr().out
    assert "made by split" in text
    assert "used by collect" in text


def test_what_has_changed_since_is_marked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = project / "raw" / "a.jsonl", project / "tasks" / "b.jsonl"
    source.write_text("{}\n")
    output.write_text("{}\n{}\n")
    record_derivation(output, [source], "convert", {})
    source.write_text('{"other": 1}\n')
    (step,) = told(capsys, "lineage", str(output))["made_by"]
    assert step["files"][0]["state"] == "changed"
    (step,) = told(capsys, "lineage", str(source))["used_by"]
    assert step["files"][0]["path"] == str(output)
    source.unlink()
    assert told(capsys, "lineage", str(output))["made_by"][0]["files"][0]["state"] == "missing"


def test_a_moved_project_keeps_its_lineage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = project / "raw" / "a.jsonl", project / "tasks" / "b.jsonl"
    source.write_text("{}\n")
    output.write_text("{}\n{}\n")
    record_derivation(output, [source], "convert", {})
    moved = project.rename(project.with_name("moved"))
    found = told(capsys, "lineage", str(moved / "tasks" / "b.jsonl"))
    assert found["made_by"][0]["files"][0]["path"] == str(moved / "raw" / "a.jsonl")
    assert found["made_by"][0]["files"][0]["state"] == "as recorded"


def test_a_file_made_of_itself_ends(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "tasks" / "a.jsonl"
    path.write_text("{}\n")
    record_derivation(path, [path], "edit", {})
    assert told(capsys, "lineage", str(path))["made_by"][0]["operation"] == "edit"


@pytest.mark.parametrize("words", [["lineage", "none.jsonl"], ["lineage", "sums@1"], ["version", "none.jsonl"],
                                   ["version", "x", "--set", "a"]])  # fmt: skip
def test_mistakes_are_told(project: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (project / "x").write_text("{}")
    assert main(["data", *words]) == 2
    assert "what to do:" in capsys.readouterr().err
