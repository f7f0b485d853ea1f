"""NeMo Gym's configurations: what overrides what, what is found out, and everything that is wrong told at once."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palestra.cli.new import make_environment
from palestra.compat.config import GymConfig, Sources, read_config
from palestra.compat.environments import settings_of
from palestra.compat.instances import Instance
from palestra.compat.overrides import read_override, read_overrides
from palestra.compat.secrets import is_secret, masked
from palestra.compat.values import written_value
from palestra.core.errors import PalestraError

COUNTER = """
counter_resources_server:
  resources_servers:
    counter: {entrypoint: app.py, domain: agent}
counter_simple_agent:
  responses_api_agents:
    simple_agent:
      entrypoint: app.py
      resources_server: {type: resources_servers, name: counter_resources_server}
      model_server: {type: responses_api_models, name: policy_model}
      max_steps: 6
"""
MODEL = "responses_api_models/vllm_model/configs/vllm_model.yaml"
ENV = "policy_base_url: http://127.0.0.1:8000/v1\npolicy_api_key: a-long-secret\npolicy_model_name: my/model\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEMO_GYM_EXTRA_ROOTS", raising=False)
    (tmp_path / "env.yaml").write_text(ENV)
    (tmp_path / "counter.yaml").write_text(COUNTER)
    yield tmp_path
    assert not (tmp_path / "outputs").exists(), "a command leaves nothing behind"


def config(*words: str, **sources: Any) -> GymConfig:
    return read_config(Sources(overrides=read_overrides(words), **sources))


def refused(*words: str, **sources: Any) -> str:
    with pytest.raises(PalestraError) as raised:
        config(*words, **sources)
    return str(raised.value)


def agent_of(found: GymConfig) -> Any:
    return found.instance("counter_simple_agent").config


class TestWhatOverridesWhat:
    def test_the_example_of_the_specification(self) -> None:
        word = "+counter_simple_agent.responses_api_agents.simple_agent.max_steps=3"
        found = config(f"+config_paths=[counter.yaml,{MODEL}]", word)
        assert agent_of(found)["max_steps"] == 3
        assert found.instance("policy_model").config["base_url"] == "http://127.0.0.1:8000/v1"
        assert found.values["config_paths"] == ["counter.yaml", MODEL]
        assert found.values["head_server"] == {"host": "127.0.0.1", "port": 11000}
        assert [instance.kind for instance in found.instances] == [
            "resources_servers", "responses_api_agents", "responses_api_models",
        ]  # fmt: skip

    def test_later_files_then_env_then_code_then_words(self, folder: Path) -> None:
        (folder / "first.yaml").write_text("a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n")
        (folder / "second.yaml").write_text("b: 2\nc: 2\nd: 2\ne: 2\n")
        (folder / "env.yaml").write_text(f"{ENV}c: 3\nd: 3\ne: 3\n")
        words = [f"+config_paths=[first.yaml,second.yaml,counter.yaml,{MODEL}]", "+e=5"]
        found = config(*words, initial={"d": 4, "e": 4}).values
        assert [found[name] for name in "abcde"] == [1, 2, 3, 4, 5]

    def test_a_file_overrides_what_it_includes(self, folder: Path) -> None:
        (folder / "inner.yaml").write_text("a: inner\nb: inner\n")
        (folder / "outer.yaml").write_text("config_paths: [inner.yaml]\na: outer\n")
        found = config(f"+config_paths=[outer.yaml,counter.yaml,{MODEL}]").values
        assert (found["a"], found["b"]) == ("outer", "inner")

    def test_files_that_include_each_other_are_read_once(self, folder: Path) -> None:
        (folder / "one.yaml").write_text("config_paths: [two.yaml]\n")
        (folder / "two.yaml").write_text("config_paths: [one.yaml]\n")
        assert config(f"+config_paths=[one.yaml,counter.yaml,{MODEL}]").instances

    def test_paths_start_in_the_roots_that_a_variable_names(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "elsewhere").mkdir()
        (folder / "elsewhere/far.yaml").write_text("far: true\n")
        monkeypatch.setenv("NEMO_GYM_EXTRA_ROOTS", str(folder / "elsewhere"))
        assert config(f"+config_paths=[far.yaml,counter.yaml,{MODEL}]").values["far"] is True

    def test_interpolations_variables_and_operators(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOME_NAME", "from outside")
        (folder / "more.yaml").write_text(
            "base: {x: 1, y: 2}\nname: ${oc.env:SOME_NAME}\nsame: ${name}\ncopied: {_copy: base, y: 3}\n"
        )
        found = config(f"+config_paths=[more.yaml,counter.yaml,{MODEL}]").values
        assert (found["same"], found["copied"]) == ("from outside", {"x": 1, "y": 3})

    def test_what_is_inherited_moves_and_what_is_deleted_is_gone(self, folder: Path) -> None:
        (folder / "more.yaml").write_text(
            "base: {x: 1, y: {z: 2}}\n"
            "one: {_inherit_from: base, x: 3}\n"
            "two: ${inherit_from:base}\n"
            'three: {_copy: one, _delete_key: "x, y.z"}\n'
            "deep: [{_copy: two.y}]\n"
        )
        found = config(f"+config_paths=[more.yaml,counter.yaml,{MODEL}]").values
        assert "base" not in found
        assert found["one"] == {"x": 3, "y": {"z": 2}}
        assert found["two"] == {"x": 1, "y": {"z": 2}}
        assert found["three"] == {"y": {}}
        assert found["deep"] == [{"z": 2}]

    def test_a_server_is_taken_over_under_another_name(self) -> None:
        words = ["+mine={_inherit_from: counter_resources_server}",
                 "+counter_simple_agent.responses_api_agents.simple_agent.resources_server.name=mine"]  # fmt: skip
        names = [each.name for each in config(f"+config_paths=[counter.yaml,{MODEL}]", *words).instances]
        assert sorted(names) == ["counter_simple_agent", "mine", "policy_model"]

    def test_words_change_delete_and_add_in_their_order(self) -> None:
        path = "counter_simple_agent.responses_api_agents.simple_agent"
        words = [f"{path}.max_steps=7", f"~{path}.max_steps=7", f"+{path}.max_steps=8", f"++{path}.more={{a: [1, x]}}"]
        agent = agent_of(config(f"+config_paths=[counter.yaml,{MODEL}]", *words))
        assert (agent["max_steps"], agent["more"]) == (8, {"a": [1, "x"]})

    def test_config_paths_may_be_named_in_env_yaml(self, folder: Path) -> None:
        (folder / "env.yaml").write_text(f"{ENV}my_paths: [counter.yaml, {MODEL}]\n")
        assert len(config("+config_paths=${my_paths}").instances) == 3


class TestShipped:
    @pytest.mark.parametrize("name", ["mcqa", "calendar", "aviary", "example_session_state_mgmt"])
    def test_environments_have_a_configuration_without_a_file(self, name: str) -> None:
        found = config(f"+config_paths=[resources_servers/{name}/configs/{name}.yaml,{MODEL}]")
        kinds = {instance.kind for instance in found.instances}
        assert kinds == {"resources_servers", "responses_api_agents", "responses_api_models"}

    def test_a_file_of_that_path_wins(self, folder: Path) -> None:
        path = folder / "resources_servers/mcqa/configs/mcqa.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(COUNTER)
        found = config(f"+config_paths=[resources_servers/mcqa/configs/mcqa.yaml,{MODEL}]")
        assert found.instance("counter_resources_server").implementation == "counter"

    def test_a_wrong_path_is_told_with_the_nearest(self) -> None:
        assert "mcqa/configs/mcqa.yaml" in refused("+config_paths=[resources_servers/mcqa/configs/mcq.yaml]")


class TestStarting:
    def server(self, name: str, *words: str) -> Instance:
        path = f"resources_servers/{name}/configs/{name}.yaml"
        return config(f"+config_paths=[{path},{MODEL}]", *words).instance(f"{name}_resources_server")

    def test_an_entry_sets_options_and_names_models(self) -> None:
        entry = "equivalence_llm_judge_resources_server.resources_servers.equivalence_llm_judge"
        words = [f"+{entry}.check_twice_swap=true", f"+{entry}.judge_responses_create_params={{temperature: 0}}",
                 f"+{entry}.check_twice_swp=false", f"+{entry}.verified=false"]  # fmt: skip
        found = settings_of(self.server("equivalence_llm_judge", *words))
        assert found.source.name == "equivalence_llm_judge"
        assert found.options.model_dump()["check_twice_swap"] is True
        assert found.roles == {"judge": "policy_model"}
        (remark,) = found.remarks
        assert "no option 'check_twice_swp'. Did you mean 'check_twice_swap'?" in remark

    def test_an_option_of_the_wrong_type_is_refused(self) -> None:
        word = "+mcqa_resources_server.resources_servers.mcqa.grading_mode=3"
        with pytest.raises(PalestraError, match="grading_mode"):
            settings_of(self.server("mcqa", word))

    def test_a_folder_here_comes_before_an_installed_environment(self, folder: Path) -> None:
        make_environment(folder / "resources_servers/letter_count")
        (folder / "own.yaml").write_text(COUNTER.replace("    counter:", "    letter_count:"))
        found = config(f"+config_paths=[own.yaml,{MODEL}]").instance("counter_resources_server")
        assert settings_of(found).source.folder == folder / "resources_servers/letter_count"

    def test_an_implementation_that_is_none_is_told_with_the_nearest(self, folder: Path) -> None:
        (folder / "own.yaml").write_text(COUNTER.replace("    counter:", "    calender:"))
        found = config(f"+config_paths=[own.yaml,{MODEL}]").instance("counter_resources_server")
        with pytest.raises(PalestraError, match="Did you mean 'calendar'"):
            settings_of(found)


class TestWhatIsWrong:
    def test_everything_that_is_missing_is_told_at_once(self, folder: Path) -> None:
        (folder / "env.yaml").unlink()
        (folder / "gaps.yaml").write_text("one: ???\ndeep:\n  two: ???\nthree: ${nowhere}\n")
        told = refused(f"+config_paths=[gaps.yaml,counter.yaml,{MODEL}]")
        for name in ("one", "deep.two", "three", "policy_base_url", "policy_model_name"):
            assert name in told, name
        assert "++deep.two=VALUE" in told

    def test_a_reference_to_nobody_is_told_with_the_nearest(self) -> None:
        word = "+counter_simple_agent.responses_api_agents.simple_agent.resources_server.name=counter_resource_server"
        told = refused(f"+config_paths=[counter.yaml,{MODEL}]", word)
        assert "counter_resource_server" in told
        assert "counter_resources_server" in told

    def test_what_is_almost_a_server_is_refused_unless_it_may_be_left_out(self, folder: Path) -> None:
        (folder / "almost.yaml").write_text(
            "half:\n  resources_servers:\n    half: {entrypoint: app.py, domain: cooking}\n"
        )
        words = [f"+config_paths=[almost.yaml,counter.yaml,{MODEL}]"]
        assert "half is almost a server" in refused(*words)
        found = config(*words, "+error_on_almost_servers=false")
        assert not [instance for instance in found.instances if instance.name == "half"]
        assert any("half" in remark for remark in found.remarks)

    @pytest.mark.parametrize("word", ["max_steps=3", "nonsense", "+a.b", "+=3"])
    def test_words_that_mean_nothing_are_refused(self, word: str) -> None:
        assert word.split("=", maxsplit=1)[0].strip("+") in refused(f"+config_paths=[counter.yaml,{MODEL}]", word)


class TestAddresses:
    def test_ports_are_free_and_none_is_given_twice(self) -> None:
        found = config(f"+config_paths=[counter.yaml,{MODEL}]", "+port_range_low=21000", "+port_range_high=21020")
        ports = [instance.port for instance in found.instances]
        assert len({*ports, found.head.port}) == 4
        assert all(21000 <= port <= 21020 for port in ports)
        assert set(found.values["disallowed_ports"]) >= {*ports, 11000}

    def test_a_port_that_is_taken_is_passed_over(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            bounds = (f"+port_range_low={port}", f"+port_range_high={min(port + 10, 65535)}")
            found = config(f"+config_paths=[counter.yaml,{MODEL}]", *bounds)
            assert port not in [instance.port for instance in found.instances]

    def test_the_same_port_twice_is_refused(self) -> None:
        at = "resources_servers.counter.port=11000"
        assert "11000" in refused(f"+config_paths=[counter.yaml,{MODEL}]", f"+counter_resources_server.{at}")


KEYS = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(value=VALUES)
def test_a_value_survives_being_written_as_a_word(value: Any) -> None:
    assert read_override(f"+key={written_value(value)}").value == value


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("policy_api_key", True), ("hf_token", True), ("mlflow_tracking_token", True), ("password", True),
        ("client_secret", True), ("max_output_tokens", False), ("eos_token", False), ("answer_key", False),
        ("tokenizer", False), ("keyboard", False),
    ],
)  # fmt: skip
def test_secrets_are_known_by_their_names(key: str, secret: bool) -> None:
    assert is_secret(key) is secret


def test_no_secret_is_in_what_is_shown() -> None:
    found = config(f"+config_paths=[counter.yaml,{MODEL}]", "+tokens_of={api_keys: [first-secret, second-secret]}")
    shown = found.yaml()
    assert "a-long-secret" not in shown
    assert not re.search("first-secret|second-secret", shown)
    assert "a-long-secret" in found.yaml(hides_secrets=False)
    assert json.dumps(masked({"max_output_tokens": 5})) == '{"max_output_tokens": 5}'
