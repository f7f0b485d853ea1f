"""Mathematics with a Python tool that keeps its variables: the boxed answer is compared with the right one."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any, Literal

from pydantic import Field

import palestra
from palestra import Environment, Task, Transcript, Verdict, tool
from palestra.core.sandbox import Interpreter, Limits
from palestra.core.task import asked

from .answers import answer_of, is_same
from .making import make_task
from .python_session import RECORDED, run_as_recorded, run_plainly

INSTRUCTIONS = (
    "Solve the problem. Compute with the tool execute_python, which keeps its variables from call to call; print what "
    "you want to see. Then put the final answer, and nothing else, inside \\boxed{}."
)


class CodeMathTask(Task):
    question: str = ""
    """Not needed in a row that brings its own prompt."""
    expected_result: str
    """The right answer as text; a number is compared as a number."""
    expected_code_contains: str = ""
    """Not used; rows of NeMo Gym have it."""


class MathWithCode(Environment[CodeMathTask]):
    class Options(palestra.Options):
        max_execution_time: float = Field(default=10.0, gt=0)
        """Seconds that one call may compute; four times as long may pass on the clock of a busy machine."""
        interpreter: Literal["recorded", "plain"] = "recorded"
        """`recorded` runs code as NeMo Gym does, with few builtins and functions that see no global names; `plain` is
        an ordinary Python."""
        memory_mb: int = Field(default=2048, ge=64)
        """Of the Python process, in MiB."""
        max_output_characters: int = Field(default=20_000, ge=100)
        """Of each text in a tool's answer."""
        compatible: bool = False
        """Judge as NeMo Gym does: large whole numbers to a millionth, and boxes in `<think>` blocks count."""

    def setup(self) -> None:
        self.python: Interpreter | None = None
        self.opened = AsyncExitStack()

    async def close(self) -> None:
        self.python = None
        await self.opened.aclose()

    def prompt(self) -> str:
        return f"{asked(self.task.question, 'a question')}\n\n{INSTRUCTIONS}"

    @tool
    async def execute_python(self, code: str) -> dict[str, Any]:
        """Execute Python code to perform calculations. numpy, scipy and pandas can be used.

        Args:
            code: The Python code to execute for the calculation.
        """
        most = self.options.max_output_characters
        python = self.python or await self.started()
        plain = self.options.interpreter == "plain"
        answer = await (run_plainly(python, code) if plain else run_as_recorded(python, code, most))
        return answer.to_json(most)

    @tool
    async def end_session(self) -> dict[str, Any]:
        """End the Python session; its variables are forgotten."""
        await self.close()
        return {"success": True, "stdout": "", "stderr": "", "error_message": None, "result": None}

    async def started(self) -> Interpreter:
        """The Python of this episode, in the sandbox from its first call on."""
        seconds = self.options.max_execution_time
        # A text of JSON in a repr takes up to 24 bytes a character; there are four texts.
        output_bytes = 100 * self.options.max_output_characters
        limits = Limits(cpu_s=seconds, wall_s=4 * seconds, memory_mb=self.options.memory_mb, output_bytes=output_bytes)
        prelude = RECORDED.read_text(encoding="utf-8") if self.options.interpreter == "recorded" else ""
        opening = self.context.sandbox.interpreter(limits=limits, prelude=prelude)
        self.python = python = await self.opened.enter_async_context(opening)
        return python

    def verify(self, transcript: Transcript) -> Verdict:
        compatible = self.options.compatible
        answer = answer_of(transcript, compatible=compatible)
        right = is_same(answer, self.task.expected_result, compatible=compatible)
        reason = "no box, in no message and in no output" if answer is None else f"{answer!r} is another answer"
        metrics = {"extracted_answer": answer, "accuracy": right}
        return Verdict(float(right), metrics=metrics, reason=None if right else reason)

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for number in range(n):
            yield make_task(Random(f"{seed}/{number}"))
