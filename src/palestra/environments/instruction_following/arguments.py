"""Types of the keyword arguments that rows give to constraints. Their bounds are what a row is checked against."""

import re
from typing import Annotated, Literal

from pydantic import Field

Relation = Literal["less than", "at least"]
"""`less than` is strict."""
Count = Annotated[int, Field(ge=0)]
Position = Annotated[int, Field(ge=1)]
"""Counts from 1."""
Text = Annotated[str, Field(min_length=1)]
Letter = Annotated[str, Field(min_length=1, max_length=1)]
"""Any single character."""


def holds(count: int, relation: Relation, bound: int) -> bool:
    return count < bound if relation == "less than" else count >= bound


WHOLE_WORD = r"\b{}\b"


def pattern_of(keyword: str, form: str = "{}", flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """A keyword of a row as a regular expression; one that is none, such as `(`, is taken literally."""
    try:
        return re.compile(form.format(keyword), flags)
    except (re.error, OverflowError, RecursionError):
        # A boundary beside a mark would demand a letter next to it.
        return re.compile(form.replace(r"\b", "").format(re.escape(keyword)), flags)


def occurrences(keyword: str, text: str) -> int:
    return sum(1 for _ in pattern_of(keyword).finditer(text))
