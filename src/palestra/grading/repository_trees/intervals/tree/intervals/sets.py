"""Sets of intervals, kept sorted, apart from each other and without empty ones."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from intervals.interval import Interval


class IntervalSet:
    """Numbers as a union of intervals. It never changes; operations make new sets."""

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self._intervals = tuple(merged(intervals))

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._intervals)

    def __len__(self) -> int:
        return len(self._intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self._intervals == other._intervals

    def __hash__(self) -> int:
        return hash(self._intervals)

    def __repr__(self) -> str:
        return " ".join(f"[{interval.start}, {interval.end})" for interval in self) or "empty"

    def __contains__(self, number: float) -> bool:
        index = bisect_right(self._intervals, number, key=lambda interval: interval.start)
        return index > 0 and number in self._intervals[index - 1]

    @property
    def length(self) -> float:
        """How much the set covers."""
        return sum(interval.length for interval in self)

    @property
    def hull(self) -> Interval | None:
        """The smallest interval around the set, or None if it is empty."""
        if not self._intervals:
            return None
        return Interval(self._intervals[0].start, self._intervals[-1].end)

    def __or__(self, other: "IntervalSet") -> "IntervalSet":
        return IntervalSet([*self, *other])

    def __and__(self, other: "IntervalSet") -> "IntervalSet":
        found: list[Interval] = []
        left, right = list(self), list(other)
        while left and right:
            common = left[0].intersection(right[0])
            if common is not None:
                found.append(common)
            shorter = left if left[0].end <= right[0].end else right
            shorter.pop(0)
        return IntervalSet(found)

    def __sub__(self, other: "IntervalSet") -> "IntervalSet":
        kept: list[Interval] = []
        for interval in self:
            start = interval.start
            for hole in other:
                if hole.end <= start or hole.start >= interval.end:
                    continue
                if hole.start > start:
                    kept.append(Interval(start, hole.start))
                start = max(start, hole.end)
            if start < interval.end:
                kept.append(Interval(start, interval.end))
        return IntervalSet(kept)

    def gaps(self) -> "IntervalSet":
        """What lies between the intervals of the set."""
        hull = self.hull
        return IntervalSet() if hull is None else IntervalSet([hull]) - self

    def overlap_with(self, interval: Interval) -> float:
        """How much of an interval the set covers, as a length."""
        return (self & IntervalSet([interval])).length


def merged(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """The same numbers as few intervals as possible, in order."""
    current: Interval | None = None
    for interval in sorted(intervals):
        if interval.is_empty:
            continue
        if current is None:
            current = interval
        elif current.touches(interval):
            current = Interval(current.start, max(current.end, interval.end))
        else:
            yield current
            current = interval
    if current is not None:
        yield current
