"""Comparing what a page shows with what a command printed: times and versions differ from run to run."""

import re

from palestra import __version__

TIMES = (
    (re.compile(r"\bin \d+:\d\d(:\d\d)?\b"), "in TIME"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|min|h)\b"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?)?\b"), "DATE"),
    (re.compile(r"(?<=/s )\|.*|\b\d+(\.\d+)? (rollouts|tokens)/s"), "RATE"),
    (re.compile(rf"\b{re.escape(__version__)}\b"), "VERSION"),
)
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


def normalised(text: str, *, only_shape: bool) -> list[str]:
    """The lines of an output without what varies; `only_shape` takes all numbers for equal."""
    for pattern, word in TIMES:
        text = pattern.sub(word, text)
    if only_shape:
        text = re.sub(r" {2,}", "  ", NUMBER.sub("N", text))
    return [line.rstrip() for line in text.strip("\n").splitlines()]
