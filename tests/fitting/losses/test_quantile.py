"""Fits of quantiles against quantile regression by others, brute force and the definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from halfwave.errors import HalfwaveError
from halfwave.fitting import fit_relu_sum
from halfwave.fitting.losses.quantile import QuantileProblem, check_loss
from halfwave.fitting.observations import observe
from halfwave.fitting.search.rules import Rules


def curve(n: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    return x, np.interp(x, [0, 3, 10], rng.normal(0, 3, 3)) + 0.5 * rng.standard_t(2, size=n)


def primal_loss(
    x: np.ndarray, y: np.ndarray, kinks: tuple[float, ...], q: float, weights: np.ndarray
) -> float:
    """The least check loss with given kinks, by the primal linear programme on a basis of ReLUs."""
    basis = np.column_stack([np.ones_like(x), x, *(np.maximum(x - t, 0) for t in kinks)])
    free, n = basis.shape[1], len(x)
    solved = linprog(
        np.concatenate((np.zeros(free), q * weights, (1 - q) * weights)),
        A_eq=np.hstack((basis, np.eye(n), -np.eye(n))),
        b_eq=y,
        bounds=[(None, None)] * free + [(0, None)] * (2 * n),
    )
    assert solved.status == 0
    return float(solved.fun)


def test_a_line_equals_quantile_regression_by_statsmodels() -> None:
    regression = pytest.importorskip("statsmodels.regression.quantile_regression")
    from statsmodels.datasets import engel

    data = engel.load_pandas().data
    x, y = data["income"].to_numpy(), data["foodexp"].to_numpy()
    for q in (0.1, 0.5, 0.9):
        theirs = regression.QuantReg(y, np.column_stack((np.ones_like(x), x))).fit(q=q)
        fit = fit_relu_sum(x, y, 0, loss="quantile", quantile=q)
        assert fit.loss_value <= check_loss(theirs.resid, q) * (1 + 1e-12)
        assert fit.loss_value == pytest.approx(check_loss(theirs.resid, q), rel=1e-7)


@pytest.mark.parametrize("q", [0.2, 0.5, 0.9])
def test_heights_at_given_kinks_solve_the_primal_programme(q: float) -> None:
    x, y = curve(60)
    weights = np.random.default_rng(5).uniform(0.5, 2, len(x))
    fit = fit_relu_sum(x, y, 2, fixed_kinks=[2.0, 6.5], loss="quantile", quantile=q, weights=weights)
    assert fit.loss_value == pytest.approx(primal_loss(x, y, (2.0, 6.5), q, weights), rel=1e-9)
    assert fit.loss_value == pytest.approx(check_loss(fit.residuals, q, weights), rel=1e-12)


def test_kinks_are_as_good_as_those_of_brute_force() -> None:
    ratios = []
    for seed in range(8):
        x, y = curve(16, seed)
        fit = fit_relu_sum(x, y, 2, loss="quantile", quantile=0.3, min_points=2)
        one = np.ones_like(x)
        best = min(primal_loss(x, y, pair, 0.3, one) for pair in itertools.combinations(x[1:-1], 2))
        ratios.append(fit.loss_value / best)
    # A local search: seven of eight at least as good as any kinks among the points, none far off.
    assert sorted(ratios)[-2] <= 1 + 1e-9
    assert max(ratios) <= 1.05


def test_the_share_of_points_below_is_the_quantile() -> None:
    x, y = curve(400)
    for q in (0.1, 0.75):
        fit = fit_relu_sum(x, y, 1, loss="quantile", quantile=q)
        below, above = (fit.residuals < -1e-9).sum(), (fit.residuals > 1e-9).sum()
        assert below <= q * len(x) + 1e-9
        assert above <= (1 - q) * len(x) + 1e-9


def test_large_data_are_solved_exactly_from_the_points_near_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = curve(1500)
    problem = QuantileProblem.of(observe(x, y), Rules(), 0.4)
    knots = np.array([-1.0, -0.3, 0.2, 1.0])
    whole = problem.solve(knots)
    assert whole is not None
    monkeypatch.setattr("halfwave.fitting.losses.quantile._ALL_POINTS", 40)
    monkeypatch.setattr("halfwave.fitting.losses.quantile._NEAR_POINTS", 1.0)
    for off in (0.0, 0.3, -0.5):  # however far the guess is, the result is the optimum
        part = problem.solve(knots, whole.heights + off)
        assert part is not None
        assert part.cost == pytest.approx(whole.cost, rel=1e-12)


def test_constraints_hold_for_quantiles_too() -> None:
    x, y = curve(40, 2)
    fit = fit_relu_sum(x, y, 2, loss="quantile", through=[(0.0, 1.5), (12.0, 0.0)])
    np.testing.assert_allclose(fit.function(np.array([0.0, 12.0])), [1.5, 0.0], atol=1e-9)
    rising = fit_relu_sum(x, y, 2, loss="quantile", monotone="increasing")
    assert (rising.function.slopes >= -1e-9).all()
    concave = fit_relu_sum(x, y, 2, loss="quantile", convex="concave")
    assert (np.diff(concave.function.slopes) <= 1e-9).all()
    flat = fit_relu_sum(x, y, 2, loss="quantile", flat="both")
    assert flat.function.slopes[0] == 0
    assert flat.function.slopes[-1] == 0
    constant = fit_relu_sum(x, y, 0, loss="quantile", flat="both")
    assert constant.loss_value == pytest.approx(check_loss(y - np.median(y), 0.5), rel=1e-9)


def test_automatic_choice_and_bootstrap_intervals() -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 300))
    y = np.interp(x, [0, 4, 10], [0.0, 6.0, 0.0]) + rng.exponential(1.0, 300)
    fit = fit_relu_sum(x, y, loss="quantile", quantile=0.25, max_kinks=3)
    assert len(fit.kinks) == 1
    bounds = fit.intervals(resamples=40)
    assert bounds.method == "bootstrap"
    assert 3.5 < bounds.kinks[0, 0] < 4.0 < bounds.kinks[0, 1] < 4.5
    once, again = (fit.intervals(resamples=20) for _ in range(2))
    np.testing.assert_array_equal(once.kinks, again.kinks)
    with pytest.raises(HalfwaveError, match="must be 'bootstrap' for loss='quantile'; got 'profile'"):
        fit.intervals(method="profile")


@pytest.mark.parametrize("q", [0.0, 1.0, -0.5, 2])
def test_quantiles_lie_between_0_and_1(q: float) -> None:
    with pytest.raises(HalfwaveError, match=r"`quantile` must be inside \(0, 1\); got"):
        fit_relu_sum([1, 2, 3], [1, 2, 3], 0, loss="quantile", quantile=q)
