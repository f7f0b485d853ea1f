"""Judging a mathematical answer against a gold one: one answer, read strictly, within bounds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Literal

from palestra.grading.answers import boxed, without_reasoning

Judged = Literal["right", "wrong", "hedged", "no_answer", "unreadable", "refused", "no_gold"]

LONGEST_REPLY = 2_000_000
LONGEST_PLAIN_REPLY = 400
"""A reply without a box is read as an answer only if it, or what follows its last label, is this short."""
MOST_BOXES = 4
LONGEST_AT_ONCE = 20_000
PLAIN_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")

LABEL = re.compile(r"(?i)\b(?:final\s+)?answer\**[ \t]*(?:(?:is|:|=)[ \t*]*)+")
DELIMITED = re.compile(r"\$\$?[^$]+\$\$?|\\\(.+?\\\)|\\\[.+?\\\]")
PROSE = re.compile(r"(?<![\\a-zA-Z])[^\W\d_]{3,}")
HEDGE = re.compile(r"(?i)\b(?:or|either|maybe|perhaps|possibly|alternatively|not|unless)\b")

SYMPY_ERRORS = (
    ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What symbolic code raises for expressions that have no value, or that it was not made for."""


@dataclass(frozen=True, slots=True)
class MathJudgement:
    """What is said of one reply."""

    equal: bool
    extracted: str | None
    """The answer as it was understood, or its text if it was not."""
    judged: Judged
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a reply puts its answer: several texts if it gives several."""

    answers: Sequence[str]
    judged: Judged = "right"
    reason: str | None = None


@cache
def preload() -> None:
    """Import and warm up what judging needs, once a process, so that it does not count against a deadline."""
    for name in ("math_comparison", "math_compatible"):
        import_module(f"palestra.grading.{name}")
    from palestra.grading.math_reading import warm_up

    warm_up(WARM_UP)


WARM_UP = (
    r"x=7", r"(1,2)", r"[1,2)\cup(2,\infty)", r"\{1,-2\}", r"1<x\le 2", r"x\in(0,1)", r"2\frac{1}{2}",
    r"\pm\sqrt[3]{2}",
    r"\frac{3+\sqrt{2}}{6}\pi", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"10!", r"\binom{10}{3}", r"e^{2x}+x^{10}",
    r"\sin^2 x+\cos(2x)", r"\log_2 8", r"\ln(x+1)", r"|x-1|", r"f(x)=x^2-3x+2", r"a_{1}+b_2", r"7\text{cm}",
    r"3\cdot 10^{5}", r"(x-1)(x+2)", r"\arctan\frac{1}{2}", r"x\ge 3", r"\lfloor x\rfloor", r"2\times 3/4",
)  # fmt: skip


def judge(gold: str, reply: str) -> MathJudgement:
    """Whether the one answer of a reply says what the gold answer says.

    Raises ValueError if the gold answer cannot be judged by: the row is bad, whatever the reply.
    """
    from palestra.grading.math_text import tidied

    if not tidied(gold[:LONGEST_REPLY]):
        return MathJudgement(False, None, "no_gold", "the gold answer is empty")
    demand_gold(gold)
    slot = slot_of(reply)
    if slot.judged != "right":
        return MathJudgement(False, clipped(slot.answers[-1]) if slot.answers else None, slot.judged, slot.reason)
    judgements = [judge_answer(gold, answer) for answer in slot.answers]
    last = judgements[-1]
    if all(judgement.equal for judgement in judgements) or len(judgements) == 1:
        return last
    return MathJudgement(False, last.extracted, "hedged", "the reply gives several answers, not all right")


def judge_at_once(gold: str, reply: str) -> MathJudgement | None:
    """What `judge` says, where gold answer and reply are plain whole numbers; else None.

    Needs neither sympy nor a worker: most answers in data sets are such numbers, and asking another process takes
    longer than comparing them.
    """
    if len(reply) > LONGEST_AT_ONCE or not PLAIN_INTEGER.fullmatch(gold):
        return None
    slot = slot_of(reply)
    if slot.judged != "right" or len(slot.answers) != 1 or not PLAIN_INTEGER.fullmatch(slot.answers[0]):
        return None
    equal = int(gold) == int(slot.answers[0])
    return MathJudgement(equal, slot.answers[0], "right" if equal else "wrong")


@lru_cache(maxsize=256)
def demand_gold(gold: str) -> None:
    from palestra.grading.math_comparison import demand_value
    from palestra.grading.math_reading import Unreadable, read

    try:
        demand_value(read(gold))
    except Unreadable as error:
        raise ValueError(f"the gold answer {clipped(gold)!r} cannot be judged by: {error}") from error


def judge_answer(gold: str, answer: str) -> MathJudgement:
    """Judge the text of one answer."""
    from palestra.grading.math_comparison import same_answer
    from palestra.grading.math_reading import Refused, Unreadable, read
    from palestra.grading.math_values import NoValue

    try:
        reading = read(answer)
        equal = same_answer(read(gold), reading)
        return MathJudgement(equal, written(reading) or clipped(answer), "right" if equal else "wrong")
    except (Refused, NoValue) as error:
        return MathJudgement(False, clipped(answer), "refused", f"the answer is not evaluated: {error}")
    except Unreadable as error:
        return MathJudgement(False, clipped(answer), "unreadable", f"the answer cannot be read: {error}")
    except SYMPY_ERRORS as error:
        return MathJudgement(False, clipped(answer), "unreadable", f"the answer has no value: {type(error).__name__}")


def judge_compatibly(gold: str, reply: str) -> MathJudgement:
    """As `judge`, but as loosely as NeMo Gym's math_with_judge: the whole reply is searched, by math-verify."""
    from palestra.grading.math_compatible import gold_candidates, matching, refused_text, reply_candidates

    if not gold.strip():
        return MathJudgement(False, None, "no_gold", "the gold answer is empty")
    refusal = refused_text(gold)
    if refusal:
        raise ValueError(f"the gold answer {clipped(gold)!r} cannot be judged by: {refusal}")
    refusal = refused_text(reply)
    if refusal:
        return MathJudgement(False, None, "refused", f"the reply is not evaluated: {refusal}")
    golds, candidates = gold_candidates(gold), reply_candidates(reply)
    if not golds:
        raise ValueError(f"math-verify reads nothing in the gold answer {clipped(gold)!r}")
    if not candidates:
        return MathJudgement(False, None, "no_answer", "math-verify finds no answer in the reply")
    match = matching(golds, candidates)
    equal = match is not None
    return MathJudgement(equal, written(match if equal else candidates[0]), "right" if equal else "wrong")


def slot_of(reply: str) -> Slot:
    """The answers of a reply: its boxes; without any, what stands behind its last label, or all of it."""
    if len(reply) > LONGEST_REPLY:
        return Slot((), "refused", f"the reply has {len(reply):,} characters, more than {LONGEST_REPLY:,}")
    text = without_reasoning(reply).strip()
    boxes = boxed(text)
    distinct = list(dict.fromkeys("".join(box.split()) for box in boxes if box.strip()))
    if len(distinct) > MOST_BOXES:
        return Slot(distinct[-1:], "hedged", f"the reply has {len(distinct)} boxes with different answers")
    if distinct:
        last = {"".join(box.split()): box for box in boxes}
        return Slot([last[content] for content in distinct])
    if "\\boxed" in text:
        return Slot((), "no_answer", "the reply's box is empty or not closed")
    return plain_slot(text)


def plain_slot(text: str) -> Slot:
    """The answer of a reply without a box. Anything else that could be an answer beside it makes it none."""
    labels = list(LABEL.finditer(text))
    lines = [text[label.end() :].partition("\n")[0].strip(" .*$") for label in labels[-20:]]
    if len({line for line in lines if re.search(r"\d", line)}) > 1:
        return Slot(lines[-1:], "hedged", "the reply has no box and labels several answers")
    text = text[labels[-1].end() :].strip() if labels else text
    if not text or len(text) > LONGEST_PLAIN_REPLY:
        return Slot((), "no_answer", "the reply has no box and no short answer")
    # Bare braces delimit nothing in LaTeX: what stands in them is looked through like prose.
    if not PROSE.search(text) and not text.startswith("{"):
        return Slot([text])
    formulas = DELIMITED.findall(text)
    rest = DELIMITED.sub(" ", text)
    numbers = re.findall(r"[-+]?[$]?\d[\d,./]*(?<![,.])%?", rest)
    found = list(dict.fromkeys([*formulas, *numbers]))
    if found and HEDGE.search(text):
        return Slot(found[-1:], "hedged", "the reply has no box and weighs several answers")
    if len(found) == 1:
        return Slot(found)
    return Slot(
        found[-1:], "hedged" if found else "no_answer", f"the reply has no box and {len(found)} possible answers"
    )


def written(expression: object) -> str | None:
    """An expression as text, or None if it holds a number too long to write."""
    try:
        return clipped(str(expression))
    except SYMPY_ERRORS:
        return None


def clipped(text: str) -> str:
    """At most 200 characters that can be stored as UTF-8."""
    short = text if len(text) <= 200 else text[:197] + "..."
    return short.encode("utf-8", "replace").decode()
