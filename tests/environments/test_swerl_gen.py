"""swerl_gen: recorded readings of replies, the shipped data, and judging in an image."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from palestra.core.discovery import find
from palestra.core.errors import Failure
from palestra.environments.swerl_gen.image_runs import repaired_in_image, reproduced_in_image, untouchable
from palestra.environments.swerl_gen.rows import Issue
from palestra.grading.edit_blocks import EditError, patch_of_reply
from palestra.grading.reproduction import Reproduction, reproduction_of
from palestra.sandbox.container_commands import DockerLike
from palestra.sandbox.containers import Containers
from tests.environments.judging import judge_in, say
from tests.environments.swerl_replies import NEIGHBOURS, case_lines, repair, task_rows
from tests.sandbox.container_program import container_program

NAME = "swerl_gen"
FOLDER = find(NAME).folder
BEFORE, GOLD = "value = 1\n", "--- a/code.py\n+++ b/code.py\n@@ -1 +1 @@\n-value = 1\n+value = 2\n"
ISSUE = Issue(
    instance_id="toy-1",
    patch=GOLD,
    test_patch="--- a/test_code.py\n+++ b/test_code.py\n@@ -1 +1 @@\n-a\n+b\n",
    FAIL_TO_PASS=("test_code.py::test_value",),
    setup_script=f"printf '{BEFORE.strip()}\\n' > code.py",
    test_script="grep -q 2 code.py && echo PASSED test_code.py::test_value || echo FAILED test_code.py::test_value",
)


def recorded(shared: Path) -> list[dict[str, Any]]:
    path = shared / "data" / "nemo_gym" / NAME / "recorded.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_recorded_replies_are_read_as_they_were(shared: Path) -> None:
    rows = recorded(shared)
    assert len(rows) >= 3
    for entry in rows:
        row, then = entry["row"], entry["recorded"]
        if row["mode"] == "repro-gen":
            found = reproduction_of(then["model_output"])
            assert found is not None
            assert found.as_base64(row["instance"]["instance_id"]) == then["repro_test_info_base64"]
            assert row["instance"]["patch"] == then["model_patch"]
            # What was run then cannot be run here; without the image that is a failure, and no 0.
            with pytest.raises(Failure) as failure:
                judge_in(NAME, row, then["response"]["output"])
            assert (failure.value.boundary, failure.value.code) == ("sandbox", "image-unavailable")
        else:
            with pytest.raises(EditError):
                patch_of_reply(then["model_output"], json.loads(row["metadata"]["relevant_file_contents"]))
            verdict = judge_in(NAME, row, then["response"]["output"])
            assert verdict.reward == then["reward"] == 0
            assert dict(verdict.metrics) == {metric: then[metric] for metric in verdict.metrics}


@pytest.mark.parametrize(
    ("file", "lines"),
    [("tasks.jsonl", [json.dumps(row) for row in task_rows()]), ("cases.jsonl", case_lines())],
    ids=["tasks", "cases"],
)
def test_data_are_made_of_the_repositories(file: str, lines: list[str], update_golden: bool) -> None:
    if update_golden:
        (FOLDER / file).write_text("".join(line + "\n" for line in lines))
    assert (FOLDER / file).read_text().splitlines() == lines


def test_a_repair_is_paid_and_told() -> None:
    verdict = judge_in(NAME, row_of_neighbours(), say(repair(NEIGHBOURS)))
    assert verdict.reward == 1
    assert verdict.metrics["verification_result"] == {
        "status": "done",
        "resolution": "RESOLVED_FULL",
        "return_codes_before_patch": None,
        "return_codes_after_patch": None,
    }
    assert verdict.metrics["model_patch"].startswith("diff --git a/intervals/interval.py")


def row_of_neighbours() -> dict[str, Any]:
    return next(row for row in task_rows() if row["instance"]["instance_id"] == NEIGHBOURS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"instance": {"instance_id": "intervals__neighbours_stay_apar"}}, "Did you mean 'intervals__neighbours"),
        ({"mode": "test-gen"}, "mode"),
        ({"metadata": {"image": "x:1"}}, "names a test"),
        ({"metadata": {"image": "x:1"}, "instance": {"instance_id": "a", "PASS_TO_PASS": ["t"], "parsing_script": ""}},
         "parsing_script is given"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_judged_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Failure, match=message) as failure:
        judge_in(NAME, {**row_of_neighbours(), **changes}, say("x"))
    assert failure.value.code == "task-invalid"


def test_lists_have_several_forms_and_names() -> None:
    assert Issue.model_validate({"instance_id": "a", "FAIL_TO_PASS": '["x"]'}).FAIL_TO_PASS == ("x",)
    assert Issue.model_validate({"instance_id": "a", "fail_to_pass_select": ["y"]}).FAIL_TO_PASS == ("y",)


def test_files_that_judge_cannot_be_edited() -> None:
    assert untouchable(GOLD, ISSUE) == []
    assert untouchable(GOLD.replace("code.py", "test_code.py"), ISSUE) == ["test_code.py"]
    assert untouchable(GOLD.replace("code.py", "deep/conftest.py"), ISSUE) == ["deep/conftest.py"]


@pytest.mark.parametrize(
    ("patch", "status", "resolution", "reward"),
    [
        (GOLD, "done", "RESOLVED_FULL", 1.0),
        (GOLD.replace("= 2", "= 3"), "done", "RESOLVED_NO", 0.0),
        (GOLD.replace("= 1", "= 7"), "error", "RESOLVED_NO", 0.0),
        (GOLD.replace("code.py", "test_code.py"), "error", "RESOLVED_NO", 0.0),
    ],
)
def test_repairs_in_an_image(tmp_path: Path, patch: str, status: str, resolution: str, reward: float) -> None:
    sandbox: Any = Containers([DockerLike(str(container_program(tmp_path)))])
    outcome = asyncio.run(repaired_in_image(sandbox, "toy:1", ISSUE, patch, 60))
    assert (outcome.status, str(outcome.resolution), outcome.reward) == (status, resolution, reward)


@pytest.mark.parametrize(
    ("script", "codes", "reward"),
    [
        ("from code import value\nraise SystemExit(2 if value == 1 else 0)", ([2], [0]), 1.0),
        ("raise SystemExit(2)", ([2], [2]), 0.0),
        ("raise ValueError", ([1], [1]), 0.0),
    ],
)
def test_scripts_in_an_image(tmp_path: Path, script: str, codes: Any, reward: float) -> None:
    sandbox: Any = Containers([DockerLike(str(container_program(tmp_path)))])
    text = script.replace("from code import value", "value = int(open('code.py').read().split()[-1])")
    outcome = asyncio.run(reproduced_in_image(sandbox, "toy:1", ISSUE, Reproduction("reproduce_bug_1.py", text), 60))
    assert ((outcome.before, outcome.after), outcome.reward) == (codes, reward)
