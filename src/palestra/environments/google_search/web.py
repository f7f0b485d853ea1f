"""What searches and reads pages, whether from a file or from the web."""

from typing import Protocol


class WebError(Exception):
    """A search or a page that failed; the text is for the model."""


class Engine(Protocol):
    """A search engine, and the pages it finds. Lent to all episodes of a host."""

    async def search(self, query: str) -> str:
        """The results as JSON text in the form of Google's Custom Search. Raises WebError."""
        ...

    async def fetch(self, url: str) -> bytes | str | None:
        """A page as HTML, or as text where it is known; None if there is none. Raises WebError."""
        ...
