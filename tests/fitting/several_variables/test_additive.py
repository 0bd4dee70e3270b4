"""Sums of functions of one variable each fitted to data: recovery, weights, bad input."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from surface_cases import rms

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.additive import fit_additive
from halfwave.fitting.several_variables.additive_function import AdditiveFunction
from halfwave.functions import absolute, identity, rectified_linear

TRUTH = AdditiveFunction([absolute(), 2 * rectified_linear(1, -0.5), -identity()])


def data(n: int, seed: int, correlation: float = 0.0, noise: float = 0.2) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    x[:, 1] = correlation * x[:, 0] + np.sqrt(1 - correlation**2) * x[:, 1]
    return x, TRUTH(x) + noise * random.normal(size=n)


X, Y = data(300, seed=0)


@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_truth_is_recovered(correlation: float) -> None:
    x, y = data(1000, 1, correlation)
    fit = fit_additive(x, y, max_kinks=3)
    # Noise in the 8 numbers gives 0.2 √(8/1000) = 0.018.
    assert rms(fit.function(x) - TRUTH(x)) < 0.05
    assert [len(f.kinks) for f in fit.function.functions] == [1, 1, 0]
    assert fit.sse == pytest.approx(((y - fit.function(x)) ** 2).sum(), rel=1e-12)
    assert fit.sse == pytest.approx(fit.sums[-1], rel=1e-12)
    np.testing.assert_allclose(fit.function.parts(x).mean(axis=0), 0, atol=1e-12)


def test_exact_data_are_recovered_exactly() -> None:
    x, y = data(300, 2, noise=0.0)
    fit = fit_additive(x, y, kinks=[1, 1, 0], tolerance=1e-12, rounds=100)
    assert rms(fit.function(x) - TRUTH(x)) < 1e-6


def test_rounds_do_not_raise_the_sum() -> None:
    sums = fit_additive(X, Y, kinks=2, rounds=6, tolerance=0.0).sums
    assert (np.diff(sums[2:]) <= 1e-12 * sums[0]).all()
    assert len(fit_additive(X, Y, kinks=1, rounds=1).sums) == 2


def test_a_plane_needs_no_round() -> None:
    fit = fit_additive(X, X @ [1.0, 2.0, 3.0] - 1)
    assert fit.function.formula(digits=6) == "x1 + 2*x2 + 3*x3 - 1"
    assert fit_additive(X, np.full(len(X), 2.0)).function(X[0]) == pytest.approx(2.0)


def test_weights_are_repetitions() -> None:
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    one = fit_additive(X, Y, kinks=1, weights=weights)
    two = fit_additive(np.repeat(X, weights, axis=0), np.repeat(Y, weights), kinks=1)
    assert one.sse == pytest.approx(two.sse, rel=1e-6)


def test_units_do_not_matter() -> None:
    fit = fit_additive(X, Y, kinks=1)
    scale, shift = np.array([1e-6, 1e5, 1.0]), np.array([1.0, -1e6, 1e3])
    moved = fit_additive(X * scale + shift, 1e4 * Y + 7, kinks=1)
    assert moved.sse == pytest.approx(1e8 * fit.sse, rel=1e-5)


def test_constant_column_gets_zero() -> None:
    x = np.column_stack((X, np.full(len(X), 5.0)))
    fit = fit_additive(x, Y, kinks=1)
    assert fit.function.functions[3](123.0) == 0
    assert fit.sse == pytest.approx(fit_additive(X, Y, kinks=1).sse, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": X[:, 0]}, "`x` must be two-dimensional; got shape (300,)"),
        ({"y": Y[:-1]}, "`y` must have 300 entries; got 299"),
        ({"x": np.where(X > 2, np.nan, X)}, "`x` must be finite; got nan at index"),
        ({"y": np.where(Y > 1, np.nan, Y)}, "`y` must be finite; got nan at index"),
        ({"weights": -np.ones(300)}, "`weights` must not be negative; got -1.0 at index 0"),
        ({"kinks": [1, 2]}, "`kinks` must have 3 entries, one for each feature; got 2"),
        ({"monotone": ["increasing"]}, "`monotone` must have 3 entries, one for each feature; got 1"),
        ({"kinks": -1}, "column 0 of `x`: "),
        ({"kinks": 5, "x": X[:6], "y": Y[:6]}, "column 0 of `x`: "),
        ({"rounds": 0}, "`rounds` must be a positive integer; got 0"),
        ({"tolerance": -1.0}, "`tolerance` must not be negative; got -1.0"),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"x": X, "y": Y, **change}
    with pytest.raises(HalfwaveError, match=re.escape(message)):
        fit_additive(**arguments)
