"""The matrix and what needs no elimination."""

from collections.abc import Iterable, Iterator
from fractions import Fraction


class ShapeError(ValueError):
    """The sizes of matrices do not fit."""


class Matrix:
    """Rows of fractions. It never changes. Raises ShapeError if rows are of different lengths or there are none."""

    def __init__(self, rows: Iterable[Iterable[int | Fraction]]) -> None:
        self.rows = tuple(tuple(Fraction(cell) for cell in row) for row in rows)
        if not self.rows or not self.rows[0]:
            raise ShapeError("a matrix has at least one cell")
        if len({len(row) for row in self.rows}) > 1:
            raise ShapeError("rows are of different lengths")

    @classmethod
    def identity(cls, size: int) -> "Matrix":
        return cls([[int(row == column) for column in range(size)] for row in range(size)])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.rows[0])

    @property
    def is_square(self) -> bool:
        return self.shape[0] == self.shape[1]

    @property
    def columns(self) -> Iterator[tuple[Fraction, ...]]:
        return zip(*self.rows, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matrix) and self.rows == other.rows

    def __hash__(self) -> int:
        return hash(self.rows)

    def __repr__(self) -> str:
        return "[" + "; ".join(" ".join(map(str, row)) for row in self.rows) + "]"

    def __getitem__(self, place: tuple[int, int]) -> Fraction:
        row, column = place
        return self.rows[row][column]

    def __add__(self, other: "Matrix") -> "Matrix":
        if self.shape != other.shape:
            raise ShapeError(f"cannot add {other.shape} to {self.shape}")
        pairs = zip(self.rows, other.rows, strict=True)
        return Matrix([a + b for a, b in zip(left, right, strict=True)] for left, right in pairs)

    def __neg__(self) -> "Matrix":
        return self * -1

    def __sub__(self, other: "Matrix") -> "Matrix":
        return self + -other

    def __mul__(self, number: int | Fraction) -> "Matrix":
        return Matrix([cell * number for cell in row] for row in self.rows)

    __rmul__ = __mul__

    def __matmul__(self, other: "Matrix") -> "Matrix":
        if self.shape[1] != other.shape[0]:
            raise ShapeError(f"cannot multiply {self.shape} by {other.shape}")
        columns = list(other.columns)
        return Matrix([sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in self.rows)

    def __pow__(self, exponent: int) -> "Matrix":
        """By repeated squaring. Raises ShapeError unless square, ValueError for negative exponents."""
        if not self.is_square:
            raise ShapeError(f"{self.shape} has no powers")
        if exponent < 0:
            raise ValueError("a negative power needs the inverse")
        result, square = Matrix.identity(self.shape[0]), self
        while exponent:
            if exponent & 1:
                result = result @ square
            square = square @ square
            exponent >>= 1
        return result

    def transposed(self) -> "Matrix":
        return Matrix(self.columns)

    def trace(self) -> Fraction:
        """The sum of the diagonal. Raises ShapeError unless square."""
        if not self.is_square:
            raise ShapeError(f"{self.shape} has no trace")
        return sum((self.rows[index][index] for index in range(self.shape[0])), Fraction(0))

    def without(self, row: int, column: int) -> "Matrix":
        """The matrix without a row and a column."""
        return Matrix(
            [cell for index, cell in enumerate(cells) if index != column]
            for number, cells in enumerate(self.rows)
            if number != row
        )
