"""Ways of scoring a reply, each as short as it is: documentation shows these functions, the test suite runs them."""

import re
from collections.abc import Awaitable, Callable, Mapping

from palestra import Transcript, Verdict
from palestra.grading import composite
from palestra.grading.answers import without_reasoning
from palestra.grading.numbers import answer_slot, only_number


def binary(transcript: Transcript, expected: int) -> Verdict:
    """1 or 0, and why it is 0."""
    found = only_number(answer_slot(without_reasoning(transcript.text)) or "")
    reason = None if found is not None else "no number could be read from the answer slot"
    return Verdict(float(found == expected), metrics={"answer": None if found is None else str(found)}, reason=reason)


def continuous(transcript: Transcript, expected: int) -> Verdict:
    """1 for the right number, and less the further away it is, down to 0 at twice the number."""
    found = only_number(answer_slot(without_reasoning(transcript.text)) or "")
    if found is None:
        return Verdict(0.0, reason="no number could be read from the answer slot")
    off = abs(float(found) - expected) / max(abs(expected), 1)
    return Verdict(max(0.0, 1.0 - off), metrics={"relative_error": min(off, 1e6)})


def partial_credit(transcript: Transcript, wanted: list[str]) -> Verdict:
    """The share of the wanted words that the reply names."""
    words = set(re.findall(r"\w+", without_reasoning(transcript.text).casefold()))
    return composite.partial_credit([word.casefold() in words for word in wanted])


def objectives(right: float, brief: float, polite: float) -> dict[str, Verdict]:
    """The same three scores, combined in four ways."""
    scores = {"right": right, "brief": brief, "polite": polite}
    weighted = composite.weighted_sum(scores, {"right": 4, "brief": 1, "polite": 1})
    return {
        "weighted sum": weighted,
        "product": composite.product(scores),
        "minimum": composite.minimum(scores),
        "gated": composite.gated({"is_right": right == 1}, weighted),
    }


async def hybrid(transcript: Transcript, expected: int, judge: Callable[[str], Awaitable[Verdict]]) -> Verdict:
    """The library decides where it can read a number; a judge where it cannot."""
    return await composite.library_first(
        lambda: binary(transcript, expected),
        lambda: judge(transcript.text),
        in_doubt=lambda verdict: verdict.reason is not None,
    )


async def quality(reply: str, rubric: Mapping[str, str], ask: Callable[[str, str], Awaitable[float]]) -> Verdict:
    """Rules first: an empty or endless reply is worth nothing, and no judge is asked about it."""
    return await composite.response_quality(
        reply,
        required={"says_something": lambda text: bool(text.strip()), "ends": lambda text: len(text) <= 4000},
        rules={"no_links": lambda text: "http" not in text},
        rubric=rubric,
        ask=ask,
        weights={"no_links": 1.0, **dict.fromkeys(rubric, 2.0)},
    )
