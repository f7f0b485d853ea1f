"""One interval."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Interval:
    """The numbers from `start`, which belongs to it, to `end`, which does not. Raises ValueError if end < start."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"the interval ends at {self.end}, before its start {self.start}")

    @property
    def length(self) -> float:
        return self.end - self.start

    @property
    def is_empty(self) -> bool:
        return self.start == self.end

    def __contains__(self, number: float) -> bool:
        return self.start <= number < self.end

    def overlaps(self, other: "Interval") -> bool:
        """Whether they have a number in common."""
        return max(self.start, other.start) < min(self.end, other.end)

    def touches(self, other: "Interval") -> bool:
        """Whether their union is one interval: they overlap, or one begins where the other ends."""
        return max(self.start, other.start) <= min(self.end, other.end)

    def intersection(self, other: "Interval") -> "Interval | None":
        """What both have, or None."""
        if not self.overlaps(other):
            return None
        return Interval(max(self.start, other.start), min(self.end, other.end))

    def shifted(self, distance: float) -> "Interval":
        return Interval(self.start + distance, self.end + distance)

    def clamped(self, number: float) -> float:
        """The nearest number to `number` between start and end."""
        return min(max(number, self.start), self.end)
