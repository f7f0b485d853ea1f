"""Runs whose environments run code: refused in time, recorded in each line, and not mixed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.main import main
from palestra.collection.collect import collect
from palestra.core.errors import PalestraError
from palestra.hosts import lent_sandbox
from tests.collection.workspace import Workspace, lines_of, words
from tests.hosts.in_memory_sandbox import Opener

RUNS_CODE = """
from palestra import Environment, Task, Transcript
from palestra.core.sandbox import Program


class CodeTask(Task):
    text: str


class Code(Environment[CodeTask]):
    def prompt(self) -> str:
        return f"Say {self.task.text}."

    async def verify(self, transcript: Transcript) -> float:
        run = await self.context.sandbox.run(Program(transcript.reply))
        return float(run.output == self.task.text)
"""


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> Opener:
    opener = Opener()
    monkeypatch.setattr(lent_sandbox, "open_sandbox", opener)
    return opener


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    space = Workspace(tmp_path)
    space.environment("code", RUNS_CODE, sandbox=True)
    space.environment("silent", RUNS_CODE)
    space.rows(words(3))
    return space


def collected(space: Workspace, name: str = "code", **changes: Any) -> Any:
    return space.collect(environments=(str(space.folder / name),), **changes)


def test_a_run_is_refused_before_its_first_rollout(space: Workspace, opener: Opener) -> None:
    opener.strong = None
    with pytest.raises(PalestraError) as error:
        collected(space)
    assert error.value.code == "sandbox-missing"
    paths = (space.paths.rollouts, space.paths.failures, space.paths.inputs)
    assert not any(path.exists() and path.read_bytes() for path in paths)
    assert collected(space, sandbox="weak").judged == 3


def test_environments_that_run_no_code_need_no_boundary(space: Workspace, opener: Opener) -> None:
    opener.strong = None
    assert collected(space, "echo").judged == 3
    assert "sandbox" not in lines_of(space.paths.rollouts)[0]["palestra"]


def test_one_sandbox_serves_all_environments_and_is_closed(space: Workspace, opener: Opener) -> None:
    space.environment("code_too", RUNS_CODE, sandbox=True)
    rows = [{**row, "agent_ref": {"name": f"{name}_simple_agent"}} for row in words(3) for name in ("code", "code_too")]
    space.rows(rows)
    asyncio.run(collect(space.config(environments=(str(space.folder / "code"), str(space.folder / "code_too")))))
    assert [line["palestra"]["sandbox"] for line in lines_of(space.paths.rollouts)] == ["namespaces"] * 6
    assert [sandbox.log for sandbox in opener.opened] == [["close"]]


@pytest.mark.parametrize("policy", ["strong", "weak"])
def test_the_boundary_is_in_every_line(space: Workspace, opener: Opener, policy: str) -> None:
    space.script({"*": ["bee"], "0": ["break"]})
    space.rows([{"text": "bee"}, {"text": "ant"}])
    collected(space, sandbox=policy)
    backend = {"strong": "namespaces", "weak": "weak"}[policy]
    lines = lines_of(space.paths.rollouts)
    assert sorted(line["reward"] for line in lines) == [0.0, 1.0]
    assert {line["palestra"]["sandbox"] for line in lines} == {backend}


def test_a_broken_sandbox_is_a_failure_of_the_sandbox(space: Workspace, opener: Opener) -> None:
    space.script({"*": ["break"]})
    collected(space)
    assert lines_of(space.paths.rollouts) == []
    for line in lines_of(space.paths.failures):
        own = line["palestra"]
        assert own["sandbox"] == "namespaces"
        assert (own["failure"]["boundary"], own["failure"]["class"]) == ("sandbox", "sandbox-error")
        assert own["failure"]["message"] == "the zygote is gone"


def test_a_run_goes_on_behind_another_strong_boundary(space: Workspace, opener: Opener) -> None:
    collected(space)
    opener.strong = "landlock"
    space.rows(words(4))
    assert collected(space, resume=True).judged == 1
    lines = lines_of(space.paths.rollouts)
    assert [line["palestra"]["sandbox"] for line in lines] == ["namespaces"] * 3 + ["landlock"]
    assert len({line["palestra"]["fingerprint"] for line in lines}) == 1


def test_weak_and_strong_are_not_mixed(space: Workspace, opener: Opener) -> None:
    collected(space, sandbox="weak")
    space.rows(words(4))
    with pytest.raises(PalestraError, match=r'code\.sandbox was "weak", is "strong"') as error:
        collected(space, resume=True)
    assert error.value.code == "run-changed"
    assert collected(space, resume=True, sandbox="weak").judged == 1


def test_an_environment_that_does_not_say_so_gets_no_sandbox(space: Workspace, opener: Opener) -> None:
    with pytest.raises(PalestraError, match=r"sandbox = true") as error:
        collected(space, "silent")
    assert error.value.code == "invalid-environment"
    assert opener.opened == []


def test_judging_again_records_the_boundary_that_judged(space: Workspace, opener: Opener, tmp_path: Path) -> None:
    collected(space)
    again = tmp_path / "again.jsonl"
    words_of_command = ["verify", str(space.paths.rollouts), "--env", str(space.folder / "code")]
    assert main([*words_of_command, "--output", str(again), "--sandbox", "weak"]) == 0
    assert {line["palestra"]["sandbox"] for line in lines_of(again)} == {"weak"}
    opener.strong = None
    assert main(words_of_command) == 2
    assert main([*words_of_command, "--sandbox", "weak"]) == 0
    assert all(sandbox.log[-1] == "close" for sandbox in opener.opened)


@pytest.mark.parametrize("command", ["play", "check"])
def test_other_commands_refuse_and_name_the_way_out(
    space: Workspace, opener: Opener, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    opener.strong = None
    folder = space.folder / "code"
    (folder / "tasks.jsonl").write_text((space.folder / "rows.jsonl").read_text())
    for name in ("cases.jsonl", "README.md"):
        (folder / name).write_text('{"name": "right", "kind": "full", "task": 1, "replies": ["bee"], "reward": 1.0}\n')
    assert main([command, str(folder)]) == 2
    assert "--sandbox weak" in capsys.readouterr().err
    if command == "check":
        assert main([command, str(folder), "--sandbox", "weak"]) in (0, 1)
        assert opener.opened[-1].log[-1] == "close"
