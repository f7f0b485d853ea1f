"""Multiple-choice questions, judged by the letter of the chosen option."""

from types import MappingProxyType
from typing import Any, Literal

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.grading import choices
from palestra.grading.answers import without_reasoning

GradingMode = Literal["strict_single_letter_boxed", "lenient_boxed", "lenient_answer_colon", "lenient_answer_colon_md"]

READERS = MappingProxyType(
    {
        "strict_single_letter_boxed": choices.strict_boxed,
        "lenient_boxed": choices.lenient_boxed,
        "lenient_answer_colon": choices.answer_colon,
        "lenient_answer_colon_md": choices.answer_colon_markdown,
    }
)


class Question(Task):
    question: str = ""
    options: list[dict[str, str | None]]
    expected_answer: str
    grading_mode: GradingMode = "strict_single_letter_boxed"
    template_metadata: dict[str, Any] | None = None


class MultipleChoice(Environment[Question]):
    class Options(palestra.Options):
        grading_mode: GradingMode | None = None
        """Used for all rows instead of their own."""

    def prompt(self) -> str:
        listed = "\n".join(f"{letter}: {text}" for letter, text in self.choices.items())
        return f"{self.task.question}\n{listed}\nThink first, then give the letter of your choice inside \\boxed{{}}."

    @property
    def choices(self) -> dict[str, str]:
        return choices.choices_of(self.task.options)

    async def verify(self, transcript: Transcript) -> Verdict:
        expected = self.task.expected_answer.strip().upper()
        chosen = await self.chosen(without_reasoning(transcript.text).strip())
        return Verdict(
            float(bool(expected) and chosen == expected),
            metrics={"expected_answer": expected, "extracted_answer": chosen},
            reason=None if chosen else "no choice could be read from the reply",
        )

    async def chosen(self, text: str) -> str | None:
        patterns = (self.task.template_metadata or {}).get("output_regex")
        if patterns:
            listed = [patterns] if isinstance(patterns, str) else patterns
            letter = await self.context.grade(choices.by_patterns, text, listed, self.choices)
            if letter:
                return letter
        return READERS[self.options.grading_mode or self.task.grading_mode](text, self.choices)
