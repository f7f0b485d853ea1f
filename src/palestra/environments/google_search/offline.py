"""A search engine over a file of articles, for runs without a network and without a key."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag

from palestra.core.errors import PalestraError, describe
from palestra.grading.bm25 import Index, words_of

SITE = "https://encyclopedia.example/wiki/"
"""Where articles without an address of their own are: no such site exists."""
RESULTS = 10
SNIPPET_CHARACTERS = 200
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Article:
    """One page of the encyclopedia."""

    title: str
    text: str
    url: str


class Encyclopedia:
    """Articles, found by their words and read by their address."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self.articles = articles
        self.by_url = {plain(article.url): article for article in articles}
        # A title counts twice: it says what its article is about.
        self.index = Index([f"{article.title} {article.title} {article.text}" for article in articles])

    @classmethod
    def from_file(cls, path: Path) -> "Encyclopedia":
        """The articles of a JSONL file. Raises PalestraError if it cannot be used."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return cls([article_of(json.loads(line)) for line in lines if line.strip()])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"the corpus {path} cannot be used: {describe(error)}"
            fix = 'Name a JSONL file of {"title": ..., "text": ...}, or "shipped".'
            raise PalestraError("invalid-option", message, fix=fix) from error

    async def search(self, query: str) -> str:
        hits = self.index.search(query, RESULTS)
        words = set(words_of(query[:2_000]))
        items = [self.item(self.articles[hit.place], words) for hit in hits]
        return json.dumps({"kind": "customsearch#search", "items": items})

    def item(self, article: Article, words: set[str]) -> dict[str, str]:
        return {
            "kind": "customsearch#result",
            "title": article.title,
            "link": article.url,
            "snippet": snippet(article.text, words),
        }

    async def fetch(self, url: str) -> str | None:
        article = self.by_url.get(plain(url))
        return f"{article.title}\n{article.text}" if article else None


def article_of(row: dict[str, str]) -> Article:
    title = str(row["title"])
    return Article(title, str(row["text"]), row.get("url") or SITE + quote(title.replace(" ", "_")))


def plain(url: str) -> str:
    """An address as it is compared: without the fragment, unquoted, spaces as underscores."""
    return unquote(urldefrag(url.strip()).url).replace(" ", "_").rstrip("/").casefold()


def snippet(text: str, words: set[str]) -> str:
    """The sentence that shares most words with the query, the first of equals."""
    best = max(SENTENCE_END.split(text), key=lambda sentence: len(words.intersection(words_of(sentence))))
    return best if len(best) <= SNIPPET_CHARACTERS else f"{best[:SNIPPET_CHARACTERS].rstrip()} ..."
