"""Searching built documentation as its search page does: the index of Sphinx, the weights of its searchtools.js."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx.search.en import SearchEnglish

TITLE, PARTLY_TITLE, TERM, PARTLY_TERM = 15, 7, 5, 2
WHOLE_TITLE_MATCH = 100
MIN_PARTLY_LENGTH = 3


@dataclass(frozen=True, slots=True)
class SiteSearch:
    """The index of one build."""

    index: dict[str, Any]

    @classmethod
    def from_file(cls, path: Path) -> "SiteSearch":
        text = path.read_text(encoding="utf-8")
        return cls(json.loads(text[text.index("(") + 1 : text.rindex(")")]))

    def find(self, phrase: str) -> list[str]:
        """The pages that hold all words of a phrase, best first."""
        language = SearchEnglish({})
        words = [word for word in language.split(phrase.lower()) if language.word_filter(word)]
        scores: dict[int, float] = defaultdict(float)
        held: dict[int, set[str]] = defaultdict(set)
        for word in words:
            for document, score in self.scores(language.stem(word)).items():
                scores[document] = max(scores[document], score)
                held[document].add(word)
        found = {document: scores[document] for document in scores if len(held[document]) == len(set(words))}
        for document, score in self.titles(phrase.lower()).items():
            found[document] = max(found.get(document, 0.0), score)
        names = self.index["docnames"]
        return [names[document] for document in sorted(found, key=lambda document: (-found[document], names[document]))]

    def scores(self, stem: str) -> dict[int, float]:
        """What each page scores for one word: its best place."""
        best: dict[int, float] = defaultdict(float)
        for field, whole, partly in (("titleterms", TITLE, PARTLY_TITLE), ("terms", TERM, PARTLY_TERM)):
            for term, documents in self.index[field].items():
                if term != stem and (len(stem) < MIN_PARTLY_LENGTH or stem not in term):
                    continue
                for document in documents if isinstance(documents, list) else [documents]:
                    best[document] = max(best[document], whole if term == stem else partly)
        return best

    def titles(self, phrase: str) -> dict[int, float]:
        """Pages with a heading that holds the phrase; the larger its share, the better."""
        found: dict[int, float] = {}
        for title, places in self.index["alltitles"].items():
            if phrase in title.lower() and len(phrase) >= len(title) / 2:
                score = WHOLE_TITLE_MATCH * len(phrase) / len(title)
                for document, anchor in places:
                    # The title of the page itself counts a little more than one of its headings.
                    found[document] = max(found.get(document, 0.0), score + (anchor is None))
        return found
