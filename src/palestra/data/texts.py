"""The texts of a row, for what compares or shows them: prompt, what the model wrote, and its last answer."""

from typing import NamedTuple

from palestra.data.index.extract import content_text
from palestra.data.index.shapes import Item, RowReader, input_of


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
    params, response = row.params, row.response
    asked = input_of(params.input) if params else []
    prompts = [params.instructions or ""] if params else []
    prompts += [asked] if isinstance(asked, str) else [content_text(item.content) for item in asked]
    items = response.output or [] if response else []
    written = [content_text(item.content) or content_text(item.summary) for item in items if is_written(item)]
    answers = [item for item in items if item.role == "assistant" and item.type in ("message", None)]
    answer = content_text(answers[-1].content) if answers else ""
    return Texts("\n\n".join(filter(None, prompts)), "\n".join(written), answer)


def is_written(item: Item) -> bool:
    """Whether the item is text of the model: a message or reasoning."""
    if item.type in ("message", None):
        return item.role == "assistant"
    return item.type != "function_call" and not item.type.endswith("_output")
