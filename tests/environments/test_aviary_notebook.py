"""The notebook: what cells share and show, what ends one, and that every answer follows from its files."""

import asyncio
import csv
import io
import json
import math
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from palestra.conformance.check import subject_of
from palestra.core.discovery import find
from palestra.core.session import Session
from palestra.core.transcript import ENV_STATE, output_text
from palestra.environments.aviary_notebook.env import AviaryNotebook
from palestra.grading.numbers import exact, only_number

SEEDS = range(3)
TASKS = [task for seed in SEEDS for task in AviaryNotebook.generate(seed, 27, AviaryNotebook.Options())]


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": "a"}


@asynccontextmanager
async def episode(number: int = 0, **options: Any) -> AsyncGenerator[Session, None]:
    async with subject_of(find("aviary_notebook"), "strong") as subject:
        subject.host.options = AviaryNotebook.Options(**options)
        session = await subject.host.open(subject.rows[number], seed=0)
        try:
            yield session
        finally:
            await session.close()


async def after(session: Session, **arguments: Any) -> tuple[str, str]:
    """What `edit_cell` answers, and the notebook that is shown then."""
    step = await session.step([call("edit_cell", **arguments)])
    assert step.items[1][ENV_STATE] is True
    return output_text(step.items[0]), step.items[1]["content"]


class TestCells:
    def test_names_are_kept_and_the_value_of_the_last_expression_is_shown(self) -> None:
        async def used() -> None:
            async with episode() as session:
                await after(session, contents="import math\nx = 7")
                said, shown = await after(session, contents="print('x is', x)\nmath.sqrt(x + 2)")
                assert said == "Appended cell 1."
                assert "### Output 1:\n```\nx is 7\n3.0\n```" in shown

        asyncio.run(used())

    def test_rewriting_a_cell_runs_all_of_them_in_a_fresh_python(self) -> None:
        async def used() -> None:
            async with episode() as session:
                await after(session, contents="x = 1")
                await after(session, contents="y = x + 1")
                await after(session, contents="(x, y)")
                said, shown = await after(session, contents="x = 10", idx=0)
                assert "Rewrote cell 0" in said
                assert "(10, 11)" in shown
                _, shown = await after(session, contents="raise ValueError('broken')", idx=0)
                assert "ValueError: broken" in shown
                assert shown.count("not run, as a cell before it failed") == 2

        asyncio.run(used())

    def test_an_index_that_is_not_there_is_told(self) -> None:
        async def used() -> None:
            async with episode() as session:
                said, _ = await after(session, contents="1", idx=3)
                assert "there is no cell 3" in said

        asyncio.run(used())

    def test_long_output_is_shown_by_its_ends_and_the_number_of_cells_is_bounded(self) -> None:
        async def used() -> None:
            async with episode(max_output_characters=200, max_cells=1) as session:
                _, shown = await after(session, contents="print('a' * 5000 + 'z' * 5000)")
                assert "characters left out" in shown
                assert len(shown) < 1000
                said, _ = await after(session, contents="1")
                assert "can take no more" in said

        asyncio.run(used())

    def test_a_cell_without_end_is_ended_and_the_names_stay(self) -> None:
        async def used() -> None:
            async with episode(cell_timeout_s=0.5) as session:
                await after(session, contents="x = 1")
                _, shown = await after(session, contents="while True: pass")
                assert "took too long" in shown
                _, shown = await after(session, contents="x + 41")
                assert "```\n42\n```" in shown

        asyncio.run(used())

    def test_a_cell_that_kills_its_process_is_told(self) -> None:
        async def used() -> None:
            async with episode() as session:
                _, shown = await after(session, contents="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
                assert "The Python process ended." in shown
                _, shown = await after(session, contents="6 * 7")
                assert "```\n42\n```" in shown

        asyncio.run(used())

    def test_nothing_leaves_the_sandbox_and_nothing_of_the_task_is_inside(self) -> None:
        async def used() -> None:
            async with episode() as session:
                network = "import socket\nsocket.create_connection(('1.1.1.1', 53), 2)"
                _, shown = await after(session, contents=network)
                assert "Error" in shown
                outside = "open('/etc/palestra_was_here', 'w')"
                _, shown = await after(session, contents=outside)
                assert "Error" in shown
                answer = session.environment.task.expected_answer  # type: ignore[attr-defined]
                found = "import os\nprint(any('expected_answer' in str(value) for value in os.environ.values()))"
                _, shown = await after(session, contents=found)
                assert answer not in shown.rpartition("### Output 2")[2]

        asyncio.run(used())

    def test_the_files_are_listed_and_can_be_read(self) -> None:
        async def used() -> None:
            async with episode(1) as session:
                step = await session.step([call("list_dir")])
                assert {"orders.csv", "prices.csv"} <= set(output_text(step.items[0]).split("\n"))
                step = await session.step([call("list_dir", directory="no/such")])
                assert "FileNotFoundError" in output_text(step.items[0])

        asyncio.run(used())


def test_the_first_answer_ends_the_episode() -> None:
    async def used() -> None:
        async with episode() as session:
            step = await session.step([call("submit_answer", answer="1")])
            assert step.done
            step = await session.step([call("submit_answer", answer="2")])
            assert "submitted already" in output_text(step.items[0])

    asyncio.run(used())


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
    signs = np.sign(np.diff([int(line) for line in task["files"]["series.txt"].split()]))
    return 1 + max(map(len, "".join("+" if sign > 0 else " " for sign in signs).split()), default=0)


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
        assert math.isclose(float(task["expected_answer"]), found, abs_tol=task["tolerance"] or 1e-9)
        wanted = exact(task["expected_answer"])
        assert wanted is not None
        assert only_number(task["expected_answer"]) == wanted
