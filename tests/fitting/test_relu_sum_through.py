"""Fits that must pass through given points, against equality-constrained least squares over all kinks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from halfwave.errors import HalfwaveError
from halfwave.fitting import fit_relu_sum

Points = list[tuple[float, float]]


def curve(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(1, 10, n))
    return x, np.interp(x, [1, 4, 10], [2.0, 5.0, 3.0]) + 0.2 * rng.normal(size=n)


def constrained_sse(x: np.ndarray, y: np.ndarray, kinks: tuple[float, ...], through: Points) -> float:
    """The least sum of squares of ``a + b x + Σ w (x − t)⁺`` under the constraints, by Lagrange multipliers."""

    def basis(at: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones_like(at), at, *(np.maximum(at - t, 0) for t in kinks)])

    a, b = basis(x), basis(np.array([point[0] for point in through]))
    levels = np.array([point[1] for point in through])
    zero = np.zeros((len(b), len(b)))
    system = np.block([[a.T @ a, b.T], [b, zero]])
    solution = np.linalg.lstsq(system, np.append(a.T @ y, levels), rcond=None)[0][: a.shape[1]]
    if np.abs(b @ solution - levels).max() > 1e-8:
        return np.inf
    return float(((y - a @ solution) ** 2).sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kinks", [0, 1, 2])
def test_no_kinks_among_the_points_do_better(kinks: int, seed: int) -> None:
    x, y = curve(14, seed)
    through = [(0.0, 0.0), (11.0, 3.0)] if seed % 2 else [(float(x[6]), float(y[6]) + 1)]
    fit = fit_relu_sum(x, y, kinks, through=through, min_points=2)
    best = min(constrained_sse(x, y, chosen, through) for chosen in itertools.combinations(x[1:-1], kinks))
    assert fit.sse <= best * (1 + 1e-9)
    own = constrained_sse(x, y, tuple(fit.kinks), through)
    assert fit.sse == pytest.approx(own, rel=1e-7)
    for at, level in through:
        assert fit.function(at) == pytest.approx(level, abs=1e-11)


@pytest.mark.parametrize("options", [{}, {"monotone": "increasing"}, {"convex": "concave"}, {"flat": "last"}])
def test_points_are_met_to_rounding_with_other_options(options: dict[str, Any]) -> None:
    x, y = curve()
    fit = fit_relu_sum(x, y, 2, through=[(0.0, 0.5)], **options)
    assert fit.function(0.0) == pytest.approx(0.5, abs=1e-12)
    slopes = fit.function.slopes
    if "monotone" in options:
        assert (slopes >= -1e-9).all()
    if "convex" in options:
        assert (np.diff(slopes) <= 1e-9).all()
    if "flat" in options:
        assert slopes[-1] == 0


def test_the_table_holds_only_fits_that_meet_the_points() -> None:
    x, y = curve()
    through = [(2.0, 2.0), (2.5, 5.0), (3.0, 2.0)]
    fit = fit_relu_sum(x, y, 4, through=through)
    # One kink gives three heights, but not three that zigzag: two kinks are the fewest.
    assert [len(row.kinks) for row in fit.table][-3:] == [2, 3, 4]
    for row in fit.table:
        np.testing.assert_allclose(row.function(np.array([2.0, 2.5, 3.0])), [2.0, 5.0, 2.0], atol=1e-11)


def test_a_known_truth_through_the_origin_is_found_and_its_kink_covered() -> None:
    x, y = curve(400, 3)
    fit = fit_relu_sum(x, y, through=[(0.0, 1.0)], correlation="ignore")
    assert len(fit.kinks) == 1
    low, high = fit.intervals().kinks[0]
    assert 3.5 < low < 4.0 < high < 4.5


@pytest.mark.parametrize("shuffled", [False, True])
def test_large_data_meet_points_too(shuffled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 10, 60_000))
    y = np.interp(x, [0, 4, 10], [1.0, 5.0, 3.0]) + 0.3 * rng.normal(size=len(x))
    order = rng.permutation(len(x)) if shuffled else np.arange(len(x))
    monkeypatch.setattr("halfwave.fitting.observations.SORT_BELOW", 1000)
    fit = fit_relu_sum(x[order], y[order], 1, through=[(4.0, 5.2), (-1.0, 0.0)])
    np.testing.assert_allclose(fit.function(np.array([4.0, -1.0])), [5.2, 0.0], atol=1e-11)
    nearby = np.linspace(fit.kinks[0] - 0.02, fit.kinks[0] + 0.02, 41)
    best = min(constrained_sse(x, y, (kink,), [(4.0, 5.2), (-1.0, 0.0)]) for kink in nearby)
    assert fit.sse <= best * (1 + 1e-9)


def test_dates_and_coinciding_points() -> None:
    days = np.datetime64("2020-01-01") + np.arange(30)
    y = np.abs(np.arange(30.0) - 12)
    fit = fit_relu_sum(days, y, 1, through=[(np.datetime64("2020-01-13"), 2.0)])
    assert fit.predict(np.array(["2020-01-13"], dtype="datetime64[D]"))[0] == pytest.approx(2.0, abs=1e-9)


@pytest.mark.parametrize(
    ("through", "options", "message"),
    [
        ([(0.0, 0.0), (0.0, 1.0)], {}, r"`through` must hold each x once; got (0.0, 0.0) and (0.0, 1.0)"),
        ([(0.0, 0.0, 1.0)], {}, "`through` must be a list of points (x, y); got (0.0, 0.0, 1.0) among them"),
        (7, {}, "`through` must be a list of points (x, y); got 7"),
        ([(np.nan, 1.0)], {}, "x of `through` must be finite; got nan at index 0"),
        (
            [(np.datetime64("2020-01-01"), 1.0)],
            {},
            "x of `through` must be numbers as `x` is; got seconds since 1970-01-01",
        ),
        (
            [(0.0, 5.0), (11.0, 1.0)],
            {"monotone": "increasing"},
            "min_points=3 and monotone='increasing' and through=[(0.0, 5.0), (11.0, 1.0)]",
        ),
        ([(0.0, 5.0), (0.5, 1.0)], {"flat": "first"}, "flat='first' and through=[(0.0, 5.0), (0.5, 1.0)]"),
        ([(float(i), 0.0) for i in range(5)], {}, "`through` must hold at most 4 points for 2 kinks"),
        ([(0.0, 0.0)], {"continuous": False}, "`through` needs continuous=True"),
    ],
)
def test_contradictions_are_named(through: Any, options: dict[str, Any], message: str) -> None:
    x, y = curve()
    with pytest.raises(HalfwaveError) as error:
        fit_relu_sum(x, y, 2, through=through, **options)
    assert message in str(error.value)


def test_a_convex_fit_through_a_point_far_below_the_data() -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 14))
    y = rng.normal(size=14)
    fit = fit_relu_sum(x, y, 2, through=[(4.3, -3.0)], convex=True)
    assert fit.function(4.3) == pytest.approx(-3.0, abs=1e-11)
    assert (np.diff(fit.function.slopes) >= -1e-9).all()
