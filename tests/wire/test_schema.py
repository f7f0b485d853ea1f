"""The schemas of the files: generated, shipped, and true of every line that is really written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from palestra.wire.schema import FORMATS, SCHEMA_FOLDER, json_schema, problems_of, schema_text, unpaired
from tests.collection.workspace import Workspace, lines_of, words
from tests.conftest import ROOT

VALIDATORS = {name: Draft202012Validator(json_schema(name)) for name in FORMATS}
EXAMPLES = ROOT / "docs" / "reference" / "examples"


def problems(name: str, line: Any) -> list[str]:
    """What either of the two ways to validate finds; they must agree on whether there is anything."""
    by_schema = [f"{error.json_path}: {error.message}"[:300] for error in VALIDATORS[name].iter_errors(line)]
    ours = problems_of(name, line)
    assert bool(by_schema) == bool(ours) or any("no earlier call" in problem for problem in ours)
    return [*by_schema, *ours]


@pytest.mark.parametrize("name", FORMATS)
def test_shipped_schema_is_what_the_models_say(name: str, update_golden: bool) -> None:
    path = SCHEMA_FOLDER / f"{name}.json"
    if update_golden:
        path.write_text(schema_text(name), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == schema_text(name), "--update-golden writes it"
    Draft202012Validator.check_schema(json_schema(name))


def test_nothing_but_the_schemas_is_in_their_folder() -> None:
    assert {path.stem for path in SCHEMA_FOLDER.iterdir()} == set(FORMATS)


CALL = [{"type": "function_call", "name": "look", "arguments": '{"where": "up"}'}, "Nothing."]

LOOKING = """
from palestra import Environment, Task, Transcript, Verdict, tool


class LookTask(Task):
    text: str


class Look(Environment[LookTask]):
    def prompt(self) -> str:
        return self.task.text

    @tool
    def look(self, where: str) -> str:
        '''Look somewhere.'''
        return f"nothing {where}"

    def verify(self, transcript: Transcript) -> Verdict:
        if self.task.text == "cat":
            raise ValueError("no cats")
        return Verdict(0.75, components={"seen": 0.5, "said": 0.25}, metrics={"calls": 1, "found": None}, reason="both")
"""


def test_every_line_of_a_run_is_valid(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.environment("look", LOOKING)
    workspace.rows(words(6))
    workspace.script({"*": CALL})
    workspace.collect(environments=(str(tmp_path / "look"),), repeats=2, seed=3)
    rollouts, failures = lines_of(workspace.paths.rollouts), lines_of(workspace.paths.failures)
    assert (len(rollouts), len(failures)) == (8, 4)
    for rollout in rollouts:
        assert problems("rollout", rollout) == []
    for failure in failures:
        assert problems("failure", failure) == []
    for line in lines_of(workspace.paths.inputs):
        assert problems("materialized_input", line) == []
    for row in words(6):
        assert problems("input_row", row) == []


@pytest.mark.slow
def test_a_rollout_with_tokens_is_valid(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.rows(words(1))
    from palestra.collection.config import ModelChoice, SamplingChoice

    sampling = {"*": SamplingChoice(max_output_tokens=4)}
    workspace.collect(model=ModelChoice(spec="embedded"), sampling=sampling)
    (rollout,) = lines_of(workspace.paths.rollouts)
    assert len(rollout["palestra"]["tokens"]["ids"]) > 4
    assert problems("rollout", rollout) == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_documented_example_is_valid(path: Path) -> None:
    line = json.loads(path.read_text(encoding="utf-8"))
    assert problems("failure" if path.stem == "failed" else "rollout", line) == []


def test_documented_examples_show_what_they_are_named_after() -> None:
    lines = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in EXAMPLES.glob("*.json")}
    kinds = {
        name: [item["type"] for item in (line.get("response") or {}).get("output", [])] for name, line in lines.items()
    }
    assert kinds["single_turn"] == ["message"]
    assert kinds["tool_call"] == ["function_call", "function_call_output", "message"]
    assert kinds["multi_step"].count("function_call") == 3
    assert kinds["reasoning"] == ["reasoning", "message"]
    roles = [item["role"] for item in lines["multi_turn"]["response"]["output"]]
    assert roles.count("user") >= 1
    assert roles.count("assistant") >= 2
    several = lines["multi_reward"]
    assert sum(several[name] for name in several["palestra"]["components"]) == pytest.approx(several["reward"])
    assert "reward" not in lines["failed"]


def recorded(shared: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((shared / "data" / "nemo_gym").glob("*/recorded*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            entry = json.loads(line)
            yield f"{path.parent.name}/{path.name}:{number}", entry.get("recorded", entry)


def test_rollouts_that_nemo_gym_recorded_are_valid(shared: Path) -> None:
    found = dict(recorded(shared))
    assert len(found) > 50
    assert {place: problems("rollout", line) for place, line in found.items() if problems("rollout", line)} == {}


ITEM = {"type": "message", "role": "assistant", "content": "Hi."}
PLAIN = {
    "responses_create_params": {"input": "Hi."},
    "response": {"id": "resp_1", "created_at": 0, "model": "m", "output": [ITEM]},
    "reward": 1.0,
}


def test_a_line_of_another_producer_needs_three_fields() -> None:
    assert problems("rollout", PLAIN) == []
    assert problems("rollout", {**PLAIN, "anything": {"else": [1]}}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"reward": None}, {"reward": "1"}, {"response": {}}, {"response": None}, {"responses_create_params": {}},
        {"_ng_task_index": -1}, {"_ng_task_index": "0"}, {"palestra": {}},
        {"response": {**PLAIN["response"], "output": [{"type": "message", "role": "robot", "content": "Hi."}]}},
        {"response": {**PLAIN["response"], "output": [{"type": "function_call", "name": "f", "arguments": "{}"}]}},
        {"response": {**PLAIN["response"], "output": [{"role": "assistant"}]}},
        {"response": {**PLAIN["response"], "output": "Hi."}},
    ],
)  # fmt: skip
def test_wrong_line_is_refused_by_both(change: dict[str, Any]) -> None:
    assert problems("rollout", {**PLAIN, **change})


def test_items_of_other_kinds_are_kept() -> None:
    other = {"type": "web_search_call", "id": "ws_1", "action": {"query": "?"}}
    assert problems("rollout", {**PLAIN, "response": {**PLAIN["response"], "output": [other, ITEM]}}) == []


def called(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "name": "f", "arguments": "{}", "call_id": call_id}


def answered(call_id: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": "x"}


def test_outputs_that_answer_no_earlier_call_are_found() -> None:
    assert unpaired([called("a"), called("b"), answered("b"), answered("a"), ITEM]) == []
    assert len(unpaired([answered("a"), called("a")])) == 1
    assert len(unpaired([called("a"), answered("a"), answered("a")])) == 1
    line = {**PLAIN, "response": {**PLAIN["response"], "output": [called("a"), answered("c")]}}
    (problem,) = problems_of("rollout", line)
    assert "item 1" in problem
    assert "'c'" in problem


@given(st.permutations(range(4)), st.integers(0, 3))
def test_any_order_of_outputs_behind_their_calls_is_paired_and_a_missing_call_is_not(
    order: list[int], missing: int
) -> None:
    calls = [called(str(number)) for number in range(4)]
    outputs = [answered(str(number)) for number in order]
    assert unpaired([*calls, *outputs]) == []
    del calls[missing]
    assert len(unpaired([*calls, *outputs])) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(FORMATS)), json_values)
def test_any_value_is_judged_without_an_error(name: str, value: Any) -> None:
    assert isinstance(problems_of(name, value), list)
