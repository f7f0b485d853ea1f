"""Integrate a x cos(b x): a verifier that is slow, as symbolic ones are, and honest about it."""

from palestra import Environment, Task, Transcript
from palestra.grading.answers import last_boxed

from .simplify import is_antiderivative


class Integral(Task):
    a: int
    b: int


class SlowAlgebra(Environment[Integral]):
    def prompt(self) -> str:
        return f"Give an antiderivative of {self.task.a} x cos({self.task.b} x) in \\boxed{{}}."

    async def verify(self, transcript: Transcript) -> bool:
        answer = last_boxed(transcript.text) or "0"
        return await self.context.grade(is_antiderivative, answer, self.task.a, self.task.b, deadline_s=5.0)
