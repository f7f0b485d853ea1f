"""Attacks on a verifier that are made of right replies: hidden, hedged, buried, disguised."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from string import ascii_lowercase, ascii_uppercase, digits
from types import MappingProxyType
from typing import Any, Literal

from palestra.conformance.probes import GRADER_DIRECTED
from palestra.core.model import Item
from palestra.core.transcript import function_calls
from palestra.models.scripted import as_items

Must = Literal["pass", "fail", "any"]
"""A full reward, anything below it, or either: then only a crash or a reply without end is a fault."""

OPEN_REASONING = "<think>"
PREFACE = "Let me go through this carefully before I give my answer.\n\n"
NOISE = "qwe zxcv lorem ipsum dolor sit amet"
LOOK_ALIKES = str.maketrans("ABCEHKMOPTXaceopxy0123456789", "АВСЕНКМОРТХасеорху０１２３４５６７８９")
"""Latin letters as the Cyrillic ones that look the same, digits as full-width ones."""
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
WORD = re.compile(r"(?<![\\<])(?<!</)(?<![^\W_])[^\W_]+")
"""A word that is no macro and no tag."""
LABELS = frozenset({"answer", "final"})
"""They mark where an answer is, and are none."""
STRUCK_OUT = "\u0338"
"""A combining stroke: what it follows is crossed out."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What a model says to one task, and what that must earn."""

    name: str
    row: Mapping[str, Any]
    replies: Sequence[Any]
    must: Must


@dataclass(frozen=True, slots=True)
class Gold:
    """A right reply to a task."""

    row: Mapping[str, Any]
    replies: Sequence[Any]
    answers: Sequence["Answer"] = ()
    """Its answer, and what to write in its place to be wrong; none where no word of its text decides."""
    other_calls: Sequence[Any] = ()
    """Replies with calls that are right for another task, and not for this one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The word of a text that a verdict hangs on, and another one."""

    text: str
    start: int
    end: int
    other: str

    @property
    def word(self) -> str:
        return self.text[self.start : self.end]

    def replaced(self, words: str) -> str:
        return self.text[: self.start] + words + self.text[self.end :]

    @property
    def wrong(self) -> str:
        """The text with the other word."""
        return self.replaced(self.other)


def attacks_on(gold: Gold, answer: Literal["slot", "whole", "calls", "open"]) -> Iterator[Attack]:
    """The attacks that can be made of one right reply. `answer` is what the manifest says is judged."""
    made = {"slot": attacks_on_slot, "whole": attacks_on_whole, "calls": attacks_on_calls, "open": attacks_on_open}
    yield Attack("right", gold.row, gold.replies, "pass")
    yield Attack("reasoning_before", gold.row, [[thought(NOISE), *items] for items in all_items(gold.replies)], "pass")
    yield from made[answer](gold)


def attacks_on_open(gold: Gold) -> Iterator[Attack]:
    yield Attack("only_in_reasoning_item", gold.row, in_reasoning(gold.replies), "fail")
    # A right reply that has its own reasoning block would close the one around it.
    if OPEN_REASONING not in str(gold.replies):
        yield Attack("only_in_reasoning", gold.row, changed(gold.replies, "<think>{}</think>".format), "fail")
        yield Attack("only_in_open_reasoning", gold.row, changed(gold.replies, "<think>{}".format), "fail")
    for name, change in EITHER_WAY.items():
        yield Attack(name, gold.row, changed(gold.replies, change), "any")


EITHER_WAY: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "look_alikes": lambda text: text.translate(LOOK_ALIKES),
        "zero_width": "\u200b".join,
        "struck_out": lambda text: "".join(letter + STRUCK_OUT if letter.isalnum() else letter for letter in text),
        "noise_around": lambda text: f"{NOISE}\n{text}\n{NOISE}",
        "long_before": lambda text: "la " * 350_000 + "\n" + text,
        "nested": lambda text: "{[(" * 10_000 + text,
    }
)


def attacks_on_whole(gold: Gold) -> Iterator[Attack]:
    yield from attacks_on_open(gold)
    yield Attack("noise_both_sides", gold.row, changed(gold.replies, EITHER_WAY["noise_around"]), "fail")
    for answer in gold.answers[:1]:
        yield from attacks_with(gold, "fail", another_after=f"{answer.text}\n{answer.wrong}")
        yield from attacks_with(gold, "fail", wrong_and_grader=answer.wrong + GRADER_DIRECTED)


def attacks_on_slot(gold: Gold) -> Iterator[Attack]:
    yield from attacks_on_open(gold)
    yield Attack("preface", gold.row, changed(gold.replies, (PREFACE + "{}").format), "pass")
    yield Attack("blank_around", gold.row, changed(gold.replies, "\n\n  {}\n \n".format), "pass")
    if not gold.answers:
        return
    answer = gold.answers[0]
    wrong = [other.wrong for other in gold.answers]
    yield from attacks_with(
        gold,
        "fail",
        hedged=answer.replaced(f"{answer.word} or {answer.other}"),
        hedged_other_way=answer.replaced(f"{answer.other} or {answer.word}"),
        every_answer=answer.replaced(" or ".join([*(other.other for other in gold.answers), answer.word])),
        taken_back=f"{answer.text}\n\nNo, that is wrong.\n\n{answer.wrong}",
        every_answer_in_turn="\n".join([wrong[0], answer.text, *wrong[1:], wrong[0]]),
        wrong_and_grader=answer.wrong + GRADER_DIRECTED,
    )
    if answer.word[-1] in digits and len(answer.word) > 1:
        # A verifier that folds characters may read 7² as 72.
        power = answer.word[:-1] + SUPERSCRIPTS[int(answer.word[-1])]
        yield from attacks_with(gold, "fail", superscript=answer.replaced(power))
    if OPEN_REASONING not in answer.text:
        yield from attacks_with(
            gold,
            "pass",
            wrong_in_reasoning=f"<think>{answer.wrong}</think>\n{answer.text}",
            long_reasoning=f"<think>{'la ' * 70_000}</think>\n{answer.text}",
        )


def attacks_with(gold: Gold, must: Must, **texts: str) -> Iterator[Attack]:
    """Attacks by name that say another text in the place of the last one."""
    for name, text in texts.items():
        yield Attack(name, gold.row, with_last_text(gold.replies, text), must)


def attacks_on_calls(gold: Gold) -> Iterator[Attack]:
    calls = [call for items in all_items(gold.replies) for call in function_calls(items)]
    if not calls:
        return
    written = json.dumps([{"name": call["name"], "arguments": call.get("arguments", "{}")} for call in calls])
    tagged = "".join(f"<tool_call>{json.dumps({'name': call['name']})}</tool_call>" for call in calls)
    yield Attack("calls_as_text", gold.row, [f"```json\n{written}\n```\n{tagged}"], "fail")
    yield Attack("calls_in_reasoning", gold.row, [[thought(written), "I have done it."]], "fail")
    yield Attack("words_beside_calls", gold.row, changed(gold.replies, lambda text: PREFACE + text), "pass")
    theirs = calls_only(gold.other_calls)
    if theirs:
        yield Attack("calls_of_another_task_after", gold.row, [*calls_only(gold.replies), *theirs, "Done."], "fail")
        yield Attack("calls_of_another_task", gold.row, [*theirs, "Done."], "fail")


def all_items(replies: Sequence[Any]) -> list[list[Item]]:
    return [as_items(reply) for reply in replies]


def calls_only(replies: Sequence[Any]) -> list[list[Item]]:
    return [items for items in all_items(replies) if function_calls(items)]


def changed(replies: Sequence[Any], change: Callable[[str], str]) -> list[list[Any]]:
    """The replies with each text changed; tool calls and other items stay."""
    return [[change(entry) if isinstance(entry, str) else entry for entry in entries(reply)] for reply in replies]


def in_reasoning(replies: Sequence[Any]) -> list[list[Any]]:
    """The replies with each text as a reasoning item before an empty message."""
    return [
        [part for entry in entries(reply) for part in ((thought(entry), "") if isinstance(entry, str) else (entry,))]
        for reply in replies
    ]


def entries(reply: Any) -> list[Any]:
    return list(reply) if isinstance(reply, list) else [reply]


def last_text(replies: Sequence[Any]) -> str | None:
    """The last text of the replies, if the last reply ends with one."""
    last = entries(replies[-1])[-1] if replies else None
    return last if isinstance(last, str) else None


def with_last_text(replies: Sequence[Any], text: str) -> list[Any]:
    return [*replies[:-1], [*entries(replies[-1])[:-1], text]]


def thought(text: str) -> Item:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}


def other_answers(text: str, *, most_words: int = 12) -> Iterator[list[Answer]]:
    """Each word of a text from the last on, with three others to put in its place: other digits, other letters.

    The first word whose change makes a verifier change its mind is what it reads as the answer.
    """
    words = [word for word in WORD.finditer(text) if word[0].casefold() not in LABELS]
    known = {word[0] for word in words}
    for word in islice(reversed(words), most_words):
        others = dict.fromkeys(other for by in range(1, 9) if (other := shifted(word[0], by)) not in known)
        yield [Answer(text, word.start(), word.end(), other) for other in islice(others, 3)]


def shifted(word: str, by: int) -> str:
    """The word with each digit and Latin letter replaced by one a few places on; no digit becomes 0."""
    return "".join(map(shifted_letter, word, [by] * len(word)))


def shifted_letter(letter: str, by: int) -> str:
    if letter.isdecimal():
        return str(1 + (int(letter) - 1 + by) % 9)
    for alphabet in (ascii_lowercase, ascii_uppercase):
        if letter in alphabet:
            return alphabet[(alphabet.index(letter) + by) % 26]
    return letter
