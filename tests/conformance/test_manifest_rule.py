"""environment.toml is all that `palestra list` reads, so `palestra check` compares it with the class."""

import json
from pathlib import Path

import pytest

from palestra.cli.main import main
from palestra.conformance.check import check
from palestra.core.discovery import every_environment, find
from palestra.core.errors import PalestraError

DEVIATION = '\n[[deviations]]\nbehaviour = "b"\nours = "o"\nreason = "r"\noption = "compatibel"\n'
TOOL = """
    @tool
    def look_up(self, word: str) -> str:
        \"\"\"Look a word up.\"\"\"
        return word
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "word_backwards"
    assert main(["new", str(path)]) == 0
    return path


def problems(folder: Path) -> list[str]:
    report = check(find(str(folder)))
    return [problem for rule in report.rules for problem in rule.problems if rule.name.startswith("environment.toml")]


def test_tools_that_are_not_declared_are_named_with_the_line_to_write(folder: Path) -> None:
    code = (folder / "env.py").read_text().replace("Task, Transcript", "Task, Transcript, tool")
    (folder / "env.py").write_text(code + TOOL)
    (found,) = problems(folder)
    assert 'must say tools = ["look_up"]' in found
    manifest = (folder / "environment.toml").read_text()
    (folder / "environment.toml").write_text(manifest.replace("reverify", 'tools = ["look_up"]\nreverify', 1))
    assert problems(folder) == []


def test_a_deviation_must_name_an_option_that_is_there(folder: Path) -> None:
    manifest = folder / "environment.toml"
    manifest.write_text(manifest.read_text() + DEVIATION)
    assert problems(folder) == ["a deviation names 'compatibel', no option."]


def test_a_deviation_must_give_its_reason(folder: Path) -> None:
    manifest = folder / "environment.toml"
    manifest.write_text(manifest.read_text() + DEVIATION.replace('reason = "r"\n', ""))
    with pytest.raises(PalestraError, match=r"deviations\.0\.reason"):
        find(str(folder))


def test_the_list_shows_domain_reward_tools_and_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(listed) == {source.name for source in every_environment()}
    assert listed["example_session_state_mgmt"]["tools"] == ["increment_counter", "get_counter_value"]
    for entry in listed.values():
        assert entry["tasks"] >= 20
        assert entry["domain"]
        assert entry["reward"]["kind"]
