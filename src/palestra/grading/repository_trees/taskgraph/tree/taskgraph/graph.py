"""Tasks, their durations and what they wait for."""

from collections.abc import Iterable


class CycleError(ValueError):
    """Tasks wait for each other in a circle: `cycle` names them, the first again at the end."""

    def __init__(self, cycle: list[str]) -> None:
        super().__init__(" -> ".join(cycle))
        self.cycle = cycle


class Graph:
    """Tasks by name. A task may name others that are added later."""

    def __init__(self) -> None:
        self.durations: dict[str, float] = {}
        self.needs: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, duration: float = 1, needs: Iterable[str] = ()) -> None:
        """Raises ValueError if the name is taken or the duration negative."""
        if name in self.durations:
            raise ValueError(f"there is a task {name!r} already")
        if duration < 0:
            raise ValueError(f"{name!r} cannot take {duration}")
        self.durations[name] = duration
        self.needs[name] = tuple(dict.fromkeys(needs))

    def check(self) -> None:
        """Raises ValueError for a task that is needed and missing, CycleError for a circle."""
        for name, needed in self.needs.items():
            for other in needed:
                if other not in self.durations:
                    raise ValueError(f"{name!r} needs {other!r}, which does not exist")
        cycle = self._cycle()
        if cycle:
            raise CycleError(cycle)

    def order(self) -> list[str]:
        """All tasks, each after what it needs; of those that could come next, the first by name."""
        return [name for level in self._rounds(one=True) for name in level]

    def levels(self) -> list[list[str]]:
        """Groups that can run at the same time, each after all that went before; names sorted."""
        return self._rounds(one=False)

    def dependents(self, name: str) -> set[str]:
        """All tasks that wait for one, directly or not."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            for other, needed in self.needs.items():
                if current in needed and other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def _rounds(self, one: bool) -> list[list[str]]:
        self.check()
        done: set[str] = set()
        rounds: list[list[str]] = []
        while len(done) < len(self.durations):
            ready = sorted(name for name in self.durations if name not in done and done.issuperset(self.needs[name]))
            rounds.append(ready[:1] if one else ready)
            done.update(rounds[-1])
        return rounds

    def _cycle(self) -> list[str]:
        finished: set[str] = set()
        for start in sorted(self.durations):
            path: list[str] = []
            found = self._walk(start, path, finished)
            if found:
                return found
        return []

    def _walk(self, name: str, path: list[str], finished: set[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return []
        path.append(name)
        for other in self.needs[name]:
            found = self._walk(other, path, finished)
            if found:
                return found
        path.pop()
        finished.add(name)
        return []
