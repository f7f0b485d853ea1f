"""Search by words: the BM25 ranking over a small corpus held in memory.

Formula: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with the inverse
document frequency log(1 + (n - df + 0.5) / (df + 0.5)), which is never negative.
"""

import heapq
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

WORD = re.compile(r"[^\W_]+")
MAX_QUERY_WORDS = 64
"""Further words of a query do not count: a query may be as long as a reply."""
MAX_QUERY_CHARACTERS = 2_000


class Hit(NamedTuple):
    """One document that was found."""

    place: int
    """Its number in the corpus, from 0."""
    score: float


def words_of(text: str) -> list[str]:
    """The words of a text in lower case without accents, plurals in -s as singulars."""
    return [singular(word) for word in WORD.findall(without_accents(text).casefold())]


def without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Index:
    """BM25 over documents; built once, in time linear in their length, and never changed."""

    def __init__(self, documents: Sequence[str], *, k1: float = 1.2, b: float = 0.75) -> None:
        """`k1` bounds what repeating a word earns, `b` in [0, 1] is how much long documents are held back."""
        counts = [Counter(words_of(document)) for document in documents]
        mean = sum(sum(count.values()) for count in counts) / max(len(counts), 1) or 1.0
        self.postings: dict[str, list[tuple[int, float]]] = {}
        for place, count in enumerate(counts):
            held_back = k1 * (1 - b + b * sum(count.values()) / mean)
            for word, times in count.items():
                weight = times * (k1 + 1) / (times + held_back)
                self.postings.setdefault(word, []).append((place, weight))
        self.size = len(counts)

    def rarity(self, word: str) -> float:
        found = len(self.postings.get(word, ()))
        return math.log(1 + (self.size - found + 0.5) / (found + 0.5))

    def search(self, query: str, limit: int) -> list[Hit]:
        """The `limit` best documents that share a word with the query, best first; of equals the earlier one first."""
        words = list(dict.fromkeys(words_of(query[:MAX_QUERY_CHARACTERS])))[:MAX_QUERY_WORDS]
        scores: dict[int, float] = {}
        for word in words:
            rarity = self.rarity(word)
            for place, weight in self.postings.get(word, ()):
                scores[place] = scores.get(place, 0.0) + rarity * weight
        best = heapq.nsmallest(limit, scores.items(), key=lambda entry: (-entry[1], entry[0]))
        return [Hit(place, score) for place, score in best]
