"""Running code nobody trusts: what an environment asks for and what it gets back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

RunStatus: TypeAlias = Literal["ok", "raised", "died", "cpu_limit", "wall_limit", "memory_limit"]
"""How a run ended: by itself, with an exception that nobody caught, without saying how (`os._exit`, a signal, a crash),
or at a limit. Only `ok` can be a success."""

SandboxPolicy: TypeAlias = Literal["strong", "weak"]
"""Which boundary a run accepts: the strongest that this machine offers and none that is weak, or the weak one."""


class Limits(BaseModel):
    """What one run may use. CPU time decides; the wall limit is for code that sleeps, generous for busy machines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_s: float = Field(default=10.0, gt=0)
    wall_s: float = Field(default=40.0, gt=0)
    memory_mb: int = Field(default=512, ge=64)
    """Of all processes of the run together, in MiB."""
    processes: int = Field(default=0, ge=0, le=4096)
    """Further processes and threads that the run may have at a time."""
    file_size_mb: int = Field(default=16, ge=0)
    """Of one file, in MiB."""
    open_files: int = Field(default=64, ge=8)
    output_bytes: int = Field(default=1 << 20, ge=0)
    """Of standard output and of standard error, each; what is beyond is dropped and noted."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Program:
    """A Python program and what is done with it."""

    code: str
    call: str | None = None
    """The function, or the method of a class `Solution`, that is called once for each input; without it the program
    itself is run on each input as its standard input."""


@dataclass(frozen=True, slots=True)
class Input:
    """What one run of a program is given."""

    stdin: str = ""
    arguments: tuple[Any, ...] = ()
    """Of the call: JSON values, and tuples, sets, bytes and complex numbers."""


@dataclass(frozen=True, slots=True)
class Check:
    """A solution and assertions about it. The tests run in a process of their own, which gets values, never objects."""

    solution: str
    tests: str
    """Python that asserts, and may use every top-level name of the solution."""
    call: str | None = None
    """A function of the tests that is called in the end, with `argument` as its only argument: HumanEval's `check`."""
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one run."""

    status: RunStatus
    output: str = ""
    """Standard output, at most `output_bytes` of it."""
    errors: str = ""
    """Standard error."""
    value: Any = None
    """What the call returned, by value, if it could be told by value."""
    error: str | None = None
    """Of what was raised: its class and text, such as `ZeroDivisionError: division by zero`."""
    error_repr: str | None = None
    """Of what was raised: its repr, such as `ZeroDivisionError('division by zero')`."""
    trace: str | None = None
    exit_code: int | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    truncated: bool = False
    """Whether output was dropped."""
    notes: tuple[str, ...] = field(default=())
    """What was cut or ended, in words: `standard output cut after 1048576 bytes`."""

    @property
    def ok(self) -> bool:
        return self.status == "ok"


class Interpreter(Protocol):
    """A Python process that keeps its names between runs."""

    async def run(self, code: str, *, wall_s: float | None = None) -> Run:
        """Run statements; `value` is the repr of a last expression. After `died` or a limit the names are gone, and the
        next run starts afresh."""
        ...

    async def close(self) -> None: ...


class Workspace(Protocol):
    """A folder with files and commands that run on them, in the sandbox or in a container."""

    @property
    def folder(self) -> str:
        """The path of the folder as commands see it."""
        ...

    async def run(
        self,
        command: str | Sequence[str],
        *,
        limits: Limits = DEFAULT_LIMITS,
        stdin: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a shell line, or a program with its arguments, in the folder. `exit_code` is its; a status of `ok` says
        only that it ended by itself. Nothing it started outlives it."""
        ...

    async def write(self, path: str, content: bytes) -> None:
        """Make a file; `path` is relative to the folder and stays inside."""
        ...

    async def read(self, path: str) -> bytes:
        """The content of a file. Raises FileNotFoundError."""
        ...


class Sandbox(Protocol):
    """Where untrusted code runs. Whatever breaks on our side raises Failure (`sandbox`), and is no verdict."""

    @property
    def backend(self) -> str:
        """`namespaces`, `landlock` or `weak`: recorded in every rollout that used it."""
        ...

    @property
    def is_strong(self) -> bool: ...

    def runs(
        self, program: Program, inputs: Sequence[Input], *, limits: Limits = DEFAULT_LIMITS, isolated: bool = True
    ) -> AsyncIterator[Run]:
        """One run an input, in order; ask for no more than are needed and close the iterator.

        `isolated` gives every input a fresh process; without it one process runs them all, until it dies.
        """
        ...

    async def run(self, program: Program, given: Input = Input(), *, limits: Limits = DEFAULT_LIMITS) -> Run:
        """One run of a program."""
        ...

    async def check(self, check: Check, *, limits: Limits = DEFAULT_LIMITS) -> Run:
        """Run assertions about a solution: `ok` says that all held."""
        ...

    def interpreter(
        self, *, limits: Limits = DEFAULT_LIMITS, prelude: str = ""
    ) -> AbstractAsyncContextManager[Interpreter]:
        """A stateful Python, with what `prelude` defines. `limits` hold for each run."""
        ...

    def workspace(
        self, files: Mapping[str, bytes], *, image: str | None = None, folder: str | None = None
    ) -> AbstractAsyncContextManager[Workspace]:
        """A folder with these files, removed in the end. With an `image`, in a container of it, at `folder`."""
        ...
