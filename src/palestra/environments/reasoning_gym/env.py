"""The procedural tasks of the reasoning-gym package, judged by the package's own scorers."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field, model_validator

import palestra
from palestra import Environment, Item, Task, Transcript, Verdict
from palestra.grading.answers import boxed, tagged, without_reasoning
from palestra.grading.reasoning_tasks import Score, score, score_of_gold

from .generation import configurations, generated

SCORING_DEADLINE_S = 10.0
REQUEST = "Give only the final answer inside <answer></answer>."
EXAMPLES = (("What is 2 + 5?", "7"), ("Is ice warm? (yes or no)", "no"))
"""Earlier turns of the conversation: small models keep to a form that they see, not to one that is described."""


class Puzzle(Task):
    question: str
    """What is asked, as the package words it."""
    answer: str | None = None
    """One right answer; null where the scorer checks any."""
    metadata: dict[str, Any]
    """What the scorer of the package needs, with the name of the task in `source_dataset`."""


class ReasoningGym(Environment[Puzzle]):
    class Options(palestra.Options):
        task: str = "letter_counting"
        """Of generated rows: a task of the package, several with commas between them, or "all"."""
        difficulty: int = Field(default=0, ge=0)
        """Of generated rows: a level of the task's curriculum, 0 is the easiest."""
        config: dict[str, Any] = Field(default_factory=dict)
        """Of generated rows: settings of the task, on top of those of the difficulty."""

        @model_validator(mode="after")
        def possible(self) -> "ReasoningGym.Options":
            # The defaults are possible; asking the package takes seconds.
            if self.model_fields_set:
                configurations(self.task, self.difficulty, self.config)
            return self

    def prompt(self) -> list[Item]:
        turns: list[Item] = []
        for question, answer in EXAMPLES:
            turns += [message("user", f"{question}\n\n{REQUEST}"), message("assistant", f"<answer>{answer}</answer>")]
        return [*turns, message("user", f"{self.task.question}\n\n{REQUEST}")]

    async def verify(self, transcript: Transcript) -> Verdict:
        entry = {"question": self.task.question, "answer": self.task.answer, "metadata": self.task.metadata}
        if not isinstance(self.task.metadata.get("source_dataset"), str):
            raise ValueError("metadata.source_dataset is missing: it names the task that can score the answer")
        answer = extracted_answer(without_reasoning(transcript.text))
        judged = await self.judge(answer, entry)
        return Verdict(
            judged.value,
            metrics={
                "task_name": self.task.metadata["source_dataset"],
                "score": judged.value,
                "extracted_answer": answer,
            },
            reason=judged.reason,
        )

    async def judge(self, answer: str, entry: dict[str, Any]) -> Score:
        try:
            return await self.context.grade(score, answer, entry, deadline_s=SCORING_DEADLINE_S)
        except TimeoutError as error:
            # If the row's own answer takes as long, this raises again and the rollout failed.
            await self.context.grade(score_of_gold, entry, deadline_s=SCORING_DEADLINE_S)
            return Score(0.0, f"the answer takes too long to score: {error}")

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        # Told here what is wrong, before a process is started for it.
        configurations(options.task, options.difficulty, options.config)
        return generated(task=options.task, difficulty=options.difficulty, config=options.config, seed=seed, n=n)


def message(role: str, text: str) -> Item:
    return {"type": "message", "role": role, "content": text}


def extracted_answer(text: str) -> str:
    r"""What stands in the last <answer> pair, else in the first `\boxed{}`, else the whole text."""
    answer = tagged(text)
    if answer is not None:
        return answer.partition("</answer>")[0].strip()
    boxes = boxed(text)
    return boxes[0].strip() if boxes else text.strip()
