"""Sentences, words and paragraphs of a reply. Everything here takes time linear in the length of the text."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

ABBREVIATIONS = frozenset(
    {
        "a.m", "ave", "aug", "calif", "co", "col", "corp", "d.c", "dec", "dr", "feb", "gen", "inc", "jan", "jr", "l.a",
        "lt", "ltd", "messrs", "mr", "mrs", "ms", "n.y", "nov", "oct", "p.m", "ph.d", "prof", "rep", "sen", "sept",
        "sr", "st", "u.k", "u.n", "u.s", "v", "vs", "wash",
    }
)  # fmt: skip
"""A dot behind these ends no sentence unless what follows says so."""

WORD_RUN = re.compile(r"\w+")
STARS = re.compile(r"\s?\*\*\*\s?")
BLANK_LINE = "\n\n"

SENTENCE_END = re.compile(r"[.!?]+[\"”]?")
LAST_WORD = re.compile(r"[A-Za-z.]+\Z")
ACRONYM = re.compile(r"(?:[A-Z]\.)+[A-Z]")
TITLES = frozenset({"Mr", "St", "Mrs", "Ms", "Dr"})
COMPANY_SUFFIXES = frozenset({"Inc", "Ltd", "Jr", "Sr", "Co"})
STARTERS = re.compile(r"\s+(?:Mr|Mrs|Ms|Dr|Prof|He|She|It|They|Their|Our|We|But|However|That|This)\b")
"""Behind an acronym or a suffix they begin a new sentence."""
WEB_SUFFIX = re.compile(r"(?:com|net|org|io|gov|edu|me)\b")
LONGEST_ABBREVIATION = 24


@cache
def punkt() -> Any:
    """The Punkt algorithm with our own abbreviations: nltk's trained parameters would have to be downloaded."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(ABBREVIATIONS)
    return PunktSentenceTokenizer(parameters)


@cache
def treebank() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()


# Several constraints of a row split the same reply.
@lru_cache(maxsize=1)
def sentences(text: str) -> tuple[str, ...]:
    """By Punkt, for counting."""
    return tuple(punkt().tokenize(text))


@lru_cache(maxsize=1)
def tokens(text: str) -> tuple[str, ...]:
    """Words and punctuation marks as the Penn Treebank splits them, sentence by sentence."""
    return tuple(token for sentence in sentences(text) for token in treebank().tokenize(sentence))


def word_runs(text: str) -> list[str]:
    r"""Runs of letters, digits and underscores."""
    return WORD_RUN.findall(text)


def ruled_sentences(text: str) -> list[str]:
    """By rules, for the constraints on each sentence: a mark ends it, also where no space follows.

    The dots of titles, initials, acronyms, numbers and web addresses end none. A closing quote goes with its sentence.
    """
    flat = text.replace("\n", " ")
    found: list[str] = []
    start = 0
    for match in SENTENCE_END.finditer(flat):
        if match[0] != "." or ends_sentence(flat, match.start()):
            found.append(flat[start : match.end()].strip())
            start = match.end()
    rest = flat[start:].strip()
    return [*found, rest] if rest else found


def ends_sentence(text: str, dot: int) -> bool:
    """Whether the single dot at this place does."""
    before, after = text[max(0, dot - LONGEST_ABBREVIATION) : dot], text[dot + 1 : dot + LONGEST_ABBREVIATION]
    if (before[-1:].isdigit() and after[:1].isdigit()) or WEB_SUFFIX.match(after):
        return False
    last = LAST_WORD.search(before)
    word = last[0] if last else ""
    if word in TITLES or word == "Ph" or (len(word) == 1 and after[:1] in {"", " "}):
        return False
    if word in COMPANY_SUFFIXES or word == "Ph.D" or ACRONYM.fullmatch(word):
        return STARTERS.match(after) is not None
    return not (len(word) == 1 and re.match(r"[A-Z]\.", after))


def parts(text: str, divider: str | re.Pattern[str]) -> list[str] | None:
    """What stands between dividers, stripped. The first and last may be empty and are left out; None if another is."""
    pieces = text.split(divider) if isinstance(divider, str) else divider.split(text)
    stripped = [piece.strip() for piece in pieces]
    inner = [piece for number, piece in enumerate(stripped) if piece or 0 < number < len(stripped) - 1]
    return inner if all(inner) else None


def enclosed(text: str, opening: str, closing: str) -> Iterator[str]:
    """What stands between two marks on one line, from each first opening to the next closing mark."""
    for line in text.split("\n"):
        start = line.find(opening)
        while start >= 0:
            end = line.find(closing, start + len(opening))
            if end < 0:
                break
            yield line[start + len(opening) : end]
            start = line.find(opening, end + len(closing))
