"""Data analysis in a notebook: cells run in the sandbox, and the submitted answer is compared with the right one."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from palestra import Item, Step, Task, Transcript, Verdict, tool
from palestra.core.sandbox import Limits
from palestra.core.transcript import ENV_STATE, Call, function_calls, user_message
from palestra.grading.judge import Judge
from palestra.grading.judge_options import JudgeOptions
from palestra.grading.judge_prompt import JudgePrompt
from palestra.grading.judged import JudgedEnvironment
from palestra.grading.numbers import exact

from .generation import make_task
from .judging import is_right, plain
from .notebook import Notebook
from .prompts import EQUIVALENCE, INSTRUCTIONS

TAKEN = "The answer was taken."
MAX_ANSWER_CHARACTERS = 1000
MAX_FILE_BYTES = 16_000_000
"""Of all files of a task together; the sandbox bounds what a process may write."""

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


class NotebookTask(Task):
    question: str
    """What is asked about the files."""
    files: dict[FileName, str] = Field(default_factory=dict)
    """Texts by file name, in the working directory of the notebook."""
    expected_answer: str
    """The right answer: a number, or a text."""
    answer_kind: Literal["number", "text"] = "text"
    """How it is compared: as a number, or as a text whose case and blanks do not count."""
    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How far a number may be off; 0.005 for two decimals."""

    @model_validator(mode="after")
    def answerable(self) -> Self:
        if self.answer_kind == "number" and exact(self.expected_answer) is None:
            raise ValueError(f"expected_answer must be a number where answer_kind is, got {self.expected_answer!r}")
        if not plain(self.expected_answer):
            raise ValueError("expected_answer is empty, so that submitting nothing would be right")
        size = sum(len(text.encode()) for text in self.files.values())
        if size > MAX_FILE_BYTES:
            raise ValueError(f"the files have {size} bytes together; {MAX_FILE_BYTES} can be shown to a notebook")
        return self


class AviaryNotebook(JudgedEnvironment[NotebookTask]):
    adds_to_rows = True

    class Options(JudgeOptions):
        should_use_judge: bool = False
        """Ask a judge model about a text that is not the expected one; numbers are always compared."""
        max_steps: int | None = Field(default=30, ge=1)
        """The episode ends after so many replies."""
        cell_timeout_s: float = Field(default=10.0, gt=0)
        """CPU seconds that one cell may take; four times as long may pass on the clock of a busy machine."""
        memory_mb: int = Field(default=2048, ge=64)
        """Of the notebook's Python process, in MiB."""
        max_output_characters: int = Field(default=3000, ge=100)
        """Of the output that is shown of a cell."""
        max_cells: int = Field(default=100, ge=1)
        """Of one notebook."""

        @property
        def asks_judge(self) -> bool:
            return self.should_use_judge

        def prompt(self) -> JudgePrompt:
            return EQUIVALENCE

    def setup(self) -> None:
        self.steps = 0
        self.answered = False
        self.opened = AsyncExitStack()
        self.notebook: Notebook | None = None

    async def close(self) -> None:
        self.notebook = None
        await self.opened.aclose()

    def prompt(self) -> list[Item]:
        listed = ", ".join(self.task.files) or "none"
        return [user_message(f"{self.task.question}\n\n{INSTRUCTIONS}\nFiles: {listed}")]

    async def step(self, items: Sequence[Item]) -> Step:
        answer = await super().step(items)
        self.steps += 1
        over = self.answered or self.steps == self.options.max_steps
        if answer.done or over or not function_calls(items):
            return Step(answer.items, done=answer.done or over)
        return Step((*answer.items, self.state()), done=False)

    def state(self) -> Item:
        """The notebook as the model sees it; a later one takes the place of this one."""
        shown = self.notebook.shown() if self.notebook is not None else "The notebook is empty."
        return {**user_message(shown), ENV_STATE: True}

    @tool
    async def edit_cell(self, contents: str, idx: int | None = None) -> str:
        """Append a code cell to the notebook and run it, or rewrite a cell and run all of them again.

        Args:
            contents: The Python code of the cell.
            idx: The index of the cell to rewrite, from 0. Left out, the cell is appended.
        """
        if self.answered:
            raise ValueError("the answer was submitted already")
        notebook = await self.running()
        return await notebook.edit(contents, idx)

    @tool
    async def list_dir(self, directory: str = ".") -> str:
        """List the files in a directory.

        Args:
            directory: The directory; the working directory of the notebook if left out.
        """
        notebook = await self.running()
        return await notebook.listed(directory)

    @tool
    async def submit_answer(self, answer: str) -> str:
        """Submit the answer to the question. This ends the task; only the first answer counts.

        Args:
            answer: A number without a unit, or a name, as the question asks.
        """
        if self.answered:
            raise ValueError("the answer was submitted already")
        if len(answer) > MAX_ANSWER_CHARACTERS:
            raise ValueError(f"an answer has at most {MAX_ANSWER_CHARACTERS} characters; submit what is asked only")
        self.answered = True
        return TAKEN

    async def running(self) -> Notebook:
        """The notebook, in the sandbox from its first use on."""
        if self.notebook is None:
            seconds = self.options.cell_timeout_s
            limits = Limits(
                cpu_s=seconds,
                wall_s=4 * seconds,
                memory_mb=self.options.memory_mb,
                output_bytes=8 * self.options.max_output_characters,
            )
            self.notebook = Notebook(
                lambda: self.context.sandbox.interpreter(limits=limits, prelude=files_in_code(self.task.files)),
                most=self.options.max_output_characters,
                max_cells=self.options.max_cells,
            )
            self.opened.push_async_callback(self.notebook.close)
        return self.notebook

    async def verify(self, transcript: Transcript) -> Verdict:
        answer = next((text for text in map(answer_of, transcript.calls_of("submit_answer")) if text is not None), None)
        metrics: dict[str, Any] = {"extracted_answer": answer, "edits": len(transcript.calls_of("edit_cell"))}
        task = self.task
        right = answer is not None and is_right(answer, task.expected_answer, task.answer_kind, task.tolerance)
        reason = "no answer was submitted" if answer is None else f"{answer[:80]!r} is another answer"
        if self.options.should_use_judge:
            judge = Judge(self.context, self.options)
            if answer is not None and plain(answer) and not right and task.answer_kind == "text" and not judge.is_over:
                right, reason = await self.asked(judge, answer)
            metrics |= judge.to_metrics()
        return Verdict(float(right), metrics=metrics, reason=None if right else reason)

    async def asked(self, judge: Judge, answer: str) -> tuple[bool, str]:
        """Whether the judge finds both answers equivalent in both orders, and why not."""
        question, gold = self.task.question, self.task.expected_answer
        if not (await judge.compare(question, gold, answer)).is_equal:
            return False, "the judge finds the answers different"
        if judge.is_over or (await judge.compare(question, answer, gold, candidate=answer)).is_equal:
            return True, ""
        return False, "the judge finds the answers equivalent in one order only"

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for number in range(n):
            yield make_task(Random(f"{seed}/{number}"), number)


def answer_of(call: Call) -> str | None:
    """The answer of a call that was taken for one."""
    arguments = call.parsed() if call.output == TAKEN else None
    answer = arguments.get("answer") if arguments else None
    return answer if isinstance(answer, str) else None


def files_in_code(files: dict[str, str]) -> str:
    """Python that writes the files, for an interpreter that knows nothing but code. It leaves no name behind."""
    packed = base64.b64encode(json.dumps(files).encode()).decode()
    return (
        "def _write(packed):\n"
        "    import base64, json, pathlib\n"
        "    for name, text in json.loads(base64.b64decode(packed)).items():\n"
        "        pathlib.Path(name).write_text(text, encoding='utf-8', newline='')\n"
        f"_write({packed!r})\n"
        "del _write\n"
    )
