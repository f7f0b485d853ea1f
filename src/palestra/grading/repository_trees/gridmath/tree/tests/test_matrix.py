from fractions import Fraction

import pytest
from gridmath import Matrix, ShapeError

A = Matrix([[1, 2], [3, 4]])
B = Matrix([[0, 1], [1, 0]])
WIDE = Matrix([[1, 2, 3], [4, 5, 6]])


def test_shape():
    assert A.shape == (2, 2)
    assert WIDE.shape == (2, 3)
    assert A.is_square
    assert not WIDE.is_square


@pytest.mark.parametrize("rows", [[], [[]], [[1, 2], [3]]])
def test_what_is_no_matrix(rows):
    with pytest.raises(ShapeError):
        Matrix(rows)


def test_cells():
    assert WIDE[1, 0] == 4
    assert WIDE[0, 2] == 3


def test_sum_and_difference():
    assert Matrix([[1, 3], [4, 4]]) == A + B
    assert Matrix([[1, 1], [2, 4]]) == A - B
    assert Matrix([[-1, -2], [-3, -4]]) == -A


def test_sum_of_different_shapes():
    with pytest.raises(ShapeError, match=r"\(2, 3\) to \(2, 2\)"):
        A + WIDE


def test_multiples():
    assert A * 2 == 2 * A == Matrix([[2, 4], [6, 8]])
    assert A * Fraction(1, 2) == Matrix([[Fraction(1, 2), 1], [Fraction(3, 2), 2]])


def test_product():
    assert Matrix([[2, 1], [4, 3]]) == A @ B
    assert Matrix([[3, 4], [1, 2]]) == B @ A


def test_product_of_different_shapes():
    assert Matrix([[9, 12, 15], [19, 26, 33]]) == A @ WIDE
    with pytest.raises(ShapeError, match="cannot multiply"):
        WIDE @ A


def test_product_with_a_column():
    assert WIDE @ Matrix([[1], [0], [-1]]) == Matrix([[-2], [-2]])


def test_identity():
    assert A @ Matrix.identity(2) == A
    assert Matrix.identity(3)[1, 1] == 1
    assert Matrix.identity(3)[1, 2] == 0


def test_powers():
    assert Matrix.identity(2) == A**0
    assert A**1 == A
    assert A**3 == A @ A @ A
    assert Matrix([[1, 1], [1, 0]]) ** 10 == Matrix([[89, 55], [55, 34]])


def test_powers_that_do_not_exist():
    with pytest.raises(ShapeError):
        WIDE**2
    with pytest.raises(ValueError, match="inverse"):
        A**-1


def test_transposed():
    assert WIDE.transposed() == Matrix([[1, 4], [2, 5], [3, 6]])
    assert A.transposed().transposed() == A


def test_trace():
    assert A.trace() == 5
    with pytest.raises(ShapeError):
        WIDE.trace()


def test_without():
    assert WIDE.without(0, 1) == Matrix([[4, 6]])


def test_equal_matrices_have_equal_hashes():
    assert hash(Matrix([[Fraction(2, 2)]])) == hash(Matrix([[1]]))


def test_repr():
    assert repr(A * Fraction(1, 2)) == "[1/2 1; 3/2 2]"
