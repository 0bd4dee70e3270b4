"""Intervals: against an independent profile, in coverage, and at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from halfwave import HalfwaveError
from halfwave.fitting import fit_relu_sum


def hinge_data(n: int, change: float, sigma: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    return x, 0.5 * x + change * np.maximum(0, x - 4) + sigma * rng.normal(size=n)


def sse_with_kink_at(x: np.ndarray, y: np.ndarray, place: float) -> float:
    """Least squares on 1, x and (x − place)⁺, by a library that knows nothing of us."""
    design = np.stack([np.ones_like(x), x, np.maximum(0, x - place)], axis=1)
    return float(np.linalg.lstsq(design, y, rcond=None)[1][0])


@pytest.mark.parametrize("seed", range(4))
def test_profile_of_one_kink_against_least_squares_at_every_place(seed: int) -> None:
    x, y = hinge_data(150, 1.0, 0.4, seed)
    fit = fit_relu_sum(x, y, kinks=1)
    low, high = fit.intervals().kinks[0]
    # the limit as documented, with z from two separate lines
    left, right = x <= fit.kinks[0], x > fit.kinks[0]
    freedom = len(x) - 4
    spread = sum(1 / ((x[s] - x[s].mean()) ** 2).sum() for s in (left, right))
    z = np.diff(fit.function.slopes)[0] / np.sqrt(fit.sse / freedom * spread)
    limit = fit.sse * (1 + min(1 + 5 / z**2, 2.5) * stats.f.ppf(0.95, 1, freedom) / freedom)
    grid = np.linspace(0.5, 9.5, 4001)
    inside = grid[[sse_with_kink_at(x, y, place) <= limit for place in grid]]
    around = inside[np.abs(inside - fit.kinks[0]) < 2]
    assert low == pytest.approx(around.min(), abs=0.02)
    assert high == pytest.approx(around.max(), abs=0.02)


def test_slope_intervals_are_those_of_separate_lines() -> None:
    x, y = hinge_data(200, 2.0, 0.3, 0)
    fit = fit_relu_sum(x, y, kinks=1)
    bounds = fit.intervals(0.9)
    scale = np.sqrt(fit.sse / (len(x) - 4)) * stats.t.ppf(0.95, len(x) - 4)
    for side, slope, (low, high) in zip(
        (x <= fit.kinks[0], x > fit.kinks[0]), fit.function.slopes, bounds.slopes, strict=True
    ):
        reach = scale / np.sqrt(((x[side] - x[side].mean()) ** 2).sum())
        assert (low, high) == pytest.approx((slope - reach, slope + reach), rel=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize(("n", "change", "minimum"), [(100, 2.0, 0.85), (300, 0.5, 0.85)])
def test_coverage(n: int, change: float, minimum: float) -> None:
    """Of 60 intervals of nominal coverage 95 %, fewer than 85 % would be seen by chance once in 1000 suites."""
    hits = 0
    for seed in range(60):
        x, y = hinge_data(n, change, 0.5, seed)
        low, high = fit_relu_sum(x, y, kinks=1).intervals().kinks[0]
        hits += low <= 4.0 <= high
    assert hits / 60 >= minimum


def test_methods_agree_for_a_strong_kink() -> None:
    x, y = hinge_data(400, 3.0, 0.2, 1)
    fit = fit_relu_sum(x, y, kinks=1)
    widths = {
        m: np.diff(fit.intervals(method=m, resamples=60).kinks[0])[0]
        for m in ("profile", "delta", "bootstrap")
    }
    assert widths["delta"] == pytest.approx(widths["profile"], rel=0.2)
    assert widths["bootstrap"] == pytest.approx(widths["profile"], rel=0.5)
    assert np.diff(fit.intervals(0.5).kinks[0]) < np.diff(fit.intervals(0.99).kinks[0])


def test_units_and_offsets_do_not_matter() -> None:
    x, y = hinge_data(120, 1.0, 0.3, 2)
    plain = fit_relu_sum(x, y, kinks=1).intervals()
    moved = fit_relu_sum(1.7e9 + 1000 * x, 50 - 3 * y, kinks=1).intervals()
    assert (moved.kinks - 1.7e9) / 1000 == pytest.approx(plain.kinks, rel=1e-5)
    assert -moved.slopes[:, ::-1] * 1000 / 3 == pytest.approx(plain.slopes, rel=1e-5)


def test_a_kink_that_is_not_there_is_not_bounded() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(0, 1, 60)
    low, high = fit_relu_sum(x, rng.normal(size=60), kinks=1).intervals().kinks[0]
    assert high - low > 0.3


def test_fixed_kinks_and_exact_data() -> None:
    x, y = hinge_data(100, 1.0, 0.3, 4)
    fixed = fit_relu_sum(x, y, kinks=2, fixed_kinks=[7.0])
    bounds = fixed.intervals()
    assert bounds.kinks[1] == pytest.approx([7.0, 7.0])
    exact = fit_relu_sum(x, np.abs(x - 4), kinks=1).intervals()
    assert exact.kinks[0] == pytest.approx([4.0, 4.0], abs=1e-3)
    assert fit_relu_sum(x, y, kinks=0).intervals().kinks.shape == (0, 2)


def test_bad_options() -> None:
    x, y = hinge_data(50, 1.0, 0.3, 5)
    fit = fit_relu_sum(x, y, kinks=1)
    for level in (0, 1, 1.5, "a"):
        with pytest.raises(HalfwaveError, match=r"`level` of intervals must be inside \(0, 1\)"):
            fit.intervals(level)  # pyright: ignore
    with pytest.raises(HalfwaveError, match='must be "profile", "delta" or "bootstrap"; got \'exact\''):
        fit.intervals(method="exact")  # pyright: ignore
    with pytest.raises(HalfwaveError, match="must be an integer of at least 20; got 3"):
        fit.intervals(method="bootstrap", resamples=3)
