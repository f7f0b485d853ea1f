"""Comparing a submitted answer with the right one."""

from palestra.grading.numbers import exact, only_number

QUOTES = " .\"'`*"
"""What may stand around a name without being part of it."""


def is_right(answer: str, expected: str, kind: str, tolerance: float) -> bool:
    """Whether an answer is the expected one: exactly one number at most `tolerance` off, or the same text."""
    if kind == "text":
        return plain(answer) == plain(expected)
    found, wanted = only_number(answer), exact(expected)
    if wanted is None:
        raise ValueError(f"expected_answer must be a number, got {expected!r}")
    return found is not None and abs(found - wanted) <= (exact(tolerance) or 0)


def plain(text: str) -> str:
    """A text without regard to case, blanks, and the quotes or the dot around it."""
    return " ".join(text.casefold().split()).strip(QUOTES)
