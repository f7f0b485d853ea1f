"""What one run of a program says about one test: a result code and metadata, in the form of NeMo Gym's runner."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from palestra.core.sandbox import Input, Run
from palestra.grading.code_text import LINES_BEFORE
from palestra.grading.program_output import output_difference, same_value, shortened

WRONG, TIME_LIMIT, RUNTIME_ERROR = -2, -3, -4
TRACEBACK = "Traceback"
"""How a trace begins in which a line of the program stands."""
MISSING_FUNCTION = "cannot unpack non-iterable NoneType object"
"""What NeMo Gym says of it."""
LINE = re.compile(r"\([^()]*, line ([0-9]+)\)\Z")
Result = bool | int
"""True if the test passed, False for a wrong value of a call, else one of the codes above."""


@dataclass(frozen=True, slots=True)
class UnitTest:
    """One test of a row: what the program is given and what it must give."""

    text: str
    """The input as the row has it."""
    expected: str
    """The output as the row has it."""
    is_call: bool = False

    @property
    def given(self) -> Input:
        return Input(arguments=tuple(arguments_of(self.text))) if self.is_call else Input(stdin=self.text)

    @property
    def told(self) -> dict[str, str]:
        """The test as metadata show it: of a call, the values."""
        given, expected = self.text, self.expected
        if self.is_call:
            return {"inputs": shortened(arguments_of(given)), "expected": shortened(json.loads(expected))}
        return {"inputs": shortened(given), "expected": shortened(expected)}


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of one test."""

    result: Result
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Why it failed; empty if it passed."""

    @property
    def passed(self) -> bool:
        return self.result is True


def arguments_of(text: str) -> list[Any]:
    """The arguments of a call: one JSON value a line. Raises ValueError."""
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def judge_run(run: Run, test: UnitTest, compatible: bool) -> Judged:
    """The outcome of a test. A run that did not end by itself, or of which output was dropped, never passes."""
    if run.status in ("cpu_limit", "wall_limit"):
        told = {"error": "TimeoutException()", "error_code": TIME_LIMIT, "error_message": "Time Limit Exceeded"}
        return Judged(TIME_LIMIT, {**told, **test.told})
    if not run.ok:
        return broken(run, test, compatible)
    return judged_call(run, test, compatible) if test.is_call else judged_output(run, test, compatible)


def judged_output(run: Run, test: UnitTest, compatible: bool) -> Judged:
    wrong = output_difference(run.output, test.expected, compatible=compatible)
    if wrong is None and run.truncated:
        wrong = f"Wrong answer: {', '.join(run.notes) or 'the output is too long'}"
    return Judged(True) if wrong is None else Judged(WRONG, wrong_answer(run.output, test, wrong))


def judged_call(run: Run, test: UnitTest, compatible: bool) -> Judged:
    if same_value(run.value, json.loads(test.expected), compatible=compatible):
        return Judged(True)
    return Judged(False, wrong_answer(run.value, test, "Wrong Answer"))


def wrong_answer(output: object, test: UnitTest, message: str) -> dict[str, Any]:
    return {"output": shortened(output), **test.told, "error_code": WRONG, "error_message": message}


def broken(run: Run, test: UnitTest, compatible: bool) -> Judged:
    """A program that could not be started, that raised, ran out of memory, or ended without saying how."""
    told: dict[str, Any] = {"error_code": RUNTIME_ERROR}
    if run.status == "raised" and not (run.trace or "").startswith(TRACEBACK):
        # No line of it ran: the compiler, or the search for a function that is not there.
        told["error_message"] = f"Error during testing: {shortened(start_error(run, test, compatible))}"
        return Judged(RUNTIME_ERROR, told)
    told = {"error": shortened(run.error_repr or cause_of(run)), **told, "error_message": "Runtime Error", **test.told}
    return Judged(RUNTIME_ERROR, {**told, "traceback": shortened(run.trace)} if run.trace else told)


def start_error(run: Run, test: UnitTest, compatible: bool) -> str:
    """What Python said of a program that it could not start, with the line as the model counts it."""
    kind, _, message = (run.error or "").partition(": ")
    if test.is_call and kind == "NameError" and compatible:
        return MISSING_FUNCTION
    return LINE.sub(lambda found: f"(<string>, line {int(found[1]) - LINES_BEFORE})", message) or kind


def cause_of(run: Run) -> str:
    if run.status == "memory_limit":
        return "MemoryError()"
    ended = "the program ended without a result" if run.exit_code is None else f"exit code {run.exit_code}"
    return "; ".join([ended, *run.notes, *([run.errors.strip()] if run.errors.strip() else [])])
