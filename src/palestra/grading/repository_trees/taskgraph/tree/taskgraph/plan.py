"""When tasks run."""

from dataclasses import dataclass

from taskgraph.graph import Graph


@dataclass(frozen=True)
class Slot:
    """A task on a worker, from `start` to `end`."""

    task: str
    worker: int
    start: float
    end: float


def finish_times(graph: Graph) -> dict[str, float]:
    """The earliest end of every task when there are workers enough."""
    ends: dict[str, float] = {}
    for name in graph.order():
        start = max((ends[other] for other in graph.needs[name]), default=0)
        ends[name] = start + graph.durations[name]
    return ends


def critical_path(graph: Graph) -> list[str]:
    """The chain of tasks that decides how long everything takes; of equals, the first by name."""
    ends = finish_times(graph)
    if not ends:
        return []
    current = min(ends, key=lambda name: (-ends[name], name))
    path = [current]
    while graph.needs[current]:
        current = min(graph.needs[current], key=lambda name: (-ends[name], name))
        path.append(current)
    return path[::-1]


def schedule(graph: Graph, workers: int) -> list[Slot]:
    """Tasks on a number of workers: each starts as early as it can, on the worker that has been free for longest.

    Tasks are placed in their order. Raises ValueError for less than one worker.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers cannot do anything")
    free = [0.0] * workers
    ends: dict[str, float] = {}
    slots: list[Slot] = []
    for name in graph.order():
        ready = max((ends[other] for other in graph.needs[name]), default=0)
        worker = min(range(workers), key=lambda index: (free[index], index))
        start = max(ready, free[worker])
        ends[name] = free[worker] = start + graph.durations[name]
        slots.append(Slot(name, worker, start, ends[name]))
    return slots
