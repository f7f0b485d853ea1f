"""NeMo Gym's commands by their own names, and as verbs."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palestra.cli.gym.main import main
from palestra.cli.gym.registry import COMMANDS, PREFIXES
from palestra.cli.gym.unified import translated
from palestra.cli.gym.verbs import VERBS
from palestra.compat.files import read_config_file
from tests.conftest import ROOT

MCQA = (
    "+config_paths=[resources_servers/mcqa/configs/mcqa.yaml,responses_api_models/vllm_model/configs/vllm_model.yaml]"
)
POLICY = ("+policy_base_url=http://127.0.0.1:1/v1", "+policy_api_key=a-long-secret", "+policy_model_name=m")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEMO_GYM_EXTRA_ROOTS", raising=False)
    yield tmp_path
    assert not (tmp_path / "outputs").exists(), "a command leaves nothing behind"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestAll:
    @pytest.mark.parametrize("name", COMMANDS)
    @pytest.mark.parametrize("word", ["+h=true", "+help=true", "-h", "--help"])
    def test_each_tells_its_parameters(self, name: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(f"ng_{name}", [word]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(f"ng_{name}: ")
        assert "example:" in printed
        assert "):\n" not in printed, "every parameter has a meaning"

    def test_all_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("ng_help", []) == 0
        printed = capsys.readouterr().out
        assert all(f"ng_{name} " in printed for name in COMMANDS)

    def test_each_has_its_two_scripts(self) -> None:
        scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
        expected = {"gym", "ng", *(f"{prefix}{name}" for prefix in PREFIXES for name in COMMANDS)}
        assert {name for name, entry in scripts.items() if entry == "palestra.cli.gym.main:run"} == expected

    def test_a_name_that_is_none_is_told_with_the_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("ng_dump_confg", []) == 2
        assert "Did you mean 'ng_dump_config'?" in capsys.readouterr().err

    def test_everything_that_must_be_given_is_told_at_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("ng_prepare_data", ["+output_dir=x"]) == 2
        told = capsys.readouterr().err
        assert "needs output_dirpath, mode. Did you mean 'output_dirpath'?" in told
        assert "+output_dirpath=VALUE +mode=VALUE" in told

    def test_parameters_may_stand_in_env_yaml(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "env.yaml").write_text("entrypoint: responses_api_agents/simple_agent\nform: freeze\n")
        assert main("ng_pip_list", ["+format=${form}"]) == 0
        assert "pydantic==" in capsys.readouterr().out


class TestConfiguration:
    def test_it_is_dumped_without_its_secrets(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("ng_dump_config", [MCQA, *POLICY]) == 0
        printed = capsys.readouterr().out
        assert "mcqa_simple_agent:" in printed
        assert "a-long-secret" not in printed
        assert list(folder.iterdir()) == []

    def test_it_is_validated(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("ng_validate", [MCQA, *POLICY]) == 0
        assert main("ng_validate", [MCQA, "+json=true"]) == 1
        out = capsys.readouterr().out
        (found,) = json.loads(out[out.index("[") :])
        assert "policy_model_name" in found["problem"]


def test_versions_have_the_keys_of_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("ng_version", ["+json=true"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["nemo_gym", "python", "python_path", "installation_path", "dependencies", "system"]
    assert {"os", "platform", "architecture", "processor", "cpus", "memory_gb"} == found["system"].keys()
    assert main("nemo_gym_version", ["+jsn=true"]) == 2
    assert "Did you mean 'json'?" in capsys.readouterr().err


class TestPreparing:
    def test_examples_of_an_installed_environment_are_made(self, folder: Path) -> None:
        words = ["+mode=example_validation", "+output_dirpath=out"]
        assert main("ng_prepare_data", [MCQA, *words]) == 0
        data = folder / "resources_servers/mcqa/data"
        assert {path.name for path in data.iterdir()} == {
            "example.jsonl", "example_prepare.jsonl", "example_metrics.json",
        }  # fmt: skip
        rows = read(folder / "out/example.jsonl")
        assert len(rows) == 5
        assert all(row["agent_ref"] == {"type": "responses_api_agents", "name": "mcqa_simple_agent"} for row in rows)
        assert all(row["responses_create_params"]["input"] for row in rows)
        assert json.loads((folder / "out/example_metrics.json").read_text())["Number of examples"] == 5

    def test_a_conflict_is_told_in_the_words_of_this_command(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = [MCQA, "+mode=example_validation", "+output_dirpath=out"]
        assert main("ng_prepare_data", words) == 0
        metrics = folder / "out/example_metrics.json"
        metrics.write_text(metrics.read_text().replace('"Number of examples": 5', '"Number of examples": 6'))
        assert main("ng_prepare_data", words) == 1
        assert "+overwrite_metrics_conflicts=true" in capsys.readouterr().err
        assert (folder / "out/example_metrics_conflict.json").exists()
        assert main("ng_prepare_data", [*words, "+overwrite_metrics_conflicts=true"]) == 0

    def test_agents_without_a_dataset_in_scope_are_left_alone(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        train = {"name": "t", "type": "train", "jsonl_fpath": "t.jsonl", "license": "MIT", "num_repeats": 2}
        (folder / "t.jsonl").write_text('{"responses_create_params": {"input": "2 + 2?"}}\n')
        datasets = f"+mcqa_simple_agent.responses_api_agents.simple_agent.datasets=[{as_word(train)}]"
        words = [MCQA.replace("[", "[resources_servers/calendar/configs/calendar.yaml,"), datasets]
        assert main("ng_prepare_data", [*words, "+mode=train_preparation", "+output_dirpath=out"]) == 0
        assert len(read(folder / "out/train.jsonl")) == 2
        assert not (folder / "resources_servers").exists()

    def test_a_missing_file_says_how_to_fetch_it(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        train = {"name": "t", "type": "train", "jsonl_fpath": "t.jsonl", "license": "MIT"}
        datasets = f"+mcqa_simple_agent.responses_api_agents.simple_agent.datasets=[{as_word(train)}]"
        assert main("ng_prepare_data", [MCQA, datasets, "+mode=train_preparation", "+output_dirpath=out"]) == 2
        assert "+should_download=true" in capsys.readouterr().err


def as_word(value: dict[str, Any]) -> str:
    return "{" + ",".join(f"{key}:{entry}" for key, entry in value.items()) + "}"


class TestProfile:
    def rollouts(self, folder: Path, rewards: list[list[float]], planned: int = 2) -> list[str]:
        """Two files of a run, without anything that only Palestra writes."""
        inputs = [
            {"responses_create_params": {"input": f"task {task}"}, "_ng_task_index": task, "_ng_rollout_index": repeat}
            for task in range(len(rewards))
            for repeat in range(planned)
        ]
        made = [
            {**row, "response": {"usage": None}, "reward": rewards[row["_ng_task_index"]][row["_ng_rollout_index"]],
             "agent_ref": {"name": "a"}}
            for row in inputs
            if row["_ng_rollout_index"] < len(rewards[row["_ng_task_index"]])
        ]  # fmt: skip
        for name, rows in (("sent", inputs), ("r", made)):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return ["+materialized_inputs_jsonl_fpath=sent.jsonl", "+rollouts_jsonl_fpath=r.jsonl"]

    def test_the_vectors_of_the_specification(self, folder: Path) -> None:
        assert main("ng_reward_profile", self.rollouts(folder, [[1, 0], [1, 1]])) == 0
        (agent,) = json.loads((folder / "r_agent_metrics.json").read_text())
        assert agent["agent_ref"] == {"name": "a"}
        expected = {
            "mean/reward": 0.75, "max/reward": 1, "min/reward": 0, "median/reward": 1.0, "std/reward": 0.5,
            "pass@1/accuracy": 75.0, "pass@2/accuracy": 100.0, "pass@1[avg-of-1]/accuracy": 100.0,
            "pass@1[avg-of-2]/accuracy": 75.0,
            "pass@1[avg-of-2]/accuracy/std_dev_across_runs": 35.35533905932738,
            "pass@1[avg-of-2]/accuracy/std_err_across_runs": 25.0,
        }  # fmt: skip
        assert {name: agent[name] for name in expected} == pytest.approx(expected)
        assert agent["per_sample_aggregate"]["accuracy"] == [100.0, 50.0]
        first, second = read(folder / "r_reward_profiling.jsonl")
        assert (first["mean/reward"], second["mean/reward"]) == (0.5, 1.0)
        assert first["std/reward"] == pytest.approx(0.7071067811865476)
        assert second["std/reward"] == 0
        assert first["sample"]["responses_create_params"] == {"input": "task 0"}
        assert [info["rollout_id"] for info in first["rollout_infos"]] == ["0:0", "0:1"]

    def test_a_missing_rollout_ends_it_unless_that_is_allowed(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = self.rollouts(folder, [[1, 0], [1], []])
        assert main("ng_reward_profile", words) == 2
        assert "3 rollouts of sent.jsonl are not in r.jsonl, the first as task:repeat 1:1, 2:0, 2:1" in (
            capsys.readouterr().err
        )
        assert main("ng_reward_profile", [*words, "+allow_partial_rollouts=true"]) == 0
        first, second = read(folder / "r_reward_profiling.jsonl")
        assert (first["missing_num_rollouts"], second["missing_num_rollouts"]) == (0, 1)
        assert second["reward_profile_completion_pct"] == 50.0


class TestNewEnvironment:
    def test_it_is_made_tested_prepared_and_configured(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        place = "resources_servers/letter_count"
        assert main("ng_init_resources_server", [f"+entrypoint={place}"]) == 0
        assert main("ng_init_resources_server", [f"+entrypoint={place}"]) == 1
        assert main("ng_test", [f"+entrypoint={place}"]) == 0
        config = f"+config_paths=[{place}/configs/letter_count.yaml]"
        words = ["+mode=example_validation", "+output_dirpath=out"]
        assert main("ng_prepare_data", [config, *words]) == 0
        assert len(read(folder / "out/example.jsonl")) == 5
        model = config.replace("]", ",responses_api_models/openai_model/configs/openai_model.yaml]")
        assert main("ng_dump_config", [model, *POLICY]) == 0
        assert "letter_count_resources_server" in capsys.readouterr().out
        assert main("ng_test", [f"+entrypoint={place}", "+should_validate_data=true"]) == 1
        assert "example_rollouts.jsonl is missing" in capsys.readouterr().out

    def test_a_broken_rule_is_an_exit_code_of_1(self, folder: Path) -> None:
        main("ng_init_resources_server", ["+entrypoint=resources_servers/letter_count"])
        (folder / "resources_servers/letter_count/cases.jsonl").write_text("")
        assert main("ng_test", ["+entrypoint=resources_servers/letter_count"]) == 1

    @pytest.mark.parametrize("place", ["letter_count", "resources_servers/a/b", "responses_api_agents/simple_agent"])
    def test_an_entrypoint_that_is_none_is_refused(self, place: str) -> None:
        assert main("ng_test", [f"+entrypoint={place}"]) == 2

    def test_all_below_the_folder_are_tested(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        main("ng_init_resources_server", ["+entrypoint=resources_servers/letter_count"])
        (folder / "resources_servers/other").mkdir()
        for path in (folder / "resources_servers/letter_count/data").iterdir():
            path.unlink()
        (folder / "resources_servers/letter_count/data").rmdir()
        assert main("ng_test_all", []) == 0
        assert "1 checked, 0 failed" in capsys.readouterr().out
        assert main("ng_test_all", ["+fail_on_total_and_test_mismatch=true"]) == 1


class TestVerbs:
    @pytest.mark.parametrize(
        ("line", "command", "words"),
        [
            ("env resolve --resources-server mcqa --model-type vllm_model", "dump_config", [MCQA.replace("+", "++")]),
            ("env resolve --config a.yaml --environment mcqa", "dump_config",
             ["++config_paths=[a.yaml,environments/mcqa/config.yaml]"]),
            ("env resolve --resources-server aviary/gsm8k_aviary -m my/model", "dump_config",
             ["++config_paths=[resources_servers/aviary/configs/gsm8k_aviary.yaml]", "++policy_model_name=my/model"]),
            ("env test mcqa", "test", ["++entrypoint=resources_servers/mcqa"]),
            ("env test --resources-server=mcqa +should_validate_data=true", "test",
             ["++entrypoint=resources_servers/mcqa", "+should_validate_data=true"]),
            ("env test", "test_all", []),
            ("env packages mcqa --json", "pip_list", ["++entrypoint=resources_servers/mcqa", "++format=json"]),
            ("eval profile --inputs a.jsonl --rollouts b.jsonl", "reward_profile",
             ["++materialized_inputs_jsonl_fpath=a.jsonl", "++rollouts_jsonl_fpath=b.jsonl"]),
            ("dataset collate --mode example_validation --output-dir out --download", "prepare_data",
             ["++mode=example_validation", "++output_dirpath=out", "++should_download=true"]),
            ("dataset download --name sums --revision 0.0.1 --artifact t.jsonl --output o.jsonl",
             "download_dataset_from_gitlab",
             ["++dataset_name=sums", "++version='0.0.1'", "++artifact_fpath=t.jsonl", "++output_fpath=o.jsonl"]),
            ("dataset upload --storage gitlab --name sums --revision 0.0.1 --input t.jsonl",
             "upload_dataset_to_gitlab",
             ["++dataset_name=sums", "++version='0.0.1'", "++input_jsonl_fpath=t.jsonl"]),
        ],
    )  # fmt: skip
    def test_a_verb_is_a_command_with_words(self, line: str, command: str, words: list[str]) -> None:
        assert translated(line.split()) == (command, words)

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("env tset", "Did you mean 'env test'?"),
            ("env resolve --resource-server mcqa", "Did you mean '--resources-server'?"),
            ("env resolve --config", "--config needs a value"),
            ("env resolve mcqa", "no place for 'mcqa'"),
            ("dataset upload --storage s3", "--storage must be hf or gitlab"),
        ],
    )
    def test_what_is_none_is_told(self, line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("gym", line.split()) == 2
        assert told in capsys.readouterr().err

    def test_they_are_listed_and_explained(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main("ng", []) == 0
        printed = capsys.readouterr().out
        there = {verb.command for verb in VERBS.values()} & set(COMMANDS)
        assert all(f"(ng_{command})" in printed for command in there)
        assert main("gym", ["dataset", "collate", "--help"]) == 0
        assert "output_dirpath" in capsys.readouterr().out

    def test_what_there_is_is_listed_and_found(self, capsys: pytest.CaptureFixture[str]) -> None:
        for kind in ("resources-servers", "environments", "models", "agents"):
            assert main("gym", ["list", kind, "--json"]) == 0
            found = json.loads(capsys.readouterr().out)
            assert found
            assert all(read_config_file(each["config"]) for each in found)
        assert main("gym", ["search", "multiple-choice", "--json"]) == 0
        assert {each["name"] for each in json.loads(capsys.readouterr().out)} >= {"mcqa"}
        assert main("gym", ["list", "model"]) == 2
        assert "Did you mean 'models'?" in capsys.readouterr().err

    def test_a_folder_to_search_is_searched(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "far").mkdir()
        (folder / "far/x.yaml").write_text("told: far\n")
        assert main("gym", ["env", "resolve", "--search-dir", "far", "--config", "x.yaml"]) == 0
        assert "told: far" in capsys.readouterr().out
