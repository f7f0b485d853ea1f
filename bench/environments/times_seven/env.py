"""Multiply a number by seven: as little work as an environment can have."""

import re

from palestra import Environment, Task, Transcript

BOXED = re.compile(r"\\boxed\{([^}]*)\}")


class Number(Task):
    number: int


class TimesSeven(Environment[Number]):
    def prompt(self) -> str:
        return f"What is 7 times {self.task.number}? Give the final answer in \\boxed{{}}."

    def verify(self, transcript: Transcript) -> float:
        found = BOXED.findall(transcript.reply)
        return float(bool(found) and found[-1] == str(self.task.number * 7))
