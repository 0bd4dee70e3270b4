"""Tridiagonal systems: the steps in plain numbers are those of LAPACK."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg.lapack  # noqa: F401  (with it, `solved` uses it)

from halfwave.fitting.search.tridiagonal import _solved_by_steps, solved


@pytest.mark.parametrize("size", [2, 3, 13, 40])
def test_steps_equal_lapack_and_solve_the_system(size: int) -> None:
    generator = np.random.default_rng(size)
    beside, target = generator.normal(size=size - 1), generator.normal(size=size)
    diagonal = np.abs(np.r_[beside, 0]) + np.abs(np.r_[0, beside]) + generator.uniform(0.1, 2, size)
    plain, fast = _solved_by_steps(diagonal, beside, target), solved(diagonal, beside, target)
    assert plain is not None
    assert fast is not None
    np.testing.assert_allclose(plain, fast, rtol=1e-12)
    matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    np.testing.assert_allclose(matrix @ plain, target, atol=1e-12)


@pytest.mark.parametrize("diagonal", [[1.0, 0.5, 3.0], [-1.0, 2.0, 2.0], [0.0, 1.0, 1.0]])
def test_what_is_not_positive_definite_has_no_solution(diagonal: list[float]) -> None:
    for way in (solved, _solved_by_steps):
        assert way(np.array(diagonal), np.array([1.0, 1.0]), np.ones(3)) is None
