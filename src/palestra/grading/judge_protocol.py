"""How a judge must write its verdict, and how that is read: nothing that a candidate wrote can stand for it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from palestra.core.model import Reply
from palestra.core.transcript import content_text, is_assistant_message, item_text
from palestra.grading.answers import CLOSE_REASONING, OPEN_REASONING

ProtocolName: TypeAlias = Literal["json", "bracket"]
"""`json`: one JSON object whose key carries a number that is new for each call. `bracket`: fixed, public labels."""

NONCE_DIGITS = 12
NOTHING_ELSE = re.compile(r"[\s`.*]*")
"""What may stand behind the last verdict of a reply."""
ORNAMENTS = " \t`.*_\"'"
"""What may stand around a label: quotes and emphasis."""
MOST_REPEATED = 3
"""A reply that repeats its verdict more often did not come to an end by itself."""
CUT_OFF = frozenset({"max_output_tokens", "content_filter"})


class Unreadable(Exception):
    """A judge's reply that holds no verdict, or not one alone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One verdict that a judge may give."""

    name: str
    """How it is written in JSON: a word or a whole number."""
    label: str
    """How it is written in the bracket protocol."""
    meaning: str
    """When it is to be given, as the end of a sentence."""
    pays: bool = True
    """Whether a candidate gains from it."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The form of a verdict."""

    name: ProtocolName
    choices: tuple[Choice, ...]
    first_wins: bool = False
    """`bracket` only, as NeMo Gym reads it: whichever label occurs first counts, wherever it came from."""

    @property
    def labels(self) -> dict[str, str]:
        return {choice.label: choice.name for choice in self.choices}

    def label_of(self, name: str | None) -> str | None:
        """What `judge_evaluations` calls a verdict: its label in the bracket protocol, else its name."""
        if self.name == "json":
            return name
        return next((choice.label for choice in self.choices if choice.name == name), None)


def nonce_of(seed: int, call: int, texts: Iterable[str]) -> str:
    """A tag for one judge call that no text of the call holds; the same for the same seed and call."""
    shown = list(texts)
    turn = 0
    while True:
        nonce = hashlib.sha256(f"judge/{seed}/{call}/{turn}".encode()).hexdigest()[:NONCE_DIGITS]
        if not any(nonce in text for text in shown):
            return nonce
        turn += 1


def key_of(nonce: str) -> str:
    """The one field of a verdict."""
    return f"verdict_{nonce}"


def read_verdict(reply: Reply, protocol: Protocol, *, nonce: str, candidate: str) -> str | None:
    """The name of the choice that a judge's reply makes.

    None only where the first label wins and there is none. Raises Unreadable, with the reason.
    """
    if protocol.first_wins:
        return first_label(last_part(reply), protocol.labels)
    if reply.stop_reason in CUT_OFF:
        raise Unreadable(f"the reply was cut off ({reply.stop_reason})")
    text = after_reasoning(next((item_text(item) for item in reversed(reply.items) if is_assistant_message(item)), ""))
    if protocol.name == "json":
        return json_verdict(text, nonce, tuple(choice.name for choice in protocol.choices))
    return bracket_verdict(text, protocol.choices, candidate)


def after_reasoning(text: str) -> str:
    """What follows a judge's reasoning. `<think>` within the reply opens none: a candidate may have written it.

    Raises Unreadable if the reasoning never ends.
    """
    text = text.strip()
    if text.startswith(OPEN_REASONING) and CLOSE_REASONING not in text:
        raise Unreadable("the reply ends within its reasoning")
    return text.rpartition(CLOSE_REASONING)[2]


def json_verdict(text: str, nonce: str, names: Sequence[str]) -> str:
    """The verdict that a text ends with. Raises Unreadable for none, for two different ones, and for text behind it."""
    found = list(json_pattern(nonce).finditer(text))
    if not found:
        raise Unreadable("the reply holds no verdict")
    if len(found) > MOST_REPEATED:
        raise Unreadable(f"the reply repeats its verdict {len(found)} times")
    given = {match[1] if match[1] is not None else match[2] for match in found}
    if len(given) > 1:
        raise Unreadable(f"the reply gives {len(given)} different verdicts")
    if not NOTHING_ELSE.fullmatch(text, found[-1].end()):
        raise Unreadable("the reply goes on after its verdict")
    verdict = given.pop()
    if verdict not in names:
        raise Unreadable(f"the verdict is {verdict!r}, which is none of {', '.join(names)}")
    return verdict


def json_pattern(nonce: str) -> re.Pattern[str]:
    return re.compile(rf'\{{\s*"{re.escape(key_of(nonce))}"\s*:\s*(?:"([^"\\\n]{{1,40}})"|(\d{{1,4}}))\s*\}}')


def bracket_verdict(text: str, choices: Sequence[Choice], candidate: str) -> str:
    """The verdict whose label begins or ends the last line of a text, if the text holds no other verdict's label.

    The candidate's own text does not count where it is quoted word for word above that line, and a label that pays is
    not believed if the candidate wrote it as well. Raises Unreadable.
    """
    pattern = label_pattern(tuple(choice.label for choice in choices))
    planted = set(pattern.findall(candidate))
    # The last line is the judge's own: a candidate that is nothing but a label must not take the verdict away.
    quoting, line_end, last = text.strip().rpartition("\n")
    text = (quoting.replace(candidate.strip(), " ") if planted else quoting) + line_end + last
    found = pattern.findall(text)
    if not found:
        raise Unreadable("the reply holds no label")
    if len(set(found)) > 1:
        raise Unreadable(f"the reply holds {' and '.join(sorted(set(found)))}")
    if len(found) > MOST_REPEATED:
        raise Unreadable(f"the reply repeats {found[0]} {len(found)} times")
    choice = next(choice for choice in choices if choice.label == found[0])
    is_word = choice.label[0].isalnum()
    if choice.pays and choice.label in planted and not is_word:
        raise Unreadable(f"the candidate holds {choice.label} itself")
    demand_place(text, choice.label, alone=is_word)
    return choice.name


def demand_place(text: str, label: str, *, alone: bool) -> None:
    """Raises Unreadable unless a label stands where a verdict stands: at an end of the last line, or `alone` in it."""
    line = text.strip().rpartition("\n")[2].strip(ORNAMENTS)
    if alone and re.sub(r"^[\w ]{0,40}:\s*", "", line).strip(ORNAMENTS) != label:
        # A bare word can be denied by what stands around it ("not CORRECT").
        raise Unreadable(f"{label} does not stand alone in the last line of the reply")
    if not (line.startswith(label) or line.endswith(label)):
        raise Unreadable(f"{label} neither begins nor ends the last line of the reply")


@lru_cache(maxsize=32)
def label_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """The labels, longer ones first and words as whole words: CORRECT is no part of INCORRECT."""
    longest_first = sorted(labels, key=len, reverse=True)
    return re.compile("|".join(map(whole, longest_first)))


def whole(label: str) -> str:
    before = r"(?<!\w)" if label[0].isalnum() else ""
    after = r"(?!\w)" if label[-1].isalnum() else ""
    return f"{before}{re.escape(label)}{after}"


def first_label(text: str, labels: Mapping[str, str]) -> str | None:
    """The verdict whose label occurs first, as NeMo Gym compares positions; None if there is none."""
    places = [(text.find(label), name) for label, name in labels.items() if label in text]
    return min(places)[1] if places else None


def last_part(reply: Reply) -> str:
    """The text of the last content part of the last item, if that is a message: where NeMo Gym looks."""
    if not reply.items or not is_assistant_message(reply.items[-1]):
        return ""
    content = reply.items[-1].get("content")
    return content_text(content[-1:] if isinstance(content, list) else content)
