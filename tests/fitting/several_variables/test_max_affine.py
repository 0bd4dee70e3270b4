"""Maxima of affine functions fitted to data: recovery, invariance, bad input."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from surface_cases import corner_data, rms

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.data import Coordinates, checked_data
from halfwave.fitting.several_variables.max_affine import fit_max_affine
from halfwave.fitting.several_variables.max_affine_function import DifferenceOfMaxAffine, MaxAffine

X, Y, TRUTH = corner_data(500, seed=3)


def test_searches_see_data_without_units() -> None:
    weights = np.linspace(1, 3, len(Y))
    given = checked_data(1e3 * X + 5.0, 1e-4 * Y + 7.0, weights)
    coordinates, total = Coordinates.of(given), weights.sum()
    assert coordinates.rows.T @ coordinates.rows / total == pytest.approx(np.eye(3), abs=1e-9)
    assert coordinates.heights @ coordinates.heights / total == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_corner_is_recovered(seed: int) -> None:
    x, y, truth = corner_data(4000, seed)
    fit = fit_max_affine(x, y, pieces=3)
    fresh = np.random.default_rng(seed + 100).normal(size=(4000, 2))
    # The noise in 9 numbers gives 0.1 √(9/4000) = 0.0047; twice that, at 4 standard deviations of it and more.
    assert rms(fit.function(fresh) - np.maximum(0, 2 * fresh.max(axis=1))) < 0.01
    assert fit.sse <= ((y - truth) ** 2).sum()
    assert fit.sse == pytest.approx(((y - fit.function(x)) ** 2).sum(), rel=1e-12)
    assert min(fit.sums) == pytest.approx(fit.sse, rel=1e-9)


@pytest.mark.parametrize(("pieces", "features"), [(2, 1), (5, 2), (4, 6), (3, 20)])
def test_exact_data_are_recovered_exactly(pieces: int, features: int) -> None:
    random = np.random.default_rng(pieces)
    truth = MaxAffine(random.normal(size=(pieces, features)), random.normal(size=pieces) / 3)
    x = random.normal(size=(1000, features))
    fit = fit_max_affine(x, truth(x), pieces)
    fresh = random.normal(size=(1000, features))
    assert fit.sse < 1e-18
    # Only where a piece wins at no data point may it be missed.
    assert rms(fit.function(fresh) - truth(fresh)) < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_difference_fits_what_is_not_convex(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [MaxAffine(random.normal(size=(3, 2)), random.normal(size=3) / 2) for _ in range(2)]
    truth = DifferenceOfMaxAffine(*parts)
    x = random.normal(size=(2000, 2))
    y = truth(x) + 0.1 * random.normal(size=2000)
    fit = fit_max_affine(x, y, pieces=3, difference=True)
    assert isinstance(fit.function, DifferenceOfMaxAffine)
    assert fit.sse < 1.01 * ((y - truth(x)) ** 2).sum()
    assert fit_max_affine(x, y, pieces=3).sse > 2 * fit.sse


def test_two_numbers_of_pieces() -> None:
    x = np.linspace(-2, 2, 201)[:, None]
    y = np.clip(x[:, 0], -1, 1)
    fit = fit_max_affine(x, y, pieces=(2, 2), difference=True)
    assert fit.sse < 1e-20
    concave = fit_max_affine(x, -np.abs(x[:, 0]), pieces=(1, 2), difference=True)
    assert concave.sse < 1e-20
    assert len(concave.function.convex.intercepts) == 1


def test_one_piece_is_the_plane() -> None:
    plane = fit_max_affine(X, Y, pieces=1).function
    columns = np.column_stack((np.ones(len(X)), X))
    solution = np.linalg.lstsq(columns, Y, rcond=None)[0]
    np.testing.assert_allclose([plane.intercepts[0], *plane.slopes[0]], solution, rtol=1e-9)


def test_pieces_that_win_nowhere_are_left_out() -> None:
    x = np.arange(10.0)[:, None]
    assert len(fit_max_affine(x, 2 * x[:, 0] - 1, pieces=3).function.intercepts) <= 3
    assert fit_max_affine(x, np.zeros(10), pieces=3).sse == 0


def test_weights_are_repetitions() -> None:
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    one = fit_max_affine(X, Y, 3, weights=weights)
    two = fit_max_affine(np.repeat(X, weights, axis=0), np.repeat(Y, weights), 3)
    assert one.sse == pytest.approx(two.sse, rel=1e-10)
    np.testing.assert_allclose(one.function(X), two.function(X), atol=1e-8)


@pytest.mark.parametrize("difference", [False, True])
def test_units_and_rotation_do_not_matter(difference: bool) -> None:
    fit = fit_max_affine(X, Y, 3, difference=difference)  # pyright: ignore[reportArgumentType, reportCallIssue]
    turn = np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    scale, shift = np.array([1e-180, 1e170]), np.array([1e3, -2e4])
    moved = [(X * scale + shift * scale, 1e4 * Y - 3e5)]
    if not difference:  # which of many local minima the difference ends in depends on the axes
        moved.append((X @ turn.T, 1e4 * Y - 3e5))
    for x, y in moved:
        other = fit_max_affine(x, y, 3, difference=difference)  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert other.sse == pytest.approx(1e8 * fit.sse, rel=1e-6)
        np.testing.assert_allclose((other.function(x) + 3e5) / 1e4, fit.function(X), atol=1e-5)


def test_order_of_points_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(X))
    assert fit_max_affine(X[order], Y[order], 3).sse == pytest.approx(fit_max_affine(X, Y, 3).sse, rel=1e-10)


def test_seed_settles_everything() -> None:
    first, again = (fit_max_affine(X, Y, 4, difference=True, random_state=7) for _ in range(2))
    assert first.function == again.function
    assert first.sums == again.sums
    assert len(fit_max_affine(X, Y, 3, starts=5).sums) == 5
    fit_max_affine(X, Y, 3, random_state=None)
    fit_max_affine(X, Y, 3, random_state=np.random.RandomState(0))


def test_features_that_say_nothing_new() -> None:
    x = np.column_stack((X, X[:, 0] + X[:, 1], np.full(len(X), 7.0)))
    fit = fit_max_affine(x, Y, 3)
    assert fit.sse == pytest.approx(fit_max_affine(X, Y, 3).sse, rel=1e-6)
    assert np.abs(fit.function.slopes).max() < 3


def test_many_points() -> None:
    x, y, truth = corner_data(60_000, seed=1)
    assert fit_max_affine(x, y, 3, starts=8).sse <= ((y - truth) ** 2).sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": X[:, 0]}, "`x` must be two-dimensional; got shape (500,)"),
        ({"x": X[:0], "y": Y[:0]}, "`x` must hold at least one point and one feature; got shape (0, 2)"),
        ({"x": X[:, :0]}, "`x` must hold at least one point and one feature; got shape (500, 0)"),
        ({"y": Y[:-1]}, "`y` must have 500 entries; got 499"),
        ({"y": Y[:, None]}, "`y` must be one-dimensional; got shape (500, 1)"),
        ({"x": np.where(X > 2, np.nan, X)}, "`x` must be finite; got nan at index"),
        ({"y": np.where(Y > 1, np.inf, Y)}, "`y` must be finite; got inf at index"),
        ({"x": X.astype(str)}, "`x` must be real numbers"),
        ({"weights": -np.ones(500)}, "`weights` must not be negative; got -1.0 at index 0"),
        ({"weights": np.zeros(500)}, "`weights` must not all be zero; got 500 zeros"),
        ({"weights": np.ones(3)}, "`weights` must have 500 entries; got 3"),
        ({"pieces": 0}, "`pieces` must be a positive integer; got 0"),
        ({"pieces": 2.5}, "`pieces` must be a positive integer; got 2.5"),
        ({"pieces": True}, "`pieces` must be a positive integer; got True"),
        ({"pieces": (2, 2)}, "got (2, 2) with `difference=False`"),
        ({"pieces": (2, 0), "difference": True}, "`pieces` must be a positive integer; got 0"),
        ({"pieces": (1, 2, 3), "difference": True}, "must be one number, or two with `difference=True`"),
        ({"starts": 0}, "`starts` must be a positive integer; got 0"),
        ({"random_state": "a"}, "`random_state` must be a seed, a generator or None; got 'a'"),
        (
            {"x": X[:8], "y": Y[:8]},
            "3 pieces in 2 dimensions need at least 9 different points; got 8",
        ),
        (
            {"x": X[[0] * 500]},
            "3 pieces in 0 dimensions need at least 3 different points; got 1",
        ),
    ],
)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"x": X, "y": Y, "pieces": 3, **change}
    with pytest.raises(HalfwaveError, match=re.escape(message)):
        fit_max_affine(**arguments)
