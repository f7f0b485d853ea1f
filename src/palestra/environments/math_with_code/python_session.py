"""The Python of an episode, and what its runs are answered."""

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palestra.core.sandbox import Interpreter, Run

RECORDED = Path(__file__).with_name("recorded_python.py")
TIMED_OUT = "code timed-out"
CUT = "... (cut)"


def cut(text: str | None, most: int) -> str | None:
    return text if text is None or len(text) <= most else text[:most] + CUT


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call of `execute_python` is answered."""

    success: bool
    stdout: str = ""
    stderr: str = ""
    error_message: str | None = None
    result: str | None = None

    def to_json(self, most: int) -> dict[str, Any]:
        """As NeMo Gym words it; of each text at most `most` characters."""
        return {
            "success": self.success,
            "stdout": cut(self.stdout, most),
            "stderr": cut(self.stderr, most),
            "error_message": cut(self.error_message, most),
            "result": cut(self.result, most),
        }


async def run_plainly(python: Interpreter, code: str) -> Answer:
    """Statements in one namespace; what was printed before an error is kept, and a last expression is the result."""
    run = await python.run(code)
    if run.ok:
        return Answer(True, run.output, run.errors, None, run.value)
    return Answer(False, run.output, run.errors, ended(run) or run.error)


async def run_as_recorded(python: Interpreter, code: str, most: int) -> Answer:
    """As NeMo Gym's worker runs it: see recorded_python.py."""
    run = await python.run(f"recorded_python.execute({code!r}, {most})")
    if not run.ok:
        return Answer(False, error_message=ended(run) or run.error)
    try:
        # The value of the run is the repr of a text. What runs there may have put anything in its place.
        told = json.loads(text_of(run.value))
        return Answer(
            told["success"] is True,
            str(told["stdout"]),
            str(told["stderr"]),
            None if told["error_message"] is None else str(told["error_message"]),
            None if told["result"] is None else str(told["result"]),
        )
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError):
        return Answer(False, error_message="the answer of the session cannot be read")


def ended(run: Run) -> str | None:
    """What a run that did not end by itself is answered."""
    if run.status in ("wall_limit", "cpu_limit"):
        return f"{TIMED_OUT}{lost(run)}"
    if run.status == "memory_limit":
        return f"MemoryError: the code used too much memory{lost(run)}"
    return f"the Python process ended{lost(run)}" if run.status == "died" else None


def lost(run: Run) -> str:
    """The note on a process that was ended, for the model to know that its names are gone."""
    return "".join(f" ({note})" for note in run.notes if "gone" in note)


def text_of(value: object) -> str:
    """The text whose repr a run gave. Raises ValueError for anything else."""
    text = ast.literal_eval(str(value))
    if not isinstance(text, str):
        raise ValueError(f"the session answered with {type(text).__name__}")
    return text
