"""What people read when a configuration is wrong, word by word: tests/compat/errors.txt."""

from pathlib import Path

import pytest

from palestra.compat.config import Sources, read_config
from palestra.compat.overrides import read_overrides
from palestra.core.errors import PalestraError

GOLDEN = Path(__file__).with_name("errors.txt")
MODEL = "responses_api_models/vllm_model/configs/vllm_model.yaml"
MCQA = "resources_servers/mcqa/configs/mcqa.yaml"
FILES = {
    "env.yaml": "policy_base_url: http://127.0.0.1:1/v1\npolicy_api_key: a-long-secret\npolicy_model_name: m\n",
    "gaps.yaml": "one: ???\ndeep:\n- two: ???\nthree: ${nowhere}\nfour: ${oc.env:NO_SUCH_VARIABLE}\n",
    "broken.yaml": "one: [1\ntwo: 2\n",
    "list.yaml": "- one\n",
    "half.yaml": "half:\n  resources_servers:\n    half: {entrypoint: /app.py, domain: maths, port: eighty}\n",
    "two.yaml": "two:\n  resources_servers:\n    a: {entrypoint: app.py, domain: math}\n    b: {x: 1}\n",
    "data.yaml": (
        "data:\n  responses_api_agents:\n    simple_agent:\n      entrypoint: app.py\n"
        "      datasets: [{name: t, type: train, jsonl_fpath: t.jsonl}]\n"
    ),
    "inherits.yaml": "base: {x: 1}\ncopied: {_copy: bse}\n",
    "circle.yaml": "a: {_copy: b}\nb: {_copy: a}\n",
    "mapping.yaml": "a: {x: {y: 1}}\n",
    "no_mapping.yaml": "a: {x: [1]}\n",
    "includes.yaml": "config_paths: other.yaml\n",
}
WITH_MCQA = f"+config_paths=[{MCQA},{MODEL}]"
AGENT = "mcqa_simple_agent.responses_api_agents.simple_agent"
CASES = {
    "values that are missing": ["+config_paths=[gaps.yaml]"],
    "a file that is not there": ["+config_paths=[resources_servers/mcqa/configs/mcq.yaml]"],
    "a file that is not YAML": ["+config_paths=[broken.yaml]"],
    "a file that is no mapping": ["+config_paths=[list.yaml]"],
    "a list over a mapping": ["+config_paths=[mapping.yaml,no_mapping.yaml]"],
    "config_paths that are no list": ["+config_paths=includes.yaml"],
    "config_paths of a file that are no list": ["+config_paths=[includes.yaml]"],
    "almost a server": ["+config_paths=[half.yaml]"],
    "two implementations": ["+config_paths=[two.yaml]"],
    "a dataset without a licence": ["+config_paths=[data.yaml]"],
    "a reference to nobody": [WITH_MCQA, f"+{AGENT}.resources_server.name=mcqa_resource_server"],
    "a reference to another kind": [WITH_MCQA, f"+{AGENT}.resources_server.name=policy_model"],
    "a reference deep inside": [WITH_MCQA, f"+{AGENT}.judges=[{{type: responses_api_models, name: polcy_model}}]"],
    "no model at all": [f"+config_paths=[{MCQA}]"],
    "something inherited that is not there": ["+config_paths=[inherits.yaml]"],
    "something that takes itself": ["+config_paths=[circle.yaml]"],
    "a change of a key that is not there": [WITH_MCQA, f"{AGENT}.max_stps=3"],
    "a deletion of a key that is not there": [WITH_MCQA, "~mcqa_simple_agnt"],
    "a deletion of another value": [WITH_MCQA, "~policy_api_key=other"],
    "ports the wrong way round": ["+port_range_low=200", "+port_range_high=100"],
    "a port twice": [WITH_MCQA, f"+{AGENT}.port=11000"],
    "a port out of range": [WITH_MCQA, "+head_server.port=70000"],
    "a token that is no text": ["+hf_token={a: a-long-secret}"],
    "a word without a value": ["+verbose"],
    "a secret in a word that cannot be read": ["+policy_api_key=[a-long-secret"],
    "a list without brackets": ["+config_paths=a.yaml,b.yaml"],
    "an interpolation that cannot be read": ["+x=${a"],
    "an interpolation of unknown kind": ["+x=${nothing:a}"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEMO_GYM_EXTRA_ROOTS", raising=False)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_told(folder: Path, update_golden: bool) -> None:
    told = "\n".join(f"== {name}\n{message(words)}\n" for name, words in CASES.items())
    told = told.replace(str(folder), "/here")
    if update_golden:
        GOLDEN.write_text(told)
    assert GOLDEN.read_text() == told
    assert "a-long-secret" not in told


def message(words: list[str]) -> str:
    try:
        read_config(Sources(overrides=read_overrides(words)))
    except PalestraError as error:
        return str(error)
    return "nothing"
