"""Scripted models that answer by rules."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from palestra.core.errors import Failure, PalestraError
from palestra.core.model import Item, Sampling
from palestra.core.transcript import content_text, user_message
from palestra.models.scripted import ScriptedModel


def model(folder: Path, *rules: Any) -> ScriptedModel:
    path = folder / "rules.jsonl"
    path.write_text(json.dumps({"task": "*", "rules": list(rules)}))
    return ScriptedModel.from_file(path)


def answer(scripted: ScriptedModel, *items: Item) -> str:
    reply = asyncio.run(scripted.for_conversations().respond(items, (), Sampling()))
    per_rollout = scripted.for_rollout({}, task_hash="h", task_index=0, rollout_index=0)
    assert asyncio.run(per_rollout.respond(items, (), Sampling())) == reply
    return content_text(reply.items[0]["content"])


def test_the_first_rule_that_fits_the_last_user_message_replies_with_what_it_found(tmp_path: Path) -> None:
    rules = model(
        tmp_path,
        {"when": r"colou?r of (?P<what>\w+)", "reply": r"\g<what> is red"},
        {"when": r"(\d+) plus (\d+)", "reply": r"\1 and \2"},
        {"when": "", "reply": "pardon?"},
    )
    assert answer(rules, user_message("1 plus 2"), user_message("the color of snow")) == "snow is red"
    assert (
        answer(rules, user_message("the color of snow"), {"role": "assistant", "content": "1 plus 2"}) == "snow is red"
    )
    assert answer(rules, user_message("3 plus 4")) == "3 and 4"
    assert answer(rules, user_message("hm")) == "pardon?"
    assert answer(rules) == "pardon?"


@pytest.mark.parametrize(("when", "reply"), [("colour", "x"), ("", r"\1")])
def test_no_rule_or_a_reply_that_cannot_be_filled_is_a_failure(tmp_path: Path, when: str, reply: str) -> None:
    with pytest.raises(Failure) as caught:
        answer(model(tmp_path, {"when": when, "reply": reply}), user_message("hm"))
    assert caught.value.code == "script-exhausted"


@pytest.mark.parametrize(
    "rule",
    [{"when": "("}, {"when": "(", "reply": "x"}, {"when": 1, "reply": "x"}, "x", {"when": "", "reply": "", "also": 1}],
)
def test_what_is_no_rule_is_told_with_its_line(tmp_path: Path, rule: Any) -> None:
    with pytest.raises(PalestraError, match="line 1"):
        model(tmp_path, rule)
