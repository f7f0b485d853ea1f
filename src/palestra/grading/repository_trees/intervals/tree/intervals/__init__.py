"""Half-open intervals of numbers and sets of them."""

from intervals.interval import Interval
from intervals.sets import IntervalSet

__all__ = ["Interval", "IntervalSet"]
