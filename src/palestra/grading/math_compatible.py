"""The looser judgement of NeMo Gym's math_with_judge: the whole reply goes to math-verify, without its timeouts."""

# pyright: basic
# The mathematical libraries carry no types.

import logging
from typing import Any

from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

from palestra.grading.answers import boxed
from palestra.grading.math_guard import LONGEST, refusal

LONGEST_REPLY = 100_000
"""math-verify searches with regular expressions that are not linear."""
ROUNDING_DIGITS = 6

# The library warns once that its timeouts are off; here the process has one of its own.
logging.getLogger("math_verify").setLevel(logging.ERROR)


def refused_text(reply: str) -> str | None:
    """Why math-verify must not see a reply: the text that it would evaluate asks for too much."""
    if len(reply) > LONGEST_REPLY:
        return f"it has {len(reply):,} characters, more than {LONGEST_REPLY:,}"
    if reply.count("\\boxed") > 100:
        return "it has more than 100 boxes"
    boxes = boxed(reply)
    texts = boxes or ([reply] if len(reply) <= LONGEST else [])
    return next((reason for reason in map(refusal, texts) if reason), None)


def gold_candidates(gold: str) -> list[Any]:
    """What math-verify reads in the gold answer, as the content of a box."""
    gold = gold.strip()
    for start, end in ((r"\(", r"\)"), ("$", "$")):
        if gold.startswith(start) and gold.endswith(end) and len(gold) > len(start + end):
            gold = gold[len(start) : -len(end)].strip()
    return parse(f"\\boxed{{{gold}}}", (LatexExtractionConfig(),), parsing_timeout=0)


def reply_candidates(reply: str) -> list[Any]:
    """What math-verify reads in a reply: an expression and its text."""
    return parse(reply, (ExprExtractionConfig(), LatexExtractionConfig()), parsing_timeout=0)


def matching(gold: list[Any], reply: list[Any]) -> Any:
    """The first candidate of the reply that equals one of the gold answer's, or None."""
    for candidate in reply:
        if verify(gold, candidate, float_rounding=ROUNDING_DIGITS, timeout_seconds=0):
            return candidate
    return None
