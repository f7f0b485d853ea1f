"""Constraints on how a reply, or each of its sentences, begins and ends."""

import re

from .arguments import Text
from .splitting import ruled_sentences

PUNCTUATION = re.compile(r"[^\w\s]")


def first_of(text: str) -> str | None:
    words = text.split()
    return words[0].lower() if words else None


def last_of(text: str) -> str | None:
    words = text.split()
    return PUNCTUATION.sub("", words[-1]).lower() if words else None


def first_word_of_answer(text: str, *, first_word: Text) -> bool:
    """The reply begins with the word."""
    return first_of(text) == first_word.lower()


def last_word_of_answer(text: str, *, last_word: Text) -> bool:
    """The reply ends with the word; punctuation marks do not count."""
    return last_of(text) == last_word.lower()


def first_word_of_sentences(text: str, *, first_word: Text) -> bool:
    """Each sentence begins with the word."""
    return all(first_of(sentence) == first_word.lower() for sentence in ruled_sentences(text))


def last_word_of_sentences(text: str, *, last_word: Text) -> bool:
    """Each sentence ends with the word; punctuation marks do not count."""
    return all(last_of(sentence) == last_word.lower() for sentence in ruled_sentences(text))


def end_phrase(text: str, *, end_phrase: Text) -> bool:
    """The reply ends with the phrase, ignoring case, quotes and space around it."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """The reply stands in double quotes."""
    stripped = text.strip()
    return len(stripped) > 1 and stripped[0] == stripped[-1] == '"'
