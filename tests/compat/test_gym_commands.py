"""NeMo Gym's commands by their own names."""

import json
import tomllib
from pathlib import Path

import pytest

from palestra.cli.gym.main import main
from palestra.cli.gym.registry import COMMANDS, PREFIXES
from tests.conftest import ROOT

MODEL = "responses_api_models/vllm_model/configs/vllm_model.yaml"
MCQA = f"+config_paths=[resources_servers/mcqa/configs/mcqa.yaml,{MODEL}]"
POLICY = ("+policy_base_url=http://127.0.0.1:1/v1", "+policy_api_key=a-long-secret", "+policy_model_name=m")


def test_the_configuration_is_dumped_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main("ng_dump_config", [MCQA, *POLICY]) == 0
    printed = capsys.readouterr().out
    assert "mcqa_simple_agent:" in printed
    assert "a-long-secret" not in printed
    assert list(tmp_path.iterdir()) == []


def test_each_tells_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert main(f"ng_{name}", ["+h=true"]) == 0
        assert f"ng_{name}" in capsys.readouterr().out


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("ng_help", []) == 0
    printed = capsys.readouterr().out
    assert all(f"ng_{name}" in printed for name in COMMANDS)


def test_versions_have_the_keys_of_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("ng_version", ["+json=true"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["nemo_gym", "python", "python_path", "installation_path", "dependencies", "system"]
    assert {"os", "platform", "architecture", "processor", "cpus", "memory_gb"} == found["system"].keys()
    assert main("nemo_gym_version", ["+jsn=true"]) == 2
    assert "Did you mean 'json'?" in capsys.readouterr().err


def test_every_command_has_its_two_scripts() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    expected = {f"{prefix}{name}" for prefix in PREFIXES for name in COMMANDS}
    assert {name for name, entry in scripts.items() if entry == "palestra.cli.gym.main:run"} - {"gym", "ng"} == expected
