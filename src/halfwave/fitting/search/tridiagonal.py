"""Symmetric positive definite tridiagonal systems of some tens of unknowns: the heights of a fit at its knots."""

from __future__ import annotations

import numpy as np

from halfwave.functions.double_double import Vector


def solved(diagonal: Vector, beside: Vector, target: Vector) -> Vector | None:
    """The solution (m,) of a symmetric tridiagonal system; None unless the matrix is positive definite.

    Plain numbers in a loop: for as few unknowns as a fit has knots that is as fast as `scipy.linalg.lapack.dptsv`,
    which takes the same steps, and importing that would take longer than a fit of 100,000 points.

    Args:
        diagonal: of the matrix (m,).
        beside: next to the diagonal (m − 1,).
        target: the right-hand side (m,).

    Source: Golub and Van Loan (2013), Matrix Computations, algorithm 4.3.6.

    >>> solved(np.array([2.0, 2.0]), np.array([1.0]), np.array([4.0, 5.0]))
    array([1., 2.])
    """
    pivots, right = diagonal.tolist(), target.tolist()
    factors = []
    pivot, pull = pivots[0], right[0]
    for i, off in enumerate(beside.tolist(), 1):
        if not pivot > 0:
            return None
        factor = off / pivot
        factors.append(factor)
        pivots[i] = pivot = pivots[i] - factor * off
        right[i] = pull = right[i] - factor * pull
    if not pivot > 0:
        return None
    right[-1] = value = pull / pivot
    for i in range(len(factors) - 1, -1, -1):
        right[i] = value = right[i] / pivots[i] - factors[i] * value
    return np.array(right)
