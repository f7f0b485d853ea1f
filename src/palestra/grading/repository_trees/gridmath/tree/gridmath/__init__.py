"""Matrices of exact fractions."""

from gridmath.matrix import Matrix, ShapeError
from gridmath.solve import SingularError, determinant, inverse, rank, solve

__all__ = ["Matrix", "ShapeError", "SingularError", "determinant", "inverse", "rank", "solve"]
