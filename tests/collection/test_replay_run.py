"""A run whose rollouts are replayed gives the same rollouts, call by call."""

from pathlib import Path
from typing import Any

from palestra.collection.config import ModelChoice
from tests.collection.workspace import Workspace, lines_of, words

THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}


def judged_calls(line: dict[str, Any]) -> Any:
    return line["response"]["output"], line["reward"], line["palestra"]["calls"]


def test_a_reply_that_only_thinks_is_replayed_as_the_call_it_was(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.rows(words(3))
    place.script({"*": [[THOUGHT], [THOUGHT, "bee"]]})
    place.collect()
    first = lines_of(place.paths.rollouts)
    assert [len(line["palestra"]["calls"]) for line in first] == [2] * 3
    replayed = tmp_path / "replayed.jsonl"
    place.collect(model=ModelChoice(spec=f"replay:{place.paths.rollouts}"), output=replayed)
    again = {line["palestra"]["key"]: judged_calls(line) for line in lines_of(replayed)}
    assert again == {line["palestra"]["key"]: judged_calls(line) for line in first}
