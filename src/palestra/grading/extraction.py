"""Answers found by a regular expression that comes with a row or an option. Call it through `context.grade`."""

import re


def last_match(text: str, pattern: str) -> str:
    """The last match of a pattern in a text: its first group that holds something, stripped, else all of it.

    The whole text if there is no match, or if the pattern is none (NeMo Gym's rule). MULTILINE and DOTALL.
    """
    try:
        compiled = re.compile(pattern, re.MULTILINE | re.DOTALL)
    except re.error:
        return text
    last = None
    for match in compiled.finditer(text):
        last = match
    if last is None:
        return text
    return next((group.strip() for group in last.groups() if group and group.strip()), last[0])
