"""Reading which choice the last message boxes."""

from typing import Any

from palestra.core.model import Item
from palestra.core.transcript import item_text
from palestra.grading.answers import last_boxed, without_reasoning

BOX = "\\boxed{"


def last_box(message: Item) -> str | None:
    """What stands in the last box after the reasoning. A letter counts only if it stands there alone."""
    content = last_boxed(without_reasoning(item_text(message)))
    return None if content is None else content.strip()


def first_box(content: Any) -> str | None:
    """What NeMo Gym reads: the first box up to its first closing brace, in Python's notation of the content's parts.

    In that notation backslashes are doubled and a text is one line. Linear in the length.
    """
    if isinstance(content, str):
        written = content
    else:
        parts = [part for part in content or () if isinstance(part, dict)]
        written = ", ".join(repr(part.get("text", "")) for part in parts)
    for line in written.split("\n"):
        start = line.find(BOX)
        end = line.find("}", start) if start >= 0 else -1
        if end >= 0:
            return line[start + len(BOX) : end]
    return None
