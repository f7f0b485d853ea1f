"""Files of hostile programs: one case a line, and what must hold for it to count as stopped."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palestra.core.errors import PalestraError
from palestra.core.tools import validation_text
from palestra.data.load import rows_of_file

HONEST = "print(int(input()) ** 2)\n"
"""What is run before and after each case; if it fails afterwards, the case was not stopped."""
HIDDEN_TESTS = ((5, 25), (7, 49), (12, 144))
"""Of "square the number": inputs and expected outputs."""


class Detect(BaseModel):
    """What must hold, seen from outside; None where a case does not ask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    procs_max: int | None = Field(default=None, ge=0)
    """The most new processes at a time."""
    tasks_max: int | None = Field(default=None, ge=0)
    """The most new threads at a time, those of processes included."""
    mem_max: bool = False
    """The memory of the whole tree stays under the sandbox's limit."""
    wall_max: bool = False
    """The call returns within its wall limit and ten seconds."""
    output_max: int | None = Field(default=None, ge=0)
    """The most bytes that are kept of its output."""
    no_survivor: bool = False
    """No process of the case is left."""
    no_connection: bool = False
    """Nothing reached the listeners."""
    path_absent: str | None = None
    path_present: str | None = None
    path_content: str | None = None
    """A path that still holds the canary."""
    stdout_absent: str | None = None
    """A text that the program did not get to print."""
    stdout_int_max: int | None = None
    """The program printed `N <number>`, at most this one."""
    runner_alive: bool = False
    helper_alive: bool = False
    next_ok: bool = False
    verdict: Literal["fail"] | None = None
    """The solution was judged wrong."""


class Case(BaseModel):
    """One hostile program."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    category: str = "other"
    kind: Literal["safety", "grade"] = "safety"
    """Run once on the input 5, or judged as a solution of "square the number"."""
    mode: Literal["stdio", "fn"] = "stdio"
    code: str
    detect: Detect

    def filled(self, places: Mapping[str, str]) -> "Case":
        """The case with its placeholders replaced."""
        detect = {name: replaced(value, places) for name, value in self.detect.model_dump(exclude_unset=True).items()}
        return self.model_copy(update={"code": replaced(self.code, places), "detect": Detect.model_validate(detect)})


def replaced(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace(f"{{{name}}}", text)
    return value


def read_corpus(path: Path) -> Iterator[Case]:
    """The cases of a file. Raises PalestraError naming the line and field that is wrong."""
    for row in rows_of_file(path):
        if row.problem is not None:
            raise PalestraError("invalid-row", row.problem)
        try:
            yield Case.model_validate(row.content)
        except ValidationError as error:
            raise PalestraError("invalid-row", f"{row.origin}: {validation_text(error)}") from error
