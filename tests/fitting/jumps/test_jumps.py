"""Fits whose pieces need not meet, through `fit_relu_sum`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from halfwave.errors import HalfwaveError
from halfwave.fitting import AutocorrelationWarning, fit_relu_sum


def jumping(n: int = 300, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, n))
    return x, np.where(x < 3, x, np.where(x < 7, 6 - x, 2.0)) + noise * rng.normal(size=n)


def test_jumps_are_found_counted_and_bounded() -> None:
    x, y = jumping()
    fit = fit_relu_sum(x, y, continuous=False)
    assert len(fit.kinks) == 2
    bounds = fit.intervals()
    for (low, high), truth in zip(bounds.kinks, (3.0, 7.0), strict=True):
        assert low <= truth <= high < low + 1
    for (low, high), truth in zip(bounds.slopes, (1.0, -1.0, 0.0), strict=True):
        assert low < truth < high
    np.testing.assert_allclose(fit.function.jumps, [0.0, 3.0], atol=0.4)
    assert fit.certificate.optimal_on_grid
    assert fit.lower_bound == fit.sse
    assert fit.sse == pytest.approx(float((fit.residuals**2).sum()), rel=1e-12)
    assert [len(row.kinks) for row in fit.table] == list(range(13))
    assert "3 lines that need not meet" in str(fit)


def test_pieces_that_need_not_meet_fit_no_worse() -> None:
    x, y = jumping()
    for kinks in (1, 3):
        free = fit_relu_sum(x, y, kinks, continuous=False, min_points=2)
        met = fit_relu_sum(x, y, kinks, min_points=2)
        assert free.sse <= met.sse
        assert free.sse == pytest.approx(met.lower_bound, rel=1e-9)


def test_options_that_go_with_jumps() -> None:
    x, y = jumping()
    fit = fit_relu_sum(x, y, 3, continuous=False, fixed_kinks=[5.0], flat="last", min_length=1.0)
    assert 5.0 in fit.kinks
    assert fit.function.slopes[-1] == 0
    assert np.diff([x[0], *fit.kinks, x[-1]]).min() >= 1.0 - 1e-9
    logs = fit_relu_sum(np.exp(x), y, 2, continuous=False, log_axes="x")
    assert np.log(logs.kinks) == pytest.approx(fit_relu_sum(x, y, 2, continuous=False).kinks, abs=1e-6)


def test_correlated_residuals_warn_and_widen() -> None:
    rng = np.random.default_rng(1)
    noise = np.zeros(400)
    for i in range(1, 400):
        noise[i] = 0.7 * noise[i - 1] + 0.3 * rng.normal()
    x = np.arange(400.0)
    y = np.where(x < 200, 0.0, 3.0) + noise
    with pytest.warns(AutocorrelationWarning):
        fit_relu_sum(x, y, continuous=False)
    plain = fit_relu_sum(x, y, 1, continuous=False, correlation="ignore").intervals()
    wide = fit_relu_sum(x, y, 1, continuous=False, correlation="correct").intervals()
    assert (np.diff(wide.slopes) > 1.5 * np.diff(plain.slopes)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monotone": "increasing"}, "`monotone` and `convex` need continuous=True; got continuous=False"),
        ({"loss": "huber"}, "`loss` must be 'squares' with continuous=False; got 'huber'"),
        ({"kinks": "auto", "criterion": "wbic"}, "`criterion` must be 'bic' or 'bic3' with continuous=False"),
        ({"kinks": 200}, "`kinks` must be at most 99 for 300 different x with min_points=3; got 200"),
        ({"continuous": "no"}, "`continuous` must be True or False; got 'no'"),
    ],
)
def test_what_does_not_go_with_jumps_is_said(options: dict[str, Any], message: str) -> None:
    x, y = jumping()
    with pytest.raises(HalfwaveError) as error:
        fit_relu_sum(x, y, **{"kinks": 2, "continuous": False, **options})
    assert message in str(error.value)


@pytest.mark.parametrize("method", ["delta", "bootstrap"])
def test_intervals_of_jumps_are_profiles(method: Any) -> None:
    x, y = jumping()
    with pytest.raises(HalfwaveError, match="`method` of intervals must be 'profile' with continuous=False"):
        fit_relu_sum(x, y, 2, continuous=False).intervals(method=method)
