"""Look a number up with a tool, then answer: one tool call a rollout."""

import re

from palestra import Environment, Task, Transcript, tool

BOXED = re.compile(r"\\boxed\{([^}]*)\}")


class Number(Task):
    number: int


class LookUp(Environment[Number]):
    def prompt(self) -> str:
        return f"Look the number up, then give the final answer in \\boxed{{}}. The key is {self.task.number}."

    @tool
    def look_up(self, key: int) -> str:
        """Look up.

        Args:
            key: what to look up
        """
        return str(key * 7)

    def verify(self, transcript: Transcript) -> float:
        found = BOXED.findall(transcript.reply)
        return float(bool(found) and found[-1] == str(self.task.number * 7))
