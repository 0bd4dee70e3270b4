"""Robust fits against what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from halfwave.errors import HalfwaveError
from halfwave.fitting import fit_relu_sum
from halfwave.functions import from_points


def contaminated() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and the clean y: two kinks, noise 0.2, and a tenth of the points 15 too high."""
    generator = np.random.default_rng(0)
    x = np.sort(generator.uniform(0, 10, 400))
    clean = np.abs(x - 3) - 2 * np.maximum(0, x - 7)
    y = clean + generator.normal(0, 0.2, 400)
    y[generator.choice(400, 40, replace=False)] += 15
    return x, y, clean


@pytest.mark.parametrize(("loss", "limit"), [("huber", 0.15), ("tukey", 0.06)])
def test_outliers_do_not_move_robust_fits(loss: str, limit: float) -> None:
    x, y, clean = contaminated()
    plain = fit_relu_sum(x, y, 2)
    fit = fit_relu_sum(x, y, 2, loss=loss)  # pyright: ignore[reportArgumentType]
    assert np.sqrt(np.mean((fit.function(x) - clean) ** 2)) < limit
    assert np.sqrt(np.mean((plain.function(x) - clean) ** 2)) > 1
    assert fit.weights is not None
    assert fit.sse == pytest.approx((fit.weights * fit.residuals**2).sum(), rel=1e-12)


def test_huber_fit_minimises_hubers_loss_at_its_kinks() -> None:
    x, y, _ = contaminated()
    fit = fit_relu_sum(x, y, 2, loss="huber")
    knots = np.array([x[0], *fit.kinks, x[-1]])
    cut = 1.345 * 1.4826 * np.median(np.abs(fit.residuals))

    def loss(heights: np.ndarray) -> float:
        size = np.abs(y - from_points(knots, heights)(x))
        return float(np.where(size <= cut, size**2 / 2, cut * (size - cut / 2)).sum())

    here = loss(fit.function(knots))
    assert minimize(loss, fit.function(knots), method="BFGS").fun == pytest.approx(here, rel=1e-5)


@pytest.mark.parametrize("loss", ["huber", "tukey"])
def test_value_of_the_loss_against_statsmodels(loss: Any) -> None:
    norms = pytest.importorskip("statsmodels.robust.norms")
    norm = norms.HuberT(1.345) if loss == "huber" else norms.TukeyBiweight(4.685)
    x, y, _ = contaminated()
    fit = fit_relu_sum(x, y, 2, loss=loss)
    scale = 1.4826 * np.median(np.abs(fit.residuals))
    value = 2 * scale**2 * norm.rho(fit.residuals / scale).sum()
    assert fit.loss_value == pytest.approx(value, rel=1e-4)  # the constant 1.4826 is rounded


def test_correlated_noise_widens_the_intervals_where_asked() -> None:
    generator, noise = np.random.default_rng(1), np.zeros(400)
    for i in range(1, 400):
        noise[i] = 0.7 * noise[i - 1] + 0.3 * generator.normal()
    x = np.linspace(0, 10, 400)
    y = np.maximum(0, x - 4) + noise
    plain = fit_relu_sum(x, y, 1, loss="huber", correlation="ignore").intervals()
    wide = fit_relu_sum(x, y, 1, loss="huber", correlation="correct").intervals()
    assert (np.diff(wide.slopes) > 1.5 * np.diff(plain.slopes)).all()


def test_weights_follow_the_users_order() -> None:
    x, y, _ = contaminated()
    order = np.random.default_rng(1).permutation(400)
    sorted_fit = fit_relu_sum(x, y, 2, loss="tukey")
    fit = fit_relu_sum(x[order], y[order], 2, loss="tukey")
    assert fit.weights is not None
    assert sorted_fit.weights is not None
    assert fit.weights == pytest.approx(sorted_fit.weights[order], abs=1e-6)


@pytest.mark.parametrize("loss", ["huber", "tukey"])
def test_automatic_choice_is_not_led_astray_by_outliers(loss: Any) -> None:
    x, y, _ = contaminated()
    fit = fit_relu_sum(x, y, loss=loss, max_kinks=4)
    assert fit.kinks == pytest.approx([3.0, 7.0], abs=0.3)
    assert [len(row.kinks) for row in fit.table] == list(range(5))


def test_cross_validation_needs_squares() -> None:
    with pytest.raises(
        HalfwaveError, match="`criterion` must count points with loss='tukey'; got 'cross_validation'"
    ):
        fit_relu_sum(range(9), range(9), loss="tukey", criterion="cross_validation")


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(
        HalfwaveError, match="`loss` must be one of 'squares', 'huber', 'tukey', 'quantile'; got 'l1'"
    ):
        fit_relu_sum(range(9), range(9), 1, loss="l1")  # pyright: ignore[reportArgumentType]
