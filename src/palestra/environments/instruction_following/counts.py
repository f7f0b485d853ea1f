"""Constraints on how often kinds of words, letters and punctuation marks occur."""

import re
import unicodedata

from .arguments import Count, Relation, holds
from .splitting import tokens

LOWERCASE_WORD = re.compile(r"\b[a-z]+\b")
LETTER = re.compile(r"[A-Za-z]")
COMMAS = frozenset(",،、")
"""Full-width and small forms become the ASCII one first."""


def capital_words(text: str, *, capital_frequency: Count, capital_relation: Relation) -> bool:
    """So many words are written in capitals."""
    return holds(sum(word.isupper() for word in tokens(text)), capital_relation, capital_frequency)


def lowercase_words(text: str, *, N: Count) -> bool:  # noqa: N803 - the rows' own name
    """At most so many words are written in lower case."""
    return len(LOWERCASE_WORD.findall(text)) <= N


def letters(text: str, *, N: Count, relation: Relation) -> bool:  # noqa: N803
    """There are so many letters."""
    return holds(len(LETTER.findall(text)), relation, N)


def unique_words(text: str) -> bool:
    """No word or punctuation mark occurs twice."""
    found = tokens(text)
    return len(found) == len(set(found))


def no_comma(text: str) -> bool:
    """There is no comma, in any script."""
    return COMMAS.isdisjoint(unicodedata.normalize("NFKC", text))


def no_dot(text: str) -> bool:
    """There is no dot."""
    return "." not in unicodedata.normalize("NFKC", text)


def no_exclamation(text: str) -> bool:
    """There is no exclamation mark."""
    return "!" not in unicodedata.normalize("NFKC", text)
