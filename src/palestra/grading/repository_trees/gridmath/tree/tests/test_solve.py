from fractions import Fraction

import pytest
from gridmath import Matrix, ShapeError, SingularError, determinant, inverse, rank, solve

A = Matrix([[1, 2], [3, 4]])
ZERO_FIRST = Matrix([[0, 2, 1], [1, 0, 3], [2, 1, 0]])
SINGULAR = Matrix([[1, 2], [2, 4]])
WIDE = Matrix([[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("rows", "value"),
    [([[7]], 7), ([[1, 2], [3, 4]], -2), ([[2, 0], [0, 3]], 6), ([[1, 2], [2, 4]], 0), ([[0, 0], [0, 0]], 0)],
)
def test_determinant(rows, value):
    assert determinant(Matrix(rows)) == value


def test_every_exchange_of_rows_turns_the_sign():
    assert determinant(Matrix([[0, 1], [1, 0]])) == -1
    assert determinant(Matrix([[0, 1, 0], [0, 0, 1], [1, 0, 0]])) == 1
    assert determinant(ZERO_FIRST) == 13


def test_determinant_of_a_product():
    assert determinant(A @ A) == determinant(A) ** 2


@pytest.mark.parametrize("function", [determinant, inverse])
def test_only_square_ones(function):
    with pytest.raises(ShapeError):
        function(WIDE)


def test_rank():
    assert rank(A) == 2
    assert rank(SINGULAR) == 1
    assert rank(WIDE) == 2
    assert rank(Matrix([[0, 0]])) == 0
    assert rank(Matrix([[0, 0, 2], [0, 0, 3]])) == 1


def test_inverse():
    assert inverse(A) == Matrix([[-2, 1], [Fraction(3, 2), Fraction(-1, 2)]])
    assert ZERO_FIRST @ inverse(ZERO_FIRST) == Matrix.identity(3)


def test_singular_matrices_have_no_inverse():
    with pytest.raises(SingularError, match="no inverse"):
        inverse(SINGULAR)


def test_solve():
    assert solve(A, [5, 11]) == [1, 2]
    assert solve(ZERO_FIRST, [7, 10, 4]) == [1, 2, 3]


def test_solutions_are_exact():
    assert solve(Matrix([[3]]), [1]) == [Fraction(1, 3)]


def test_more_equations_than_unknowns():
    assert solve(Matrix([[1, 0], [0, 1], [1, 1]]), [2, 3, 5]) == [2, 3]


def test_contradictions():
    with pytest.raises(SingularError, match="contradict"):
        solve(Matrix([[1, 0], [0, 1], [1, 1]]), [2, 3, 6])
    with pytest.raises(SingularError, match="contradict"):
        solve(SINGULAR, [1, 3])


def test_many_solutions():
    with pytest.raises(SingularError, match="many solutions"):
        solve(SINGULAR, [1, 2])
    with pytest.raises(SingularError, match="many solutions"):
        solve(WIDE, [1, 2])


def test_one_value_a_row():
    with pytest.raises(ShapeError, match="2 equations, 3 values"):
        solve(A, [1, 2, 3])
