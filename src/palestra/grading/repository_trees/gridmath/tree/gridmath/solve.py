"""What needs elimination."""

from collections.abc import Sequence
from fractions import Fraction

from gridmath.matrix import Matrix, ShapeError


class SingularError(ArithmeticError):
    """The matrix has no inverse, or the equations no single solution."""


def reduced(matrix: Matrix, limit: int | None = None) -> tuple[list[list[Fraction]], list[int], Fraction]:
    """The reduced echelon form, the columns of its pivots, and the product of pivots with the sign of exchanges.

    Pivots are looked for in the first `limit` columns only.
    """
    rows = [list(row) for row in matrix.rows]
    pivots: list[int] = []
    factor = Fraction(1)
    for column in range(matrix.shape[1] if limit is None else limit):
        top = len(pivots)
        found = next((index for index in range(top, len(rows)) if rows[index][column]), None)
        if found is None:
            continue
        if found != top:
            rows[top], rows[found] = rows[found], rows[top]
            factor = -factor
        pivot = rows[top][column]
        factor *= pivot
        rows[top] = [cell / pivot for cell in rows[top]]
        for index, row in enumerate(rows):
            if index != top and row[column]:
                times = row[column]
                rows[index] = [cell - times * above for cell, above in zip(row, rows[top], strict=True)]
        pivots.append(column)
    return rows, pivots, factor


def determinant(matrix: Matrix) -> Fraction:
    """Raises ShapeError unless square."""
    if not matrix.is_square:
        raise ShapeError(f"{matrix.shape} has no determinant")
    _, pivots, factor = reduced(matrix)
    return factor if len(pivots) == matrix.shape[0] else Fraction(0)


def rank(matrix: Matrix) -> int:
    """How many rows are independent of each other."""
    return len(reduced(matrix)[1])


def inverse(matrix: Matrix) -> Matrix:
    """Raises ShapeError unless square, SingularError if there is none."""
    if not matrix.is_square:
        raise ShapeError(f"{matrix.shape} has no inverse")
    size = matrix.shape[0]
    unit = Matrix.identity(size)
    rows, pivots, _ = reduced(Matrix([*left, *right] for left, right in zip(matrix.rows, unit.rows, strict=True)), size)
    if len(pivots) < size:
        raise SingularError("the matrix has no inverse")
    return Matrix(row[size:] for row in rows)


def solve(matrix: Matrix, values: Sequence[int | Fraction]) -> list[Fraction]:
    """The x for which matrix @ x = values; there may be more equations than unknowns.

    Raises ShapeError unless there is one value a row, SingularError if there is no solution or more than one.
    """
    if len(values) != matrix.shape[0]:
        raise ShapeError(f"{matrix.shape[0]} equations, {len(values)} values")
    unknowns = matrix.shape[1]
    rows, pivots, _ = reduced(Matrix([*row, value] for row, value in zip(matrix.rows, values, strict=True)), unknowns)
    if any(row[unknowns] for row in rows[len(pivots) :]):
        raise SingularError("the equations contradict each other")
    if len(pivots) < unknowns:
        raise SingularError("the equations have many solutions")
    return [row[unknowns] for row in rows[:unknowns]]
