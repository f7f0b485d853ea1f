"""The text of a web page. `extracted` runs in a grading worker: a page may be built to be slow."""

MANY_WORDS = 10_000
KEPT_CHARACTERS = 5_000


def preload() -> None:
    """Load what extracting needs before its clock starts."""
    import trafilatura  # noqa: F401 - loading it is the point


def extracted(page: bytes) -> str | None:
    """The main text of an HTML page, without menus and advertisements; None if there is none."""
    import trafilatura

    return trafilatura.extract(page)


def shortened(text: str) -> str:
    """Of a text with more than 10,000 words, the first and the last 5,000 characters."""
    if len(text.split(maxsplit=MANY_WORDS)) <= MANY_WORDS:
        return text
    return f"{text[:KEPT_CHARACTERS]}...{text[-KEPT_CHARACTERS:]}"
