"""The notebook: what cells share and show, what ends one, and what they cannot reach."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from palestra.agents.latest_state import collapsed
from palestra.conformance.check import subject_of
from palestra.core.discovery import find
from palestra.core.session import Session
from palestra.core.transcript import ENV_STATE, output_text
from palestra.environments.aviary_notebook.env import AviaryNotebook

FOLDER = find("aviary_notebook").folder
SHIPPED = [json.loads(line) for line in (FOLDER / "tasks.jsonl").read_text(encoding="utf-8").splitlines()]


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

    def test_calls_of_one_reply_run_in_their_order(self) -> None:
        async def used() -> None:
            async with episode() as session:
                step = await session.step([call("edit_cell", contents="x = 6"), call("edit_cell", contents="x * 7")])
                assert [output_text(item) for item in step.items[:2]] == ["Appended cell 0.", "Appended cell 1."]
                assert "### Output 1:\n```\n42\n```" in step.items[2]["content"]

        asyncio.run(used())

    def test_an_error_shows_the_line_and_what_was_printed_before_it(self) -> None:
        async def used() -> None:
            async with episode() as session:
                _, shown = await after(session, contents="print('before')\n1 / 0")
                assert "```\nbefore\nTraceback" in shown
                assert "line 2, in <module>" in shown
                assert "ZeroDivisionError: division by zero" in shown

        asyncio.run(used())

    def test_a_cell_without_end_is_ended_and_the_names_stay(self) -> None:
        async def used() -> None:
            async with episode(cell_timeout_s=0.5) as session:
                await after(session, contents="x = 1")
                for endless in ("while True: pass", "import time\ntime.sleep(600)"):
                    _, shown = await after(session, contents=endless)
                    assert shown.endswith("```\nThe cell took too long and was ended. Its names are kept.\n```")
                _, shown = await after(session, contents="x + 41")
                assert shown.endswith("```\n42\n```")

        asyncio.run(used())

    def test_a_cell_that_takes_all_memory_is_ended(self) -> None:
        async def used() -> None:
            async with episode(memory_mb=512) as session:
                _, shown = await after(session, contents="held = 'a' * 10**10")
                assert "The cell used too much memory and was ended." in shown

        asyncio.run(used())

    @pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
    def test_a_cell_that_ends_its_process_is_told_and_the_next_starts_afresh(self, ending: str) -> None:
        async def used() -> None:
            async with episode() as session:
                await after(
                    session, contents="x = 41\nopen('made.txt', 'w').write('x')\nopen('sales.csv', 'w').close()"
                )
                _, shown = await after(session, contents=f"import os, signal\n{ending}")
                assert "The Python process ended. All names are gone, and the files that cells made." in shown
                _, shown = await after(
                    session, contents="import os\nos.listdir('.'), len(open('sales.csv').read()) > 9"
                )
                assert shown.endswith("```\n(['sales.csv'], True)\n```")
                _, shown = await after(session, contents="x + 1")
                assert "NameError" in shown

        asyncio.run(used())

    @pytest.mark.parametrize(
        "attack",
        [
            "import socket\nsocket.create_connection(('127.0.0.1', PORT), 2)",
            "open('/etc/palestra_was_here', 'w')",
            "open('OUTSIDE/written', 'w')",
            "print(open('OUTSIDE/secret').read())",
            "import subprocess\nsubprocess.run(['true'])",
        ],
    )
    def test_nothing_leaves_the_sandbox(self, attack: str, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("only outside")

        async def used() -> None:
            async with episode() as session:
                with socket.create_server(("127.0.0.1", 0)) as server:
                    port = str(server.getsockname()[1])
                    code = attack.replace("PORT", port).replace("OUTSIDE", str(tmp_path))
                    _, shown = await after(session, contents=code)
                assert "Error: " in shown.rpartition("### Output 0")[2]
                assert "only outside" not in shown

        asyncio.run(used())
        assert not Path("/etc/palestra_was_here").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["secret"]

    def test_the_right_answer_is_not_in_the_process(self) -> None:
        async def used() -> None:
            async with episode() as session:
                # The text that is looked for is held in halves, so that the search does not find itself.
                search = (
                    f"halves = {SHIPPED[0]['expected_answer'][:4]!r}, {SHIPPED[0]['expected_answer'][4:]!r}\n"
                    "import gc, pathlib\n"
                    "told = [repr(found) for found in gc.get_objects() if isinstance(found, (dict, list, tuple))]\n"
                    "told += [pathlib.Path('/proc/self', name).read_text() for name in ('environ', 'cmdline')]\n"
                    "told += [path.read_text() for path in pathlib.Path('.').iterdir()]\n"
                    "len(told) > 99, any(''.join(halves) in text for text in told)"
                )
                _, shown = await after(session, contents=search)
                assert shown.endswith("(True, False)\n```")
                _, shown = await after(session, contents=f"planted = [''.join(halves)]\n{search}")
                assert shown.endswith("(True, True)\n```")

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


def test_old_notebooks_are_hidden_from_a_model_that_is_shown_the_latest_only() -> None:
    async def used() -> None:
        async with episode() as session:
            first = await session.step([call("edit_cell", contents="'first'")])
            second = await session.step([call("edit_cell", contents="'second'")])
            items = collapsed([*session.prompt, *first.items, *second.items], "hidden")
            states = [item["content"] for item in items if item.get(ENV_STATE)]
            assert states[0] == "hidden"
            assert "'first'" in states[1]
            assert "'second'" in states[1]

    asyncio.run(used())
