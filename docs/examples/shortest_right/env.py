"""A sum, paid in full only for the shortest of the right replies: their lengths are compared afterwards."""

import re
from collections.abc import Sequence

from palestra import Environment, Task, Transcript
from palestra.grading.answers import without_reasoning


class SumTask(Task):
    question: str
    """What is asked."""
    expected_answer: int
    """The sum."""


class ShortestRight(Environment[SumTask]):
    def prompt(self) -> str:
        return f"{self.task.question} End with 'Answer: N'."

    def verify(self, transcript: Transcript) -> float:
        found = re.search(r"Answer: (\d+)\s*$", without_reasoning(transcript.text))
        return float(found is not None and int(found[1]) == self.task.expected_answer)

    def verify_group(self, transcripts: Sequence[Transcript], rewards: Sequence[float]) -> list[float]:
        """A right reply is worth the share of the right ones that are at least as long."""
        lengths = [len(transcript.text) for transcript in transcripts]
        right = [length for length, reward in zip(lengths, rewards, strict=True) if reward == 1]
        return [
            sum(other >= length for other in right) / len(right) if reward == 1 else 0.0
            for length, reward in zip(lengths, rewards, strict=True)
        ]
