"""NeMo Gym's commands by their own names."""

import json
from pathlib import Path

import pytest

from palestra.cli import gym
from palestra.cli.gym import COMMANDS, dispatched
from palestra.core.errors import PalestraError

MODEL = "responses_api_models/vllm_model/configs/vllm_model.yaml"
MCQA = f"+config_paths=[resources_servers/mcqa/configs/mcqa.yaml,{MODEL}]"
POLICY = ("+policy_base_url=http://127.0.0.1:1/v1", "+policy_api_key=a-long-secret", "+policy_model_name=m")


def test_the_configuration_is_dumped_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatched("dump_config", [MCQA, *POLICY]) == 0
    printed = capsys.readouterr().out
    assert "mcqa_simple_agent:" in printed
    assert "a-long-secret" not in printed
    assert list(tmp_path.iterdir()) == []


def test_each_tells_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert dispatched(name, ["+h=true"]) == 0
        assert f"ng_{name}" in capsys.readouterr().out


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatched("help", []) == 0
    printed = capsys.readouterr().out
    assert all(f"ng_{name}" in printed for name in COMMANDS)


def test_versions_have_the_keys_of_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatched("version", ["+json=true"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["nemo_gym", "python", "python_path", "installation_path", "dependencies", "system"]
    assert {"os", "platform", "architecture", "processor", "cpus", "memory_gb"} == found["system"].keys()
    with pytest.raises(PalestraError, match="jsn"):
        dispatched("version", ["+jsn=true"])


def test_every_command_has_its_two_scripts() -> None:
    project = (Path(gym.__file__).parents[3] / "pyproject.toml").read_text()
    for name in COMMANDS:
        assert f"\nng_{name} = " in project
        assert f"\nnemo_gym_{name} = " in project
