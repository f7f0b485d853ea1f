"""Which field holds an answer is known from the run, from installed environments, or from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from palestra.collection.answer_keys import AnswerKeys
from palestra.core.discovery import every_environment
from palestra.store.paths import RunPaths


def test_installed_environments_are_known_by_name() -> None:
    keys = AnswerKeys([])
    assert keys.of({"palestra": {"environment": "mcqa"}}) == "extracted_answer"
    assert keys.of({"agent_ref": {"name": "mcqa_simple_agent"}}) == "extracted_answer"
    assert keys.of({"palestra": {"environment": "example_single_tool_call"}}) is None


@pytest.mark.parametrize(
    "rollout",
    [
        {}, {"palestra": 3}, {"palestra": {}}, {"palestra": {"environment": 3}}, {"agent_ref": {"name": "other"}},
        {"palestra": {"environment": "os:path"}}, {"palestra": {"environment": "../mcqa"}},
    ],
)  # fmt: skip
def test_of_others_nobody_knows(rollout: dict[str, Any]) -> None:
    assert AnswerKeys([]).of(rollout) is None


def test_a_chosen_field_holds_for_all() -> None:
    assert AnswerKeys([], "said").of({"palestra": {"environment": "mcqa"}}) == "said"


@pytest.mark.parametrize("noted", ["said", None])
def test_what_a_run_noted_comes_before_what_is_installed(tmp_path: Path, noted: str | None) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.rollouts.write_text("{}\n")
    paths.run.write_text(json.dumps({"environments": {"mcqa": {"environment": {"answer_key": noted}}}}))
    assert AnswerKeys([paths]).of({"palestra": {"environment": "mcqa"}}) == noted


@pytest.mark.parametrize("text", ["{", "[]", '{"environments": {"mcqa": 3}}', '{"environments": {"mcqa": {}}}'])
def test_a_damaged_note_is_passed_over(tmp_path: Path, text: str) -> None:
    paths = RunPaths(tmp_path / "r.jsonl")
    paths.rollouts.write_text("{}\n")
    paths.run.write_text(text)
    assert AnswerKeys([paths]).of({"palestra": {"environment": "mcqa"}}) == "extracted_answer"


def test_environments_with_one_readable_answer_name_its_field() -> None:
    keys = {source.name: source.manifest.answer_key for source in every_environment()}
    named = {name for name, key in keys.items() if key == "extracted_answer"}
    assert {"mcqa", "library_judge_math", "reasoning_gym", "word_problems"} <= named
