"""How far a judge's verdicts agree with labels: agreement beyond chance, biases, calibration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""Half the width of a 95 % interval, in standard errors."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; None where the data say nothing about it."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


def share(hits: int, n: int) -> Estimate:
    """A proportion with Wilson's score interval (Wilson 1927)."""
    if n == 0:
        return Estimate(None)
    p, z2 = hits / n, Z_95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half))


def kappa(verdicts: Sequence[int], labels: Sequence[int]) -> Estimate:
    """Cohen's kappa of 0/1 verdicts and labels, with the large-sample interval of Fleiss, Cohen and Everitt (1969).

    No value where both say the same of everything: chance alone would agree as well.
    """
    n = len(verdicts)
    if n == 0:
        return Estimate(None)
    pairs = list(zip(verdicts, labels, strict=True))
    cell = [[sum(1 for pair in pairs if pair == (row, column)) / n for column in (0, 1)] for row in (0, 1)]
    rows = [sum(cell[row]) for row in (0, 1)]
    columns = [cell[0][column] + cell[1][column] for column in (0, 1)]
    observed = cell[0][0] + cell[1][1]
    chance = rows[0] * columns[0] + rows[1] * columns[1]
    if chance >= 1.0:
        return Estimate(None)
    value = (observed - chance) / (1 - chance)
    on_diagonal = sum(cell[i][i] * (1 - (rows[i] + columns[i]) * (1 - value)) ** 2 for i in (0, 1))
    off_diagonal = (1 - value) ** 2 * sum(cell[i][1 - i] * (columns[i] + rows[1 - i]) ** 2 for i in (0, 1))
    correction = (value - chance * (1 - value)) ** 2
    variance = max(0.0, on_diagonal + off_diagonal - correction) / ((1 - chance) ** 2 * n)
    half = Z_95 * math.sqrt(variance)
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))


def paired_difference(first: Sequence[int], second: Sequence[int]) -> Estimate:
    """The mean of `first` - `second` over pairs of 0/1 values, with a normal interval."""
    n = len(first)
    if n == 0:
        return Estimate(None)
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean = sum(differences) / n
    if n == 1:
        return Estimate(mean)
    variance = sum((difference - mean) ** 2 for difference in differences) / (n - 1)
    half = Z_95 * math.sqrt(variance / n)
    return Estimate(mean, max(-1.0, mean - half), min(1.0, mean + half))


def correlation(xs: Sequence[float], ys: Sequence[float]) -> Estimate:
    """Pearson's correlation, with Fisher's interval from four pairs on. No value where one of them does not vary."""
    n = len(xs)
    mean_x, mean_y = (sum(values) / n if n else 0.0 for values in (xs, ys))
    spread_x = math.sqrt(sum((x - mean_x) ** 2 for x in xs))
    spread_y = math.sqrt(sum((y - mean_y) ** 2 for y in ys))
    if spread_x < 1e-12 or spread_y < 1e-12:
        return Estimate(None)
    products = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    value = max(-1.0, min(1.0, products / (spread_x * spread_y)))
    if n < 4 or abs(value) > 1 - 1e-12:
        return Estimate(value)
    half = Z_95 / math.sqrt(n - 3)
    return Estimate(value, math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half))


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose score lies between two bounds."""

    low: float
    high: float
    n: int
    mean_score: float
    right: float
    """The share of them whose label is 1."""


def calibration(scores: Sequence[float], labels: Sequence[int], bins: int = 10) -> list[Bin]:
    """The curve of scores in [0, 1] against the share of right answers; bins of equal width that hold any row."""
    found: list[Bin] = []
    for number in range(bins):
        inside = [
            (score, label)
            for score, label in zip(scores, labels, strict=True)
            if min(int(score * bins), bins - 1) == number
        ]
        if inside:
            n = len(inside)
            mean = sum(score for score, _ in inside) / n
            found.append(Bin(number / bins, (number + 1) / bins, n, mean, sum(label for _, label in inside) / n))
    return found


def calibration_error(curve: Sequence[Bin]) -> float | None:
    """The mean distance of the curve from the diagonal, weighted by rows (expected calibration error)."""
    n = sum(entry.n for entry in curve)
    return sum(entry.n * abs(entry.mean_score - entry.right) for entry in curve) / n if n else None


def brier(scores: Sequence[float], labels: Sequence[int]) -> float | None:
    """The mean squared distance of score and label (Brier 1950): 0 is perfect, 0.25 is a coin."""
    pairs = list(zip(scores, labels, strict=True))
    return sum((score - label) ** 2 for score, label in pairs) / len(pairs) if pairs else None
