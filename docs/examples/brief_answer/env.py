"""A capital city, paid in two parts: being right, and being brief."""

from palestra import Environment, Task, Transcript, Verdict
from palestra.grading.answers import without_reasoning


class CapitalTask(Task):
    country: str
    """Whose capital is asked for."""
    expected_answer: str
    """The city."""


class BriefAnswer(Environment[CapitalTask]):
    def prompt(self) -> str:
        return f"What is the capital of {self.task.country}? Be brief."

    def verify(self, transcript: Transcript) -> Verdict:
        reply = without_reasoning(transcript.reply)
        words = reply.split()
        right = self.task.expected_answer in reply
        components = {"correctness": 0.8 * right, "brevity": 0.2 * (right and len(words) <= 5)}
        return Verdict(sum(components.values()), components=components, metrics={"words": len(words)})
