"""A conversation as the token ids the model reads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jinja2.sandbox import ImmutableSandboxedEnvironment

from palestra.core.errors import Failure
from palestra.core.model import Item, TokenTrace
from palestra.models.embedded.tokenizer import Tokenizer

MARK = re.compile("\ue000(\\d+)\ue001")
"""Stands for a message's text while the template is rendered, so that the text cannot pass for the template's own."""
TEXT_PARTS = frozenset({"input_text", "output_text", "text"})
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}.items()


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    text: str


class Chat:
    """Renders conversations with the chat template of the weights."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.tokenizer = Tokenizer(metadata)
        self._most_characters = metadata["llama.context_length"] * self.tokenizer.longest
        environment = ImmutableSandboxedEnvironment(keep_trailing_newline=True)
        self._template = environment.from_string(metadata["tokenizer.chat_template"])
        controls = sorted(self.tokenizer.control, key=len, reverse=True)
        self._controls = re.compile("(" + "|".join(map(re.escape, controls)) + ")")

    def prompt(self, items: Sequence[Item], trace: TokenTrace | None) -> list[int]:
        """Token ids of the conversation, up to where the assistant speaks.

        With a trace: its ids, and what the template renders after the last assistant message.
        Raises Failure for what it cannot read, and for a text so long that no tokens of it could fit.
        """
        messages = conversation(items)
        spoken = [index for index, message in enumerate(messages) if message.role == "assistant"]
        if trace is None or not trace.ids or not spoken:
            return self._encoded(messages, after=None)
        read = self._encoded(messages, after=spoken[-1])
        closed = trace.ids[-1] == read[0] == self.tokenizer.turn_end
        return [*trace.ids, *(read[1:] if closed else read)]

    def _encoded(self, messages: Sequence[Message], *, after: int | None) -> list[int]:
        read = messages if after is None else messages[after + 1 :]
        if (characters := sum(len(message.text) for message in read)) > self._most_characters:
            # Encoding such a text would hold up everything else for seconds.
            message = f"{characters} characters are more than the maximum context length can hold."
            raise Failure("limit", message, code="context-overflow")
        marked = [{"role": message.role, "content": f"\ue000{index}\ue001"} for index, message in enumerate(messages)]
        rendered = self._template.render(messages=marked, add_generation_prompt=True)
        if after is not None:
            rendered = rendered.split(f"\ue000{after}\ue001", 1)[1]
        return self._ids(rendered, messages)

    def _ids(self, rendered: str, messages: Sequence[Message]) -> list[int]:
        """Control tokens are looked for before the messages' text is put in; the text between two is encoded whole."""
        ids: list[int] = []
        for index, piece in enumerate(self._controls.split(rendered)):
            if index % 2:
                ids.append(self.tokenizer.control[piece])
            elif piece:
                text = MARK.sub(lambda mark: messages[int(mark[1])].text, piece)
                ids.extend(self.tokenizer.encode(text))
        return ids


def conversation(items: Sequence[Item]) -> list[Message]:
    """The messages among `items`; system messages at the start become one, separated by a blank line."""
    messages = [message(item) for item in items if item.get("type") != "reasoning"]
    leading = next((index for index, each in enumerate(messages) if each.role != "system"), len(messages))
    if leading < 2:
        return messages
    system = Message("system", "\n\n".join(each.text for each in messages[:leading]))
    return [system, *messages[leading:]]


def message(item: Item) -> Message:
    kind = item.get("type", "message")
    if kind in ("function_call", "function_call_output"):
        raise Failure(
            "model",
            f"The conversation holds a {kind}, which the embedded model cannot read.",
            code="model-without-tools",
        )
    role = dict(ROLES).get(item.get("role", ""))
    if kind != "message" or role is None:
        raise rejected(f"an item of type {kind!r} with role {item.get('role')!r}")
    return Message(role, text_of(item.get("content")))


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise rejected(f"message content of type {type(content).__name__}")
    return "".join(map(part_text, cast("list[Any]", content)))


def part_text(part: Any) -> str:
    fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {"type": type(part).__name__}
    kind, text = fields.get("type"), fields.get("text")
    if kind not in TEXT_PARTS or not isinstance(text, str):
        raise rejected(f"a content part of type {kind!r}")
    return text


def rejected(what: str) -> Failure:
    return Failure("model", f"The embedded model reads text messages, not {what}.", code="model-rejected-request")
