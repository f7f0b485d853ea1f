"""The check against a chat template: sound rows pass, and each way in which a template spoils them is found."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from palestra.collection.chat_templates import open_chat_template
from palestra.core.errors import PalestraError
from palestra.data.export.record import read_record
from palestra.data.export.roundtrip import RoundTrip, findings_of
from palestra.data.export.template import ChatTemplate, template_of_folder
from palestra.models.embedded.weights import weights_path
from palestra.wire.encoding import encode
from tests import export_rollouts as source

TURNS = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}[{{ c.function.name }} {{ c.function.arguments | tojson }}]{% endfor %}"
    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
WITH_TOOLS = "{% if tools %}<tools>{{ tools | tojson }}<end>\n{% endif %}" + TURNS


def template(text: str) -> ChatTemplate:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return ChatTemplate("test", text, tokenizer, {})


def kinds(rollout: dict[str, Any], text: str) -> list[str]:
    record = read_record(encode(rollout), "inline")
    return [kind for kind, _ in findings_of(record, template(text))]


def test_a_template_that_shows_all_is_sound() -> None:
    assert kinds(source.weather_talk(1.0), WITH_TOOLS) == []
    assert kinds(source.QUIZ[4], TURNS) == []


def test_a_template_without_tools_is_told_but_not_fatal() -> None:
    assert kinds(source.weather_talk(1.0), TURNS) == ["tools_are_not_shown"]


def test_a_template_that_rewrites_earlier_turns() -> None:
    forgets = WITH_TOOLS.replace("m.content or ''", "(m.content or '') if loop.last else ''")
    assert "turn_is_rewritten" in kinds(source.weather_talk(1.0), forgets)
    record = read_record(encode(source.weather_talk(1.0)), "inline")
    assert findings_of(record, template(forgets), split_by_turn=True) == []


def test_a_template_that_puts_something_between_prompt_and_answer() -> None:
    assert kinds(source.QUIZ[0], TURNS.replace("<assistant>", "<assistant><think></think>")) == ["prompt_is_no_prefix"]


def test_a_template_that_changes_what_was_said() -> None:
    assert kinds(source.QUIZ[4], TURNS.replace("m.content or ''", "m.content.split('</think>')[-1]")) == [
        "text_is_changed"
    ]


def test_a_template_that_repeats_the_prompt_in_the_answer() -> None:
    echo = TURNS.replace("{% endgeneration %}", "{{ messages[0].content }}{% endgeneration %}")
    assert kinds(source.QUIZ[0], echo) == ["mask_covers_more"]


def test_a_template_that_refuses_a_conversation() -> None:
    assert kinds(source.QUIZ[0], "{{ raise_exception('no such thing') }}") == ["refused"]


def test_the_embedded_template_is_sound_and_knows_no_tools() -> None:
    if weights_path() is None:
        pytest.skip("the embedded model's weights are not installed")
    check = RoundTrip(open_chat_template("embedded"), limit=None)
    for rollout in (*source.QUIZ, source.weather_talk(1.0)):
        check.look_at(read_record(encode(rollout), "inline"))
    assert check.is_sound
    assert (check.checked, check.findings.counts) == (7, {"tools_are_not_shown": 1})


def test_a_limit_ends_the_looking() -> None:
    check = RoundTrip(template(TURNS), limit=2)
    for rollout in source.QUIZ:
        check.look_at(read_record(encode(rollout), "inline"))
    assert check.checked == 2


def test_a_tokenizers_folder(tmp_path: Path) -> None:
    with pytest.raises(PalestraError, match="is no tokenizer's folder"):
        template_of_folder(tmp_path)
    template("").tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(PalestraError, match="has no chat template"):
        template_of_folder(tmp_path)
    config = {"chat_template": "{{ bos_token }}{{ messages[0].content }}", "bos_token": {"content": "<s>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert template_of_folder(tmp_path).render([{"role": "user", "content": "hello"}]) == "<s>hello"
    (tmp_path / "chat_template.jinja").write_text("beside")
    assert template_of_folder(tmp_path).render([]) == "beside"
    with pytest.raises(PalestraError, match="is no folder"):
        open_chat_template(str(tmp_path / "nowhere"))
