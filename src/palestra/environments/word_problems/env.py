"""Grade-school word problems of our own, judged by the number behind the last "Answer:"."""

from collections.abc import Iterator
from random import Random
from typing import Any, Literal

import palestra
from palestra import Environment, Item, Task, Transcript, Verdict
from palestra.grading.answers import without_reasoning
from palestra.grading.numbers import answer_slot, exact, only_number

from .stories import write_story

REQUEST = "End with 'Answer: ... = N'."
EXAMPLES = (
    ("Tom has 9 kites and gives 5 of them to Ann. How many kites does Tom have left?", "9 - 5 = 4"),
    ("Mia has 4 dolls. Leo gives Mia 3 more. How many dolls does Mia have now?", "4 + 3 = 7"),
    ("Ida makes 8 waffles for breakfast. By noon, 2 of them were eaten. How many waffles are left?", "8 - 2 = 6"),
    ("Ben finds 6 nuts and Zoe finds 5 nuts. How many nuts do they find altogether?", "6 + 5 = 11"),
    ("3 owls sit on a branch. Then 6 more land there. How many owls are on the branch now?", "3 + 6 = 9"),
)
"""Small models keep to a form that they see, not to one that is described. Names and things are not in any task."""


class Problem(Task):
    question: str
    """The story and what is asked."""
    expected_answer: int
    """The number."""
    difficulty: int | None = None
    """1 to 4, as the option of this name says."""
    steps: list[str] | None = None
    """The solution, one equation a step."""


class WordProblems(Environment[Problem]):
    class Options(palestra.Options):
        difficulty: Literal[1, 2, 3, 4] = 1
        """Of generated tasks. 1: add or subtract once; 2: one step of any kind; 3: two steps; 4: three steps."""

    def prompt(self) -> list[Item]:
        turns: list[Item] = []
        for question, calculation in EXAMPLES:
            turns += [message("user", f"{question}\n{REQUEST}"), message("assistant", f"Answer: {calculation}")]
        return [*turns, message("user", f"{self.task.question}\n{REQUEST}")]

    def verify(self, transcript: Transcript) -> Verdict:
        slot = answer_slot(without_reasoning(transcript.text))
        number = only_number(slot) if slot else None
        correct = number is not None and number == exact(self.task.expected_answer)
        return Verdict(
            float(correct),
            metrics={"extracted_answer": None if number is None else str(number)},
            reason=None if number is not None else reason_without_number(slot),
        )

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for index in range(n):
            story = write_story(Random(f"{seed}/{options.difficulty}/{index}"), options.difficulty)
            yield {
                "question": story.question,
                "expected_answer": story.answer,
                "difficulty": options.difficulty,
                "steps": list(story.steps),
            }


def message(role: str, text: str) -> Item:
    return {"type": "message", "role": role, "content": text}


def reason_without_number(slot: str | None) -> str:
    if slot is None:
        return "the reply has no 'Answer:', '####' or \\boxed{}"
    return f"the answer slot does not hold exactly one number: {slot[:80]!r}"
