"""Test questions among training rows: the same words in the same order, whatever case, punctuation and blanks.

Texts are compared as words without case and punctuation. A row holds a question if it holds all its words in a row
(`exact` if it holds nothing else, `contained` otherwise; questions of fewer than 5 words must be all of a message), or
at least 80 % of its runs of 13 words (`overlap`; Brown et al. 2020 take one such run, which instructions and shared
stories have as well). Runs that most questions of a file have are instructions, and count for none.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from palestra.core.errors import PalestraError
from palestra.data.index.shapes import RowReader
from palestra.data.load import rows_of_file
from palestra.data.texts import Texts, texts_of

GRAM_WORDS = 13
MIN_OVERLAP = 0.8
FEWEST_WORDS = 5
"""Shorter questions occur in other texts by chance."""
COMMON_SHARE = 0.5
"""A run of words that more than this share of a file's questions have is an instruction."""
FEWEST_FOR_COMMON = 10
"""Questions a file must have before runs of words count as its instructions."""
BASE = np.uint64(0x9E3779B97F4A7C15)
EXCERPT_CHARS = 400
QUESTION_FIELDS = (
    "question",
    "problem",
    "prompt",
    "query",
    "instruction",
    "text",
    "input",
    "task",
    "problem_statement",
)
WORD = re.compile(r"[^\W_]+")
ASCII_WORDS = bytes(byte if chr(byte).isascii() and chr(byte).isalnum() else 32 for byte in range(256)).lower()
"""What is left of ASCII without case and punctuation."""
SCREEN_BITS = 20

Kind: TypeAlias = Literal["exact", "contained", "overlap"]
Hashes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"


def words_of(text: str) -> list[str]:
    if text.isascii():
        return text.encode().translate(ASCII_WORDS).decode().split()
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True)
class Question:
    """One text of a benchmark."""

    where: str
    text: str
    words: tuple[int, ...]
    """Numbers of its words."""
    grams: frozenset[int]
    """Hashes of its runs of 13 words; of all its words if it has fewer."""


@dataclass(frozen=True, slots=True)
class Match:
    """A question that a row holds."""

    row: str
    question: Question
    kind: Kind
    overlap: float
    """The share of the question's runs of words that the row has."""
    text: str
    """The row's text from where the question begins."""

    def to_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "question": self.question.where,
            "kind": self.kind,
            "overlap": round(self.overlap, 4),
            "row_text": self.text,
            "question_text": self.question.text[:EXCERPT_CHARS],
        }


class Benchmark:
    """Questions that training rows must not hold."""

    def __init__(self, texts: Iterable[tuple[str, str]], min_overlap: float = MIN_OVERLAP) -> None:
        self.min_overlap = min_overlap
        self.numbers: dict[str, int] = {}
        """A number for each word of the questions, from 1; other words are 0."""
        self.questions = [question for where, text in texts if (question := self.question(where, text)).words]
        common = self.common()
        self.by_gram: dict[int, list[int]] = {}
        self.wanted: list[int] = []
        """How many of its runs decide of each question."""
        for place, question in enumerate(self.questions):
            grams = question.grams - common or question.grams
            self.wanted.append(len(grams))
            for gram in grams:
                self.by_gram.setdefault(gram, []).append(place)
        self.grams: dict[int, Hashes] = {}
        """The sorted hashes by how many words they are of."""
        for length in {min(GRAM_WORDS, len(question.words)) for question in self.questions}:
            found = {
                gram for question in self.questions if min(GRAM_WORDS, len(question.words)) == length
                for gram in question.grams if gram in self.by_gram
            }  # fmt: skip
            self.grams[length] = np.array(sorted(found), np.uint64)
        self.screens = {length: screen_of(known) for length, known in self.grams.items()}

    def question(self, where: str, text: str) -> Question:
        words = tuple(self.numbers.setdefault(word, len(self.numbers) + 1) for word in words_of(text))
        length = min(GRAM_WORDS, len(words))
        grams = frozenset(gram_hashes(np.array(words, np.uint64), length).tolist()) if words else frozenset[int]()
        return Question(where, text, words, grams)

    def common(self) -> set[int]:
        if len(self.questions) < FEWEST_FOR_COMMON:
            return set()
        counts = Counter(gram for question in self.questions for gram in question.grams)
        return {gram for gram, count in counts.items() if count > COMMON_SHARE * len(self.questions)}

    def suspicious(self, rows: Iterable[Iterable[str]]) -> list[int]:
        """Which rows, given by their texts, may hold a question: a quick look at many of them, which misses none."""
        numbers: list[int] = []
        ends: list[int] = []
        number_of = self.numbers.get
        for texts in rows:
            for text in texts:
                numbers += [number_of(word, 0) for word in words_of(text)]
                # No question has this word, so that no run of words goes from one text to the next.
                numbers.append(0)
            ends.append(len(numbers))
        found = set[int]()
        for length, known in self.grams.items():
            hashes = gram_hashes(np.array(numbers, np.uint64), length)
            places = np.flatnonzero(self.screens[length][hashes >> np.uint64(64 - SCREEN_BITS)])
            hits = places[is_among(hashes[places], known)]
            found.update(np.searchsorted(ends, hits, side="right").tolist())
        return sorted(found)

    def matches(self, row: str, texts: Sequence[str]) -> list[Match]:
        """The questions that a row's messages hold, in the order of the benchmark; each once, by its best match."""
        best: dict[int, Match] = {}
        for text in texts:
            numbers = self.numbered(text)
            for place in self.candidates(numbers):
                match = self.match(row, self.questions[place], place, text, numbers)
                if match is not None and (place not in best or match.overlap > best[place].overlap):
                    best[place] = match
        return [best[place] for place in sorted(best)]

    def numbered(self, text: str) -> Hashes:
        """The words of a text by their numbers."""
        return np.array([self.numbers.get(word, 0) for word in words_of(text)], np.uint64)

    def candidates(self, numbers: Hashes) -> list[int]:
        found: set[int] = set()
        for length, known in self.grams.items():
            hashes = gram_hashes(numbers, length)
            if len(hashes):
                hits = hashes[is_among(hashes, known)]
                found.update(place for gram in set(hits.tolist()) for place in self.by_gram[gram])
        return sorted(found)

    def match(self, row: str, question: Question, place: int, text: str, numbers: Hashes) -> Match | None:
        wanted = np.array(question.words, np.uint64)
        start = place_of(wanted, numbers)
        if start is not None:
            is_all = len(wanted) == len(numbers)
            if not is_all and len(wanted) < FEWEST_WORDS:
                return None
            return Match(row, question, "exact" if is_all else "contained", 1.0, excerpt(text, start))
        hashes = gram_hashes(numbers, min(GRAM_WORDS, len(wanted)))
        had = {gram for gram in set(hashes.tolist()) & question.grams if place in self.by_gram.get(gram, ())}
        overlap = len(had) / self.wanted[place]
        if len(wanted) <= GRAM_WORDS or overlap < self.min_overlap:
            return None
        first = next(index for index, gram in enumerate(hashes.tolist()) if gram in had)
        return Match(row, question, "overlap", overlap, excerpt(text, first))


def gram_hashes(numbers: Hashes, length: int) -> Hashes:
    """The hashes of all runs of `length` words, as polynomials modulo 2^64."""
    if len(numbers) < length:
        return np.zeros(0, np.uint64)
    count = len(numbers) - length + 1
    hashes = np.full(count, length, np.uint64)
    for offset in range(length):
        hashes = hashes * BASE + numbers[offset : offset + count]
        hashes ^= hashes >> np.uint64(31)
    return hashes


def is_among(values: Hashes, known: Hashes) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    places = np.searchsorted(known, values)
    return known[np.minimum(places, len(known) - 1)] == values


def screen_of(known: Hashes) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Whether some hash begins with so many bits, for each of their values: most others are told apart by it."""
    screen = np.zeros(1 << SCREEN_BITS, np.bool_)
    screen[known >> np.uint64(64 - SCREEN_BITS)] = True
    return screen


def place_of(wanted: Hashes, numbers: Hashes) -> int | None:
    """Where all the wanted words stand in a row, or None."""
    count = len(numbers) - len(wanted) + 1
    if count < 1:
        return None
    starts = np.flatnonzero(numbers[:count] == wanted[0])
    return next((int(start) for start in starts if np.array_equal(numbers[start : start + len(wanted)], wanted)), None)


def excerpt(text: str, word: int) -> str:
    """The text from its n-th word on."""
    normal = unicodedata.normalize("NFKC", text)
    found = next((match for index, match in enumerate(WORD.finditer(normal)) if index == word), None)
    start = found.start() if found else 0
    return normal[start : start + EXCERPT_CHARS]


def texts_of_row(line: bytes, reader: RowReader) -> list[str]:
    """The texts of a row of any shape: messages, prompt and what was written, else every text in it."""
    known = read_texts(line, reader)
    if known is None:
        return texts_of_line(line)
    return [text for text in (*known.prompt.split("\n\n"), known.prompt, known.written) if text]


def whole_texts_of_row(line: bytes, reader: RowReader) -> list[str]:
    """`texts_of_row` without those that are a part of another."""
    known = read_texts(line, reader)
    return texts_of_line(line) if known is None else [known.prompt, known.written]


def read_texts(line: bytes, reader: RowReader) -> Texts | None:
    """The texts of a rollout or task row; None if it is neither."""
    try:
        known = texts_of(line, reader)
    except ValueError:
        return None
    return known if known.prompt or known.written else None


def texts_of_line(line: bytes) -> list[str]:
    """Every text in a line."""
    try:
        return list(every_text(json.loads(line)))
    except (ValueError, RecursionError):
        return [line.decode("utf-8", "replace")]


def every_text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from every_text(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from every_text(entry)


def questions_of(path: Path, field: str | None) -> Iterator[tuple[str, str]]:
    """The questions of a JSONL file, with where each stands. Raises PalestraError naming a row that has none."""
    reader = RowReader()
    for row in rows_of_file(path):
        if row.problem is not None:
            raise PalestraError("invalid-row", row.problem)
        yield row.origin, question_of(row.content, row.origin, field, reader)


def question_of(content: Mapping[str, Any], origin: str, field: str | None, reader: RowReader) -> str:
    if field is None and "responses_create_params" in content:
        prompt = texts_of(json.dumps(content).encode(), reader).prompt
        if prompt:
            return prompt
    for name in QUESTION_FIELDS if field is None else (field,):
        if isinstance(content.get(name), str) and content[name].strip():
            return content[name]
    known = ", ".join(name for name, value in content.items() if isinstance(value, str))
    message = f"{origin} has no text {field or 'of a question'}; its texts are: {known or 'none'}"
    raise PalestraError("invalid-row", message, fix="Name the field of the question with --field.")
