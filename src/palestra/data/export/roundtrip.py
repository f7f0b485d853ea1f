"""Whether a training row survives the tokenizer's chat template: the prompt is a prefix, the loss covers the model's
text and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from palestra.core.transcript import content_text
from palestra.data.export.choice import Dropped
from palestra.data.export.record import Record, parsed_arguments
from palestra.data.export.template import ChatTemplate
from palestra.wire.chat import Message

FATAL = ("refused", "prompt_is_no_prefix", "turn_is_rewritten", "text_is_changed", "mask_covers_more")
"""Findings after which a trainer would learn something else than what was exported."""


@dataclass(slots=True)
class RoundTrip:
    """What the template did to the rows that were looked at."""

    template: ChatTemplate
    limit: int | None
    """Rollouts to look at, or None for all."""
    split_by_turn: bool = False
    """Whether each turn is a row of its own: then a later turn may change how an earlier one is rendered."""
    checked: int = 0
    findings: Dropped = field(default_factory=Dropped)

    def look_at(self, record: Record) -> None:
        if self.limit is not None and self.checked >= self.limit:
            return
        self.checked += 1
        for kind, detail in findings_of(record, self.template, self.split_by_turn):
            self.findings.add(kind, detail)

    @property
    def is_sound(self) -> bool:
        return not any(kind in self.findings.counts for kind in FATAL)


def findings_of(record: Record, template: ChatTemplate, split_by_turn: bool = False) -> list[tuple[str, str]]:
    """What is wrong with one rollout under one template, as (kind, detail)."""
    messages = [parsed_arguments(message) for message in (*record.prompt, *record.completion)]
    found: list[tuple[str, str]] = []
    try:
        whole = template.render(messages, record.tools)
        if record.tools and whole == template.render(messages):
            found.append(("tools_are_not_shown", f"{len(record.tools)} tools are not in what the template renders"))
        for index in range(len(record.prompt), len(messages)):
            if messages[index]["role"] == "assistant":
                seen = template.render(messages[: index + 1], record.tools) if split_by_turn else whole
                found += turn_findings(messages, index, record.tools, seen, template)
    except ValueError as error:
        return [("refused", str(error))]
    return found


def turn_findings(
    messages: Sequence[Message], index: int, tools: Sequence[Any], whole: str, template: ChatTemplate
) -> list[tuple[str, str]]:
    """What is wrong with one turn of the model: between its prompt and the text after it, there is its own text."""
    before = template.render(messages[:index], tools, prompt=True)
    after = template.render(messages[: index + 1], tools)
    if not after.startswith(before) or not whole.startswith(before):
        place = common_prefix(before, after if not after.startswith(before) else whole)
        return [("prompt_is_no_prefix", f"message {index}: differs at character {place}: {before[place:][:60]!r}")]
    if not whole.startswith(after):
        place = common_prefix(after, whole)
        return [
            ("turn_is_rewritten", f"message {index}: later messages change character {place}: {after[place:][:60]!r}")
        ]
    tokens, prompt = template.encode(after), template.encode(before)
    if list(tokens.ids[: len(prompt.ids)]) != list(prompt.ids):
        place = common_prefix(tokens.ids, prompt.ids)
        return [("prompt_is_no_prefix", f"message {index}: token {place} of the prompt is another with the answer")]
    found: list[tuple[str, str]] = []
    said = after[len(before) :]
    text = content_text(messages[index].get("content"))
    if text.strip() not in said:
        found.append(("text_is_changed", f"message {index}: {text.strip()[:60]!r} became {said[:60]!r}"))
    elif (strays := stray_text(said, text, messages[:index])) is not None:
        found.append(("mask_covers_more", f"message {index}: the text of message {strays} is learned as well"))
    return found


def stray_text(said: str, text: str, others: Sequence[Message]) -> int | None:
    """The number of another message whose text stands in what is learned, beside the model's own."""
    rest = said.replace(text, "", 1)
    for index, message in enumerate(others):
        other = content_text(message.get("content")).strip()
        if len(other) > 8 and other in rest:
            return index
    return None


def common_prefix(first: Sequence[Any], second: Sequence[Any]) -> int:
    """How many leading entries are equal."""
    return next((place for place, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]),
                min(len(first), len(second)))  # fmt: skip
