"""Multiple-choice questions, judged by the letter of the chosen option."""

from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.core.task import asked
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
# None of them holds an answer itself: a reply that repeats its prompt must not score.
FORMATS = MappingProxyType(
    {
        "strict_single_letter_boxed": "give the letter of your choice inside \\boxed{}.",
        "lenient_boxed": "give the letter or the text of your choice inside \\boxed{}.",
        "lenient_answer_colon": "write Answer: and then nothing but the letter of your choice.",
        "lenient_answer_colon_md": "end with a line that reads Answer: and then the letter of your choice.",
    }
)


class TemplateMetadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    output_regex: str | list[str] | None = None
    """Tried before the grading mode; the last match of the first pattern that gives a choice counts."""


class Question(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    options: list[dict[str, str | None]]
    """Letters with their texts, as `[{"A": "text"}, ...]`."""
    expected_answer: str
    """The letter of the right one."""
    grading_mode: GradingMode = "strict_single_letter_boxed"
    """How the reply is read."""
    template_metadata: TemplateMetadata | None = None
    """Patterns of the row that are tried before the grading mode."""


class MultipleChoice(Environment[Question]):
    class Options(palestra.Options):
        grading_mode: GradingMode | None = None
        """Used for all rows instead of their own."""
        regex_deadline_s: float = Field(default=10.0, gt=0)
        """CPU seconds for a row's output_regex on one reply; beyond it the rollout fails and is not judged."""

    @property
    def listed(self) -> dict[str, str]:
        return choices.choices_of(self.task.options)

    @property
    def grading_mode(self) -> GradingMode:
        return self.options.grading_mode or self.task.grading_mode

    def prompt(self) -> str:
        question = asked(self.task.question, "a question")
        listed = "\n".join(f"{letter}: {text}" for letter, text in self.listed.items())
        return f"{question}\n{listed}\nThink first, then {FORMATS[self.grading_mode]}"

    async def verify(self, transcript: Transcript) -> Verdict:
        expected = choices.plain_letters(self.task.expected_answer).strip().upper()
        chosen = await self.chosen(without_reasoning(transcript.text).strip())
        return Verdict(
            float(bool(expected) and chosen == expected),
            metrics={"expected_answer": expected, "extracted_answer": chosen},
            reason=None if chosen else "no choice could be read from the reply",
        )

    async def chosen(self, text: str) -> str | None:
        patterns = self.task.template_metadata and self.task.template_metadata.output_regex
        if patterns:
            listed = [patterns] if isinstance(patterns, str) else patterns
            deadline_s = self.options.regex_deadline_s
            letter = await self.context.grade(choices.by_patterns, text, listed, self.listed, deadline_s=deadline_s)
            if letter:
                return letter
        return READERS[self.grading_mode](text, self.listed)
