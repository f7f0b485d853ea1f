"""The files of one run, named after its output."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from palestra.core.errors import PalestraError
from palestra.store.files import synchronize, synchronize_folder

FAILURES = "_failures.jsonl"
INPUTS = "_materialized_inputs.jsonl"
QUARANTINE = "_quarantine.jsonl"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """`rollouts.jsonl` and the files beside it."""

    rollouts: Path

    @classmethod
    def containing(cls, path: Path) -> "RunPaths":
        """The run that a file belongs to: as its rollouts, or as the file of failures or inputs beside them."""
        for suffix in (FAILURES, INPUTS):
            rollouts = path.with_name(path.name.removesuffix(suffix) + ".jsonl")
            if path.name.endswith(suffix) and rollouts.exists():
                return cls(rollouts)
        return cls(path)

    def beside(self, suffix: str) -> Path:
        return self.rollouts.with_name(self.rollouts.stem + suffix)

    @property
    def failures(self) -> Path:
        return self.beside(FAILURES)

    @property
    def inputs(self) -> Path:
        return self.beside(INPUTS)

    @property
    def metrics(self) -> Path:
        return self.beside("_aggregate_metrics.json")

    @property
    def profile(self) -> Path:
        """A line for each task: its row, and how its rollouts went."""
        return self.beside("_reward_profiling.jsonl")

    @property
    def run(self) -> Path:
        """What the run was: environments, options, model, agent, sampling, seed."""
        return self.beside("_run.json")

    @property
    def quarantine(self) -> Path:
        """What does not count: half-written, damaged and repeated lines, moved here and never deleted."""
        return self.beside(QUARANTINE)

    def is_used(self) -> bool:
        """Whether a run wrote here, also one that has no rollout yet."""
        return any(path.exists() and path.stat().st_size > 0 for path in (self.rollouts, self.failures, self.inputs))

    def forked(self) -> "RunPaths":
        """The first unused `<stem>_fork<N>` beside this one, N from 2."""
        number = 2
        while True:
            fork = RunPaths(self.rollouts.with_name(f"{self.rollouts.stem}_fork{number}{self.rollouts.suffix}"))
            if not fork.is_used() and not fork.run.exists():
                return fork
            number += 1


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Tell the user what to mend when `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A file that takes the place of `path` when it is whole and safe on disk, or leaves it as it was.

    Raises PalestraError if it cannot be written.
    """
    # Two processes may replace the same file: each writes its own, and the last one stays.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    with writing(path):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                synchronize(file.fileno())
            temporary.replace(path)
            synchronize_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def unwritable(path: Path, error: OSError) -> PalestraError:
    # The error may be about another file: a folder on the way, or one that is written beside the output.
    about = f" ({error.filename})" if error.filename not in (None, str(path)) else ""
    return PalestraError("output-unwritable", f"{path} cannot be written: {error.strerror}{about}")
