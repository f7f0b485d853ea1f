"""A few threads that share the rows of a matrix product, each with a single-threaded BLAS."""

import ctypes
import os
from collections.abc import Callable
from itertools import product
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

from numpy import linalg

MOST_THREADS = 4
"""With more, a thread's rows are so few that OpenBLAS takes another kernel for narrow products, which rounds apart."""


Task: TypeAlias = Callable[[int], None]


class Threads:
    """Runs a task in parts.

    BLAS's own threads wait for each other in a spin: beside other busy processes, two of them were two to eight times
    slower than one. These wait asleep, on queues, which wake a thread sooner than an executor does.
    """

    def __init__(self) -> None:
        self.count = min(available_cores(), MOST_THREADS) if limit_blas_to_one_thread() else 1
        self._tasks: list[SimpleQueue[Task | None]] = [SimpleQueue() for _ in range(1, self.count)]
        self._outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
        for part, tasks in enumerate(self._tasks, start=1):
            Thread(target=self._serve, args=(part, tasks), name="palestra-embedded-part", daemon=True).start()

    def run(self, task: Task) -> None:
        """Call `task(part)` for every part of `count`, all at once, and wait; an error in any is raised."""
        for tasks in self._tasks:
            tasks.put(task)
        outcomes = [outcome(task, 0), *(self._outcomes.get() for _ in self._tasks)]
        error = next((each for each in outcomes if each is not None), None)
        if error is not None:
            raise error

    def share(self, rows: int, part: int) -> slice:
        """The rows that belong to a part."""
        return slice(rows * part // self.count, rows * (part + 1) // self.count)

    def close(self) -> None:
        for tasks in self._tasks:
            tasks.put(None)

    def _serve(self, part: int, tasks: "SimpleQueue[Task | None]") -> None:
        while (task := tasks.get()) is not None:
            self._outcomes.put(outcome(task, part))


def outcome(task: Task, part: int) -> BaseException | None:
    """The error of the task, if it has one."""
    try:
        task(part)
    except BaseException as error:  # it is raised again where the parts meet
        return error
    return None


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_blas_to_one_thread() -> bool:
    """For the whole process, if numpy's BLAS is an OpenBLAS; otherwise False, and BLAS keeps its own threads."""
    extension = getattr(linalg, "_umath_linalg", None)
    if extension is None or not hasattr(extension, "__file__"):
        return False
    library = ctypes.CDLL(extension.__file__)
    names = ("".join(parts) for parts in product(("scipy_", ""), ("openblas_set_num_threads",), ("64_", "")))
    setter = next((getattr(library, name) for name in names if hasattr(library, name)), None)
    if setter is None:
        return False
    setter(1)
    return True
