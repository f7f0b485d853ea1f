"""Which rollouts a run owes: rows become jobs, one for each repeat that is not done yet."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from palestra.core.errors import describe
from palestra.core.task import content_hash


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the input: a row, or what is wrong with it."""

    content: Mapping[str, Any]
    origin: str
    """File and line, for messages."""
    problem: str | None = None


@dataclass(slots=True)
class Job:
    """One rollout to make."""

    row: Mapping[str, Any]
    environment: str
    task_hash: str
    task_index: int
    rollout_index: int
    attempt: int
    """0 the first time; the number of recorded failures before this try otherwise."""
    seed: int
    """In [0, 2**31); derives from run seed and key."""
    problem: str | None = None
    key: str = ""
    """The identity of the rollout: 32 hex digits. Found out if it is not given."""

    def __post_init__(self) -> None:
        self.key = self.key or rollout_key(self.environment, self.task_hash, self.rollout_index)


class Ledger(Protocol):
    """Knows which rollouts are done, in constant memory a task."""

    def claim(self, identity: bytes, repeats: int) -> tuple[int, list[tuple[int, int]]]:
        """The task's index, and (rollout index, attempt) of each of the `repeats` next rollouts that is owed.

        Called once for each row of the input; a row that occurs again owes further rollouts of the same task.
        """
        ...


def rollout_key(environment: str, task_hash: str, rollout_index: int) -> str:
    return hashlib.sha256(f"{environment}\0{task_hash}\0{rollout_index}".encode()).hexdigest()[:32]


def task_identity(environment: str, task_hash: str) -> bytes:
    """What a ledger knows a task by: 16 bytes."""
    return hashlib.blake2b(f"{environment}\0{task_hash}".encode(), digest_size=16).digest()


def jobs(
    rows: Iterable[Row], ledger: Ledger, *, environment_of: Callable[[Row], str], repeats: int, seed: int
) -> Iterator[Job]:
    """The rollouts owed, in the order of the rows, repeats next to each other."""
    for given in rows:
        row, task_hash = identified(given)
        environment = environment_of(row)
        task_index, owed = ledger.claim(task_identity(environment, task_hash), repeats)
        for rollout_index, attempt in owed:
            key = rollout_key(environment, task_hash, rollout_index)
            yield Job(
                row=row.content,
                environment=environment,
                task_hash=task_hash,
                task_index=task_index,
                rollout_index=rollout_index,
                attempt=attempt,
                seed=derived_seed(seed, key),
                problem=row.problem,
                key=key,
            )


def identified(row: Row) -> tuple[Row, str]:
    """The row and its content hash. A row whose content cannot be hashed is replaced by one that says so."""
    try:
        return row, content_hash(row.content)
    except (TypeError, ValueError, RecursionError) as error:
        content = {"invalid_row": row.origin}
        return Row(content, row.origin, f"{row.origin} cannot be used: {describe(error)}"), content_hash(content)


def derived_seed(seed: int, key: str) -> int:
    digest = hashlib.sha256(f"{seed}\0{key}".encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFFFFFF
