"""Sums of oblique hinges fitted to data: recovery, derivatives of the engine, invariance, bad input."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from surface_cases import hinge_data, rms

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.hinge_problem import HingeProblem
from halfwave.fitting.several_variables.hinge_sum import HingeSum
from halfwave.fitting.several_variables.hinges import fit_hinge_sum

X, Y, _ = hinge_data(600, seed=4, terms=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_sum_is_recovered(seed: int) -> None:
    x, y, truth = hinge_data(4000, seed)
    fit = fit_hinge_sum(x, y, terms=6)
    fresh = np.random.default_rng(seed + 100).normal(size=(4000, 3))
    # Noise in the 28 numbers gives 0.3 √(28/4000) = 0.025; the anchor, the best of four networks, had 0.05.
    assert rms(fit.function(fresh) - truth(fresh)) < 0.05
    assert fit.sse == pytest.approx(((y - fit.function(x)) ** 2).sum(), rel=1e-12)
    assert min(fit.sums) == pytest.approx(fit.sse, rel=1e-9)


def test_exact_data_are_recovered_exactly() -> None:
    x, y, truth = hinge_data(2000, seed=8, noise=0.0, terms=4)
    fit = fit_hinge_sum(x, y, terms=4)
    fresh = np.random.default_rng(0).normal(size=(1000, 3))
    assert rms(fit.function(fresh) - truth(fresh)) < 1e-9
    np.testing.assert_allclose(np.linalg.norm(fit.function.slopes, axis=1), 1, rtol=1e-12)


def test_no_terms_is_the_plane() -> None:
    plane = fit_hinge_sum(X, Y, terms=0).function
    solution = np.linalg.lstsq(np.column_stack((np.ones(len(X)), X)), Y, rcond=None)[0]
    np.testing.assert_allclose([plane.offset, *plane.slope], solution, rtol=1e-9)


def test_corner_is_no_sum_of_hinges() -> None:
    # A finite sum of hinges has kinks along whole lines; those of the corner end at the origin.
    x = np.random.default_rng(0).normal(size=(1000, 2))
    y = np.maximum(0, x.max(axis=1))
    few, more = (fit_hinge_sum(x, y, terms=k).sse for k in (3, 6))
    assert few > more > 1e-3


def test_step_agrees_with_finite_differences() -> None:
    # At a residual of zero Kaufman's matrix is the whole one: half the Hessian of the projected sum of squares.
    random = np.random.default_rng(0)
    rows = np.column_stack((np.ones(300), random.normal(size=(300, 2))))
    forms = random.normal(size=(2, 3))
    forms /= np.linalg.norm(forms, axis=1, keepdims=True)
    heights = np.maximum(rows @ forms.T, 0) @ [1.0, -2.0] + rows @ [1.0, 2.0, 3.0]
    matrix = HingeProblem(rows, heights)._normal_equations(HingeProblem(rows, heights).solve(forms))[0]
    h, basis = 1e-4, np.eye(6).reshape(6, 2, 3)
    problem = HingeProblem(rows, heights)
    single = [problem.solve(forms + h * e).sse for e in basis]
    pairs = [[problem.solve(forms + h * (a + b)).sse for b in basis] for a in basis]
    second = np.array([[pairs[i][j] - single[i] - single[j] for j in range(6)] for i in range(6)]) / h**2 / 2
    np.testing.assert_allclose(second, matrix, atol=0.01 * np.abs(matrix).max())

    # Away from zero the gradient is still exact.
    noisy = HingeProblem(rows, heights + random.normal(size=300))
    state = noisy.solve(forms)
    gradient = noisy._normal_equations(state)[1]
    slopes = [(noisy.solve(forms + h * e).sse - noisy.solve(forms - h * e).sse) / (2 * h) for e in basis]
    np.testing.assert_allclose(slopes, -2 * gradient, rtol=1e-2, atol=0.02 * np.abs(gradient).max())


def both_backends(device: str) -> None:
    """One state agrees to rounding; whole fits may stop at neighbouring points of one valley."""
    random = np.random.default_rng(0)
    rows, heights = np.column_stack((np.ones(len(X)), X)), Y
    forms = random.normal(size=(3, 4))
    here = HingeProblem(rows, heights)
    there = HingeProblem(torch.tensor(rows, device=device), torch.tensor(heights, device=device))
    one, two = here.solve(forms), there.solve(forms)
    assert one.sse == pytest.approx(two.sse, rel=1e-12)
    for mine, other in zip(here._normal_equations(one), there._normal_equations(two), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9 * np.abs(mine).max())
    fit = fit_hinge_sum(X, Y, 2, device=device)
    assert fit.sse == pytest.approx(fit_hinge_sum(X, Y, 2).sse, rel=1e-4)


def test_torch_is_numpy() -> None:
    both_backends("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_is_numpy() -> None:
    both_backends("cuda")


def test_weights_are_repetitions() -> None:
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    one = fit_hinge_sum(X, Y, 2, weights=weights)
    two = fit_hinge_sum(np.repeat(X, weights, axis=0), np.repeat(Y, weights), 2)
    assert one.sse == pytest.approx(two.sse, rel=1e-4)
    np.testing.assert_allclose(one.function(X), two.function(X), atol=0.02)


def test_units_rotation_and_order_do_not_matter() -> None:
    fit = fit_hinge_sum(X, Y, 2)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    order = np.random.default_rng(1).permutation(len(X))
    scale = np.array([1e-6, 1.0, 1e5])
    for x, y in [(X * scale + 100 * scale, Y), (X @ turn.T, Y), (X, 1e4 * Y - 3e5), (X[order], Y[order])]:
        size = 1e8 if y[0] == 1e4 * Y[0] - 3e5 else 1.0
        # The sum of squares has tiny local minima where a kink crosses a point; all runs end in the same valley.
        assert fit_hinge_sum(x, y, 2).sse == pytest.approx(size * fit.sse, rel=1e-3)


def test_exchanges_only_help_and_the_seed_settles_everything() -> None:
    x, y, _ = hinge_data(500, seed=9)
    plain, more = (fit_hinge_sum(x, y, 4, exchanges=k) for k in (0, 3))
    assert more.sse <= plain.sse * (1 + 1e-12)
    assert len(plain.sums) == 1
    assert len(more.sums) == 4
    assert fit_hinge_sum(x, y, 4, exchanges=3).function == more.function


def test_terms_without_a_kink_between_the_data_are_left_out() -> None:
    line = fit_hinge_sum(X, X @ [1.0, 2.0, 3.0], terms=2).function
    assert len(line.weights) == 0
    np.testing.assert_allclose(line.slope, [1, 2, 3], rtol=1e-9)
    constant = fit_hinge_sum(X, np.full(len(X), 3.0), terms=2)
    assert constant.function(X[0]) == pytest.approx(3.0)


def test_features_that_say_nothing_new() -> None:
    x = np.column_stack((X, X[:, 0] + X[:, 1], np.full(len(X), 7.0)))
    fit = fit_hinge_sum(x, Y, 2)
    assert fit.sse == pytest.approx(fit_hinge_sum(X, Y, 2).sse, rel=1e-3)


def test_one_variable() -> None:
    x = np.linspace(-1, 1, 101)[:, None]
    fit = fit_hinge_sum(x, np.abs(x[:, 0] - 0.3), terms=1)
    np.testing.assert_allclose(fit.function.along([0], [1]).kinks, [0.3], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": X[:, 0]}, "`x` must be two-dimensional; got shape (600,)"),
        ({"y": Y[:-1]}, "`y` must have 600 entries; got 599"),
        ({"x": np.where(X > 2, np.nan, X)}, "`x` must be finite; got nan at index"),
        ({"y": np.where(Y > 1, np.nan, Y)}, "`y` must be finite; got nan at index"),
        ({"weights": -np.ones(600)}, "`weights` must not be negative; got -1.0 at index 0"),
        ({"terms": -1}, "`terms` must be a whole number of at least 0; got -1"),
        ({"terms": 1.5}, "`terms` must be a whole number of at least 0; got 1.5"),
        ({"exchanges": -1}, "`exchanges` must be a whole number of at least 0; got -1"),
        ({"x": X[:11], "y": Y[:11]}, "2 terms in 3 dimensions need at least 12 different points; got 11"),
        ({"device": "abacus"}, "`device` must be one that torch can use; got 'abacus'"),
        ({"device": 3.5}, "`device` must be one that torch can use; got 3.5"),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"x": X, "y": Y, "terms": 2, **change}
    with pytest.raises(HalfwaveError, match=re.escape(message)):
        fit_hinge_sum(**arguments)


def test_result_is_a_hinge_sum() -> None:
    assert isinstance(fit_hinge_sum(X, Y, 1).function, HingeSum)
