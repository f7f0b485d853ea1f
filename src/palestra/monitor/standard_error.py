"""How far a mean may be from the truth: standard errors over tasks, and 95 % intervals."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

CONFIDENCE = 0.95
EXACT_BELOW = 200
"""Degrees of freedom from which on the expansion of Student's quantile is right to ten digits."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations from the mean of some numbers."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @staticmethod
    def of(values: Sequence[float]) -> "Moments":
        if not values:
            return Moments()
        mean = math.fsum(values) / len(values)
        return Moments(len(values), mean, math.fsum((value - mean) ** 2 for value in values))

    def merged(self, other: "Moments") -> "Moments":
        """The moments of both sets of numbers together (Chan, Golub and LeVeque 1983)."""
        if not self.count or not other.count:
            return self if self.count else other
        count, apart = self.count + other.count, other.mean - self.mean
        squares = self.squares + other.squares + apart * apart * self.count * other.count / count
        return Moments(count, self.mean + apart * other.count / count, squares)

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean, sqrt(sum (x - mean)^2 / (n (n - 1))); None for fewer than two numbers."""
        return math.sqrt(self.squares / (self.count - 1) / self.count) if self.count > 1 else None


def clustered_standard_error(clusters: Iterable[Sequence[float]], mean: float) -> tuple[float, int]:
    """Cluster-robust standard error of the mean over all values, and the number of clusters that have a value.

    With clusters c of values x_ci and n values in all: sqrt(sum_c (sum_i (x_ci - mean))^2) / n. Written out, this is
    the sum of all products of deviations within a cluster: Miller 2024, "Adding Error Bars to Evals"
    (arXiv 2411.00640), section 2.2, without a small-sample correction (CR0). Rollouts of one task are no independent
    draws: the plain error is too small by up to sqrt(rollouts of a task).
    """
    squares, count, filled = 0.0, 0, 0
    for values in clusters:
        deviation = math.fsum([value - mean for value in values])
        squares += deviation * deviation
        count += len(values)
        filled += bool(values)
    return (math.sqrt(squares) / count if count else 0.0), filled


def independent_standard_error(values: Sequence[float], mean: float) -> float:
    """The same where each of the values, of which there is one at least, is a cluster of its own."""
    squares = 0.0
    for value in values:
        deviation = value - mean
        squares += deviation * deviation
    return math.sqrt(squares) / len(values)


def interval_entries(name: str, mean: float, standard_error: float, clusters: int) -> dict[str, float]:
    """`<name>/std_err`, `<name>/ci95_low` and `<name>/ci95_high`; the interval is mean +- t(clusters - 1) errors.

    Student's quantile, not the normal one: with ten tasks the normal interval holds the truth in 92 % of all cases.
    Intervals are not cut to the range of the metric.
    """
    margin = student_quantile(clusters - 1) * standard_error
    return {f"{name}/std_err": standard_error, f"{name}/ci95_low": mean - margin, f"{name}/ci95_high": mean + margin}


@lru_cache(maxsize=4096)
def student_quantile(degrees: int) -> float:
    """The t that Student's distribution exceeds on neither side with probability 0.95. Raises ValueError below 1.

    Abramowitz and Stegun 1964: the finite sums 26.7.3 and 26.7.4, inverted by bisection, below 200 degrees of freedom;
    the expansion 26.7.5 from there on.
    """
    if degrees < 1:
        raise ValueError(f"Student's distribution needs at least 1 degree of freedom, got {degrees}")
    if degrees >= EXACT_BELOW:
        return expanded_quantile(degrees)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if central_probability(middle, degrees) < CONFIDENCE else (low, middle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def central_probability(angle: float, degrees: int) -> float:
    """P(|T| < t) for t = sqrt(degrees) tan(angle)."""
    cosine = math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for index in range(3 if odd else 2, degrees, 2):
        term *= cosine * cosine * (index - 1) / index
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def expanded_quantile(degrees: int) -> float:
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    square = z * z
    terms = (
        z,
        z * (square + 1) / 4,
        z * ((5 * square + 16) * square + 3) / 96,
        z * (((3 * square + 19) * square + 17) * square - 15) / 384,
        z * ((((79 * square + 776) * square + 1482) * square - 1920) * square - 945) / 92160,
    )
    return math.fsum(term / degrees**power for power, term in enumerate(terms))
