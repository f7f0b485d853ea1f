"""Programming problems, judged by running the program of the reply on the tests of the row."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

import palestra
from palestra import Environment, Task, Transcript, Verdict
from palestra.core.errors import Failure
from palestra.core.sandbox import Program, Run
from palestra.core.task import asked
from palestra.core.transcript import content_text, kind_of
from palestra.grading.answers import CLOSE_REASONING, OPEN_REASONING, without_leading_reasoning
from palestra.grading.code_text import as_program, last_block, wrapped_program

from .drawing import Difficulty
from .generation import write_row
from .judging import TIME_LIMIT, Judged, UnitTest, arguments_of, judge_run
from .programs import demand_compiler, fair_runs, limits_of, opened

NAMES = {"python": "Python 3", "cpp": "C++17"}.items()
WRAPPING_DEADLINE_S = 10.0
COMPARING_DEADLINE_S = 60.0
LONG_TEXT = 1 << 17
"""Characters from which on comparing leaves the event loop."""
MOST_TIMEOUTS = 3
"""With partial credit, a program is not run on further tests after so many that it did not finish."""


class UnitTests(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    inputs: tuple[str, ...] = Field(min_length=1)
    outputs: tuple[str, ...]
    fn_name: str | None = None

    @property
    def listed(self) -> list[UnitTest]:
        pairs = zip(self.inputs, self.outputs, strict=True)
        return [UnitTest(given, expected, is_call=bool(self.fn_name)) for given, expected in pairs]

    @model_validator(mode="after")
    def can_be_judged(self) -> "UnitTests":
        if len(self.inputs) != len(self.outputs):
            raise ValueError(f"{len(self.inputs)} inputs and {len(self.outputs)} outputs")
        if self.fn_name:
            for number, test in enumerate(self.listed):
                try:
                    arguments_of(test.text)
                    json.loads(test.expected)
                except (ValueError, RecursionError) as error:
                    raise ValueError(f"test {number} is no call with JSON values: {error}") from error
        elif not any(expected.strip() for expected in self.outputs):
            raise ValueError("all outputs are blank, so that a program that does nothing would pass")
        return self


class Metadata(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    unit_tests: UnitTests
    """Inputs and outputs, and the name of a function if it is called instead of a program run."""
    difficulty: Any = None


class Problem(Task):
    problem: str = ""
    """What is to be programmed, with the form of input and output; not needed in a row that brings its own prompt."""
    verifier_metadata: Metadata
    """`unit_tests`: `inputs`, `outputs` and `fn_name`; and `difficulty`, which becomes a column."""


class CodeGeneration(Environment[Problem]):
    class Options(palestra.Options):
        unit_test_timeout_secs: float = Field(default=10.0, gt=0, le=3600)
        """CPU seconds for one test. On the clock a test may take four times as long and ten seconds more."""
        memory_mb: int = Field(default=1024, ge=64)
        """For one test, in MiB."""
        output_bytes: int = Field(default=1 << 20, ge=1024)
        """Of standard output for one test; more if the expected output is long. What is beyond fails the test."""
        num_processes: int | None = Field(default=None, ge=1)
        """Programs under test at a time, if fewer than the sandbox can run."""
        language: Literal["python", "cpp"] = "python"
        """What programs are written in. C++ needs g++ on this machine, and rows without `fn_name`."""
        partial_credit: bool = False
        """Run all tests and give the share that passed, instead of 1 if all do."""
        reasoning_format_penalty: float | None = Field(default=None, ge=0, le=1)
        """The reward if a think tag stands in the reply, or more than one of a kind in a reasoning summary. Without it
        reasoning in tags is cut off and the rest is judged."""
        compatible: bool = False
        """Judge as NeMo Gym does: the program becomes the body of a function, numbers are compared whatever their form,
        values of calls loosely (`"25"` is 25), and code in reasoning tags counts."""
        difficulty: Difficulty | None = None
        """Of generated tasks; all of them if there is none."""

    @classmethod
    @asynccontextmanager
    async def shared(cls, options: Options) -> AsyncGenerator[Any]:
        if options.language == "cpp":
            demand_compiler()
        yield asyncio.Semaphore(options.num_processes) if options.num_processes else nullcontext()

    async def setup(self) -> None:
        if self.options.language == "cpp" and self.unit_tests.fn_name:
            message = "fn_name: a C++ program is judged by its standard output; no function of it can be called"
            raise Failure("environment", message, code="task-invalid")

    @property
    def unit_tests(self) -> UnitTests:
        return self.task.verifier_metadata.unit_tests

    def prompt(self) -> str:
        problem = asked(self.task.problem, "a problem")
        language = self.options.language
        name = next(name for key, name in NAMES if key == language)
        return (
            f"{problem}\n\nSolve it in {name}. End with the whole program in one block that begins with ```{language}."
        )

    async def verify(self, transcript: Transcript) -> Verdict:
        text = transcript.text
        breaks_format = breaks_reasoning_format(transcript)
        told: dict[str, Any] = {
            "extracted_model_output": text if text.strip() else None,
            "extracted_model_code": last_block(text if self.options.compatible else without_leading_reasoning(text)),
            "result": None,
            "metadata": None,
            "unit_tests_time_taken": None,
            "reasoning_format_violation_rate": float(breaks_format),
            "difficulty": self.task.verifier_metadata.difficulty,
        }
        reward, reason = 0.0, "the reply has no code block"
        if told["extracted_model_code"] is not None:
            began = time.monotonic()
            judged = await self.judged(told["extracted_model_code"])
            told["result"] = [outcome.result for outcome in judged]
            told["unit_tests_time_taken"] = time.monotonic() - began
            told["metadata"], reason = self.metadata_of(judged, told["unit_tests_time_taken"])
            reward = self.reward_of(judged)
        if breaks_format and self.options.reasoning_format_penalty is not None:
            reward, reason = self.options.reasoning_format_penalty, "a think tag stands where none may"
        return Verdict(reward, metrics=told, reason=reason)

    def metadata_of(self, judged: Sequence[Judged], seconds: float) -> tuple[dict[str, Any], str | None]:
        """The metadata of the first test that failed, and why it did."""
        for number, outcome in enumerate(judged):
            if not outcome.passed:
                return dict(outcome.metadata), f"test {number}: {outcome.metadata['error_message']}"
        return {"execution time": seconds}, None

    def reward_of(self, judged: Sequence[Judged]) -> float:
        passed, tests = sum(outcome.passed for outcome in judged), len(self.unit_tests.inputs)
        return passed / tests if self.options.partial_credit else float(passed == tests)

    async def judged(self, code: str) -> list[Judged]:
        """One outcome a test, up to the first that failed unless all count."""
        tests, options = self.unit_tests.listed, self.options
        longest = max(len(test.expected.encode(errors="surrogatepass")) for test in tests)
        limits = limits_of(options.unit_test_timeout_secs, options.memory_mb, max(options.output_bytes, 2 * longest))
        outcomes: list[Judged] = []
        program = await self.program_of(code)
        async with (
            self.context.shared,
            opened(self.context.sandbox, options.language, program) as runnable,
            aclosing(fair_runs(runnable, [test.given for test in tests], limits)) as runs,
        ):
            async for run in runs:
                outcomes.append(await self.judged_run(run, tests[len(outcomes)]))
                if not outcomes[-1].passed and not (options.partial_credit and may_go_on(outcomes)):
                    break
        return outcomes

    async def judged_run(self, run: Run, test: UnitTest) -> Judged:
        compatible = self.options.compatible
        if len(run.output) + len(test.expected) < LONG_TEXT:
            return judge_run(run, test, compatible)
        return await self.context.grade(judge_run, run, test, compatible, deadline_s=COMPARING_DEADLINE_S)

    async def program_of(self, code: str) -> Program:
        """The code as the sandbox runs it."""
        function = self.unit_tests.fn_name or None
        if self.options.language == "cpp":
            return Program(code)
        if function or not self.options.compatible:
            return Program(as_program(code), function)
        try:
            return Program(await self.context.grade(wrapped_program, code, deadline_s=WRAPPING_DEADLINE_S))
        except TimeoutError:
            return Program(as_program(code))

    @classmethod
    def generate(cls, seed: int, n: int, options: Options) -> Iterator[dict[str, Any]]:
        for index in range(n):
            yield write_row(seed, index, options.difficulty)


def breaks_reasoning_format(transcript: Transcript) -> bool:
    """Whether a think tag stands in the text, or more than one of a kind in the reasoning summaries."""
    tags = (OPEN_REASONING, CLOSE_REASONING)
    summaries = "".join(content_text(item.get("summary")) for item in transcript.output if kind_of(item) == "reasoning")
    return any(tag in transcript.text or summaries.count(tag) > 1 for tag in tags)


def may_go_on(outcomes: Sequence[Judged]) -> bool:
    """Whether a program that failed is run on further tests: few of its runs took all their time."""
    return [outcome.result for outcome in outcomes].count(TIME_LIMIT) < MOST_TIMEOUTS
