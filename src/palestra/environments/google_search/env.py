"""Multiple-choice questions on science, with a search engine and a browser as tools."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

import palestra
from palestra import Environment, Failure, Task, Transcript, Verdict, tool
from palestra.core.transcript import is_assistant_message
from palestra.grading.choices import choices_of

from .choice import first_box, last_box
from .offline import Encyclopedia
from .pages import extracted, shortened
from .web import Engine, WebError

SEARCH_ERROR = "Error: Unexpected error - "
BROWSE_ERROR = "Error: Unexpected error = "
NO_HTML = "No HTML found"
NO_TEXT = "No text found"
SHIPPED = Path(__file__).parent / "corpus.jsonl"


class Question(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    options: list[dict[str, str | None]] = Field(default_factory=list)
    """`[{"A": text}, ...]`."""
    expected_answer: str
    """The letter of the right choice."""


class GoogleSearch(Environment[Question]):
    class Options(palestra.Options):
        backend: Literal["offline", "google"] = "offline"
        """The articles that ship here, or the web by Google's Custom Search."""
        corpus: str = "shipped"
        """Of the offline backend: `shipped`, or a JSONL file of `{"title", "text"}` and perhaps `"url"`."""
        api_key_env: str = "GOOGLE_API_KEY"
        """The environment variable that holds the key of the Custom Search API."""
        cx_env: str = "GOOGLE_CX"
        """The environment variable that holds the id of the search engine."""
        api_url: str = "https://www.googleapis.com/customsearch/v1"
        """Where the API is."""
        search_timeout_s: float = Field(default=10.0, gt=0)
        """The longest that a search may take."""
        page_timeout_s: float = Field(default=20.0, gt=0)
        """The longest that the download of a page may take, redirects included."""
        max_page_bytes: int = Field(default=5_000_000, ge=1_000)
        """What of a page is read."""
        extract_deadline_s: float = Field(default=10.0, gt=0)
        """CPU seconds for finding the text of a page."""
        allow_private_addresses: bool = False
        """Whether pages may be read from this machine and its network."""
        fail_on_search_error: bool = False
        """Whether a search that fails ends the rollout as a failure, instead of being told to the model."""
        compatible: bool = False
        """Read the choice as NeMo Gym does: from the first box, also in the reasoning."""

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Options) -> AsyncGenerator[Engine]:
        if options.backend == "offline":
            path = SHIPPED if options.corpus == "shipped" else Path(options.corpus)
            yield await asyncio.to_thread(Encyclopedia.from_file, path)
            return
        from .live import Web, limits_of

        async with Web.opened(limits_of(options)) as web:
            yield web

    def prompt(self) -> str:
        choices = choices_of(self.task.options)
        if not self.task.question or not choices:
            raise ValueError("the row has neither a question with options nor responses_create_params")
        offered = "\n".join(f"{letter}: {text}" for letter, text in choices.items())
        return (
            f"{self.task.question}\n{offered}\n\n"
            "Look up what you are not sure of with `search`, and read what it finds with `browse`, one call at a time. "
            "Then give the letter of your choice, and nothing else, inside \\boxed{}."
        )

    @tool
    async def search(self, query: str) -> dict[str, str]:
        """Search the web and return up to 10 results, each with a title, a link and a snippet.

        Args:
            query: What to search for.
        """
        try:
            return {"search_results": await self.engine.search(query)}
        except WebError as error:
            if self.options.fail_on_search_error:
                raise Failure("tool", f"the search failed: {error}", retryable=True) from error
            return {"search_results": f"{SEARCH_ERROR}{error}"}

    @tool
    async def browse(self, url: str) -> dict[str, str]:
        """Return the text of a page. Of a long page only the beginning and the end are returned.

        Args:
            url: The address of the page.
        """
        try:
            return {"page_content": await self.text_of(url)}
        except WebError as error:
            return {"page_content": f"{BROWSE_ERROR}{error}"}

    async def text_of(self, url: str) -> str:
        page = await self.engine.fetch(url)
        if not page:
            return NO_HTML
        text = page if isinstance(page, str) else await self.text_in(page)
        return shortened(text) if text and text.strip() else NO_TEXT

    async def text_in(self, page: bytes) -> str | None:
        deadline_s = self.options.extract_deadline_s
        try:
            return await self.context.grade(extracted, page, deadline_s=deadline_s)
        except TimeoutError as error:
            raise WebError(f"the text of the page was not found within {deadline_s:g} s") from error
        except Failure as failure:
            # A page may be built to take a worker down; that is no reason to lose the rollout.
            if failure.code != "worker-died":
                raise
            raise WebError("the page cannot be read") from failure

    @property
    def engine(self) -> Engine:
        return self.context.shared

    def verify(self, transcript: Transcript) -> Verdict:
        parsed = self.parsed_option(transcript)
        searches = transcript.calls_of("search")
        metrics: dict[str, Any] = {
            "parsed_option": parsed,
            "expected_answer": self.task.expected_answer,
            "searches": len(searches),
            "search_errors": sum(SEARCH_ERROR in (call.output or "") for call in searches),
            "pages": len(transcript.calls_of("browse")),
        }
        reason = None
        if parsed is None:
            reason = "the conversation does not end with a choice in a box"
        elif parsed != self.task.expected_answer:
            reason = f"the choice is {parsed[:40]!r}, not {self.task.expected_answer!r}"
        return Verdict(float(parsed == self.task.expected_answer), metrics=metrics, reason=reason)

    def parsed_option(self, transcript: Transcript) -> str | None:
        """The choice of the message that ends the conversation."""
        last = transcript.output[-1] if transcript.output else {}
        if not is_assistant_message(last):
            return None
        return first_box(last.get("content")) if self.options.compatible else last_box(last)
