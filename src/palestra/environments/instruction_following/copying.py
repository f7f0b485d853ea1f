"""Constraints that ask for a given text again."""

from typing import Annotated

from pydantic import Field

from .arguments import Count, Text
from .lengths import RESPONSES
from .splitting import enclosed

Phrase = Annotated[str, Field(pattern=r"\S\s+\S")]
"""Two words or more."""


def plain(text: str) -> str:
    return text.strip().lower()


def copy(text: str, *, prompt_to_repeat: Text) -> bool:
    """The reply is the text, ignoring case and space around it."""
    return plain(text) == plain(prompt_to_repeat)


def copy_many(text: str, *, prompt_to_repeat: Text, N: Count) -> bool:  # noqa: N803 - the rows' own name
    """The reply is the text so many times, divided by `******`."""
    copies = text.split(RESPONSES)
    return len(copies) == N and all(copy(each, prompt_to_repeat=prompt_to_repeat) for each in copies)


def copy_span(text: str, *, prompt_to_repeat: Text, n_start: Count, n_end: Count) -> bool:
    """The reply is the text's characters from one position to another."""
    return plain(text) == plain(prompt_to_repeat[n_start:n_end])


def repeat_prompt(text: str, *, prompt_to_repeat: Text) -> bool:
    """The reply begins with the text, ignoring case, and an answer follows."""
    wanted = plain(prompt_to_repeat)
    return plain(text).startswith(wanted) and bool(plain(text)[len(wanted) :].strip())


def repeat_phrase(text: str, *, phrase: Phrase, small_n: Count) -> bool:
    """The phrase occurs so many times with at most one word changed each, and with one changed the last time."""
    words = phrase.split()
    spans = [[words[0], *between.split(), words[-1]] for between in enclosed(text, words[0], words[-1])]
    if len(spans) != small_n or not spans or any(len(span) != len(words) for span in spans):
        return False
    changed = [sum(mine != theirs for mine, theirs in zip(span, words, strict=True)) for span in spans]
    return max(changed) <= 1 and changed[-1] == 1
