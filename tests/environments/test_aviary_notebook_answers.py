"""The tasks of the notebook: every answer follows from its files, and what counts as that answer."""

import csv
import io
import json
import math
from collections import Counter
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("numpy", reason="needs the extra computing")

import numpy as np
from pydantic import ValidationError

from palestra.core.discovery import find
from palestra.environments.aviary_notebook.env import AviaryNotebook, NotebookTask
from palestra.environments.aviary_notebook.judging import is_right

SHIPPED_SEED = 2031
FOLDER = find("aviary_notebook").folder
SHIPPED = [json.loads(line) for line in (FOLDER / "tasks.jsonl").read_text(encoding="utf-8").splitlines()]
TASKS = [*SHIPPED, *AviaryNotebook.generate(0, 45, AviaryNotebook.Options())]


def rows_of(task: dict[str, Any], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(task["files"][name])))


def mean_of_group(task: dict[str, Any]) -> Any:
    region = task["question"].split("region '")[1].split("'")[0]
    return np.mean([float(row["amount"]) for row in rows_of(task, "sales.csv") if row["region"] == region])


def joined_total(task: dict[str, Any]) -> Any:
    prices = {row["product"]: float(row["price"]) for row in rows_of(task, "prices.csv")}
    return sum(prices.get(row["product"], 0) * int(row["count"]) for row in rows_of(task, "orders.csv"))


def columns(task: dict[str, Any], file: str, *names: str) -> Any:
    return [np.array([float(row[name]) for row in rows_of(task, file)]) for name in names]


def slope(task: dict[str, Any]) -> Any:
    day, level = columns(task, "levels.csv", "day", "level")
    return np.polyfit(day, level, 1)[0]


def most_frequent(task: dict[str, Any]) -> Any:
    old = [row["species"] for row in rows_of(task, "trees.csv") if int(row["height_m"]) > 9]
    return Counter(old).most_common()[0][0]


def failed_requests(task: dict[str, Any]) -> Any:
    told = [json.loads(line)["response"] for line in task["files"]["requests.jsonl"].splitlines()]
    return len([one for one in told if one["status"] // 100 == 5 and one["took_ms"] > 100])


def longest_rise(task: dict[str, Any]) -> Any:
    rises = np.diff([int(line) for line in task["files"]["series.txt"].split()]) > 0
    told = "".join("+" if rise else " " for rise in rises)
    return told.index(max(told.split(), key=len)) + 1


def warmest_room(task: dict[str, Any]) -> Any:
    rooms: dict[str, list[float]] = {}
    for row in rows_of(task, "rooms.csv"):
        rooms.setdefault(row["room"], []).append(float(row["celsius"]))
    return max(rooms, key=lambda room: float(np.median(rooms[room])))


AGAIN = MappingProxyType(
    {
        "mean_of_group": mean_of_group,
        "joined_total": joined_total,
        "missing_values": lambda task: sum(all(row.values()) for row in rows_of(task, "sensors.csv")),
        "correlation": lambda task: np.corrcoef(*columns(task, "plants.csv", "height", "growth"))[0, 1],
        "slope": slope,
        "most_frequent": most_frequent,
        "failed_requests": failed_requests,
        "longest_rise": longest_rise,
        "warmest_room": warmest_room,
    }
)
"""The answer of each kind, computed from the files by other means than the generator's."""


@pytest.mark.parametrize("task", TASKS, ids=[f"{place}-{task['analysis']}" for place, task in enumerate(TASKS)])
def test_every_answer_follows_from_the_files(task: dict[str, Any]) -> None:
    found = AGAIN[task["analysis"]](task)
    if task["answer_kind"] == "text":
        assert found == task["expected_answer"]
    else:
        assert math.isclose(float(task["expected_answer"]), found, rel_tol=0, abs_tol=1e-5 if task["tolerance"] else 0)


def test_the_shipped_tasks_are_the_generators() -> None:
    assert list(AviaryNotebook.generate(SHIPPED_SEED, len(SHIPPED), AviaryNotebook.Options())) == SHIPPED
    assert {task["analysis"] for task in SHIPPED} == set(AGAIN)


def test_a_half_is_right_however_it_is_rounded() -> None:
    task = SHIPPED[18]
    assert task["expected_answer"] == "45.3250000"
    paid = [is_right(answer, task["expected_answer"], "number", task["tolerance"]) for answer in ("45.32", "45.33")]
    assert paid == [True, True]
    assert not is_right("45.31", task["expected_answer"], "number", task["tolerance"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"expected_answer": " ", "answer_kind": "text"}, "is empty"),
        ({"expected_answer": "ten", "answer_kind": "number"}, "must be a number"),
        ({"expected_answer": "1", "files": {"../a.csv": ""}}, "pattern"),
        ({"expected_answer": "1", "files": {"a.csv": "x" * 8_000_000, "b.csv": "x" * 8_000_001}}, "16000001 bytes"),
        ({"expected_answer": "1", "tolerance": -1}, "greater than or equal to 0"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NotebookTask.model_validate({"question": "What?", **wrong})
