"""Choosing the patch that mends a bug: the policy is the judge, and its letter is compared with the right one."""

import re
from collections.abc import Iterator, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Literal

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.core.errors import Failure
from palestra.core.task import asked
from palestra.core.transcript import is_assistant_message, item_text
from palestra.grading.answers import without_reasoning
from palestra.grading.choices import choices_of

from .generation import write_row

GradingMode = Literal["strict", "lenient"]

STRICT = re.compile(r"<solution>\s*+(?:\[\s*+)?([A-Za-z])\s*+(?:\]\s*+)?</solution>")
OPENING = re.compile(r"<solution>", re.IGNORECASE)
CLOSING = re.compile(r"</solution>", re.IGNORECASE)
STANDING_ALONE = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
LABEL = re.compile(STANDING_ALONE.pattern + r"(?!\s+(?!(?:or|and)\b)[a-z])")
"""One that is no word of a sentence, as in "a patch"."""
MAX_SLOT_CHARACTERS = 10_000

FORMS: Mapping[GradingMode, str] = MappingProxyType(
    {
        "strict": "nothing but the letter of the right one between <solution> and </solution>.",
        "lenient": "your choice between <solution> and </solution>, by its letter.",
    }
)


class Patches(Task):
    report: str = ""
    """What is wrong; not needed in a row that brings its own prompt."""
    code: str = ""
    """The code that it is about."""
    options: list[dict[str, str | None]]
    """Letters with patches, as `[{"A": "diff ..."}, ...]`."""
    expected_answer: str | list[str]
    """The letter of the right one, or all letters that are right."""
    grading_mode: GradingMode = "lenient"
    """How the reply is read."""


class PatchChoice(Environment[Patches]):
    class Options(palestra.Options):
        grading_mode: GradingMode | None = None
        """Used for all rows instead of their own."""
        difficulty: Literal[1, 2, 3] = 1
        """Of generated tasks: a choice of 2, 3 or 4 patches."""
        compatible: bool = False
        """Judge as loosely as NeMo Gym does: reasoning counts as reply, and hedges are read as their first letter."""

    @property
    def letters(self) -> frozenset[str]:
        return frozenset(choices_of(self.task.options))

    @property
    def right(self) -> list[str]:
        given = self.task.expected_answer
        named = [letter.strip().upper() for letter in ([given] if isinstance(given, str) else given)]
        return [letter for letter in named if letter in self.letters]

    @property
    def grading_mode(self) -> GradingMode:
        return self.options.grading_mode or self.task.grading_mode

    def setup(self) -> None:
        if not self.right:
            message = f"expected_answer: {self.task.expected_answer!r} names none of the options {sorted(self.letters)}"
            raise Failure("environment", message, code="task-invalid")

    def prompt(self) -> str:
        report = asked(self.task.report, "a report")
        patches = "\n".join(f"{letter}:\n{patch}" for letter, patch in choices_of(self.task.options).items())
        return (
            f"{report}\n\n{self.task.code}\nWhich of these patches mends it?\n\n{patches}\n"
            f"Think first, then put {FORMS[self.grading_mode]}"
        )

    def verify(self, transcript: Transcript) -> Verdict:
        parts = [item_text(item) for item in transcript.output if is_assistant_message(item)]
        text = "\n".join(parts)
        text = text if self.options.compatible else without_reasoning(text)
        named = strictly_named(text) if self.grading_mode == "strict" else leniently_named(text, self.letters)
        # The first letter counts, but who names others as well has not chosen.
        chosen = named[0] if named and (self.options.compatible or len(set(named)) == 1) else None
        chosen = chosen if chosen in self.letters else None
        return Verdict(
            float(chosen in self.right),
            metrics={
                "expected_answer": self.right[0] if isinstance(self.task.expected_answer, str) else self.right,
                "extracted_answer": chosen,
            },
            reason=None if chosen else self.reason_without(named),
        )

    def reason_without(self, named: list[str]) -> str:
        if not named:
            return "no letter stands between <solution> and </solution>"
        if len(set(named)) > 1:
            return f"the reply names several letters: {', '.join(sorted(set(named)))[:80]}"
        return f"{named[0]} is not one of the options"

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for index in range(n):
            yield write_row(Random(f"{seed}/{options.difficulty}/{index}"), options.difficulty)


def strictly_named(text: str) -> list[str]:
    """The letters that stand alone, or in brackets, between the tags."""
    return [letter.upper() for letter in STRICT.findall(text)]


def leniently_named(text: str, letters: frozenset[str]) -> list[str]:
    """The first letter that stands alone in the last tags, and after it each other option that is named."""
    closings = [found.start() for found in CLOSING.finditer(text)]
    openings = [found.end() for found in OPENING.finditer(text, 0, closings[-1])] if closings else []
    if not openings:
        return []
    slot = text[openings[-1] : closings[-1]][:MAX_SLOT_CHARACTERS]
    first = STANDING_ALONE.search(slot)
    if first is None:
        return []
    return [
        first[0].upper(),
        *(letter.upper() for letter in LABEL.findall(slot, first.end()) if letter.upper() in letters),
    ]
