r"""Reading the boxed answer of a conversation and comparing it with the right one."""

import json
import math
import re
from decimal import Decimal

from palestra.core.transcript import Transcript, is_assistant_message, item_text, output_text
from palestra.grading.answers import last_boxed, without_reasoning

TOLERANCE = 1e-6
"""Of a number that is not whole, as a share of the right one, or absolute below 1."""
DELIMITERS = (re.compile(r"\\\((.*)\\\)", re.DOTALL), re.compile(r"\$(.*)\$", re.DOTALL))
TEXT = re.compile(r"\\text\{([^{}]*)\}")
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


def answer_of(transcript: Transcript, *, compatible: bool) -> str | None:
    """The last box of the last message that has one; without one in any message, of what tools printed last."""
    for item in reversed(transcript.output):
        if is_assistant_message(item):
            text = item_text(item)
            found = last_boxed(text if compatible else without_reasoning(text))
            if found is not None and found.strip():
                return found.strip()
    for item in reversed(transcript.output):
        if item.get("type") == "function_call_output":
            found = last_boxed(printed(output_text(item)))
            if found is not None and found.strip():
                return found.strip()
    return None


def printed(output: str) -> str:
    """The `stdout` of a tool's answer."""
    try:
        told = json.loads(output)
    except (ValueError, RecursionError):
        return ""
    text = told.get("stdout") if isinstance(told, dict) else None
    return text if isinstance(text, str) else ""


def normalised(text: str) -> str:
    r"""Without one pair of `\( \)` or `$ $` around it, without `\text{}`, spaces collapsed."""
    text = text.strip()
    for pattern in DELIMITERS:
        found = pattern.fullmatch(text)
        text = found[1].strip() if found else text
    return " ".join(TEXT.sub(r"\1", text).split())


def is_same(answer: str | None, expected: str, *, compatible: bool) -> bool:
    """Whether an answer says what is expected: the same text, or the same number.

    What is expected as a whole number must be met exactly, unless `compatible`.
    """
    if answer is None:
        return False
    ours, theirs = normalised(answer), normalised(expected)
    if ours == theirs:
        return bool(ours)
    if compatible:
        return is_close(ours, theirs)
    if not (NUMBER.fullmatch(ours) and NUMBER.fullmatch(theirs)):
        return False
    is_whole = theirs.lstrip("+-").isdigit()
    return Decimal(ours) == Decimal(theirs) if is_whole else is_close(ours, theirs)


def is_close(answer: str, expected: str) -> bool:
    try:
        number, right = float(answer), float(expected)
    except ValueError:
        return False
    return math.isfinite(number) and abs(number - right) <= TOLERANCE * max(1.0, abs(right))
