"""The texts of a row, for what compares or shows them: prompt, what the model wrote, and its last answer."""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from palestra.data.index.extract import content_text
from palestra.data.index.shapes import UNREADABLE, Item, Params, RowReader, input_of
from palestra.data.index.shapes import Part as ContentPart
from palestra.wire.rows import PARAMS

Part: TypeAlias = Literal["answer", "written", "prompt"]


class Texts(NamedTuple):
    """The texts of one row."""

    prompt: str
    """Instructions and input, a blank line between messages."""
    written: str
    """All that the model wrote as text: reasoning and messages."""
    answer: str
    """The last assistant message."""


def texts_of(line: bytes, reader: RowReader | None = None) -> Texts:
    """The texts of a row; empty where it has none. A `reader` that is kept makes it quicker. Raises ValueError."""
    row, _ = (reader or RowReader()).read(line)
    response = row.response
    items = response.output or [] if response else []
    written = [content_text(item.content) or content_text(item.summary) for item in items if is_written(item)]
    answers = [item for item in items if item.role == "assistant" and item.type in ("message", None)]
    answer = content_text(answers[-1].content) if answers else ""
    return Texts(prompt_of(row.params), "\n".join(written), answer)


def prompt_of(params: Params | None) -> str:
    """Instructions and input, a blank line between messages."""
    if params is None:
        return ""
    asked = input_of(params.input)
    said = [asked] if isinstance(asked, str) else [content_text(item.content) for item in asked]
    return "\n\n".join(filter(None, [params.instructions or "", *said]))


class Unread(msgspec.Struct, gc=False):
    """An item of which nothing is read that is not asked for."""

    type: str | None = None
    role: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")
    summary: msgspec.Raw = msgspec.Raw(b"null")


class UnreadResponse(msgspec.Struct, gc=False):
    """`response`."""

    output: list[Unread] | None = None


class UnreadRow(msgspec.Struct, gc=False):
    """One line."""

    response: UnreadResponse | None = None


class AskedRow(msgspec.Struct, gc=False):
    """One line, of which the prompt is read."""

    params: Params | None = msgspec.field(default=None, name=PARAMS)


ASKED = msgspec.json.Decoder(AskedRow)
SAID = msgspec.json.Decoder(UnreadRow)
CONTENT = msgspec.json.Decoder(str | list[ContentPart | str] | None)
SUMMARY = msgspec.json.Decoder(list[ContentPart | str] | None)


def text_of_part(line: bytes, part: Part) -> str:
    """One of the texts of `texts_of`, without reading what it does not need. Raises ValueError."""
    try:
        if part == "prompt":
            return prompt_of(ASKED.decode(line).params)
        response = SAID.decode(line).response
        items = response.output or [] if response else []
        if part == "answer":
            answers = (item for item in reversed(items) if item.role == "assistant" and item.type in ("message", None))
            last = next(answers, None)
            return content_text(CONTENT.decode(last.content)) if last else ""
        written = [item for item in items if is_written(item)]
        return "\n".join(
            content_text(CONTENT.decode(item.content)) or content_text(SUMMARY.decode(item.summary)) for item in written
        )
    except UNREADABLE:
        # Something is laid out in its own way.
        return getattr(texts_of(line), part)


def is_written(item: Item | Unread) -> bool:
    """Whether the item is text of the model: a message or reasoning."""
    if item.type in ("message", None):
        return item.role == "assistant"
    return item.type != "function_call" and not item.type.endswith("_output")
