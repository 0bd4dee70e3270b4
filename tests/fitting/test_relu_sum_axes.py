"""Logarithmic axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from halfwave.errors import HalfwaveError
from halfwave.fitting import fit_relu_sum


def broken_power_law(noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    x = np.geomspace(1, 1000, 200)
    law = np.where(x < 30, x**1.5, 30**1.5 * (x / 30) ** 0.5)
    return x, law * np.exp(noise * np.random.default_rng(0).normal(size=200))


def test_a_broken_power_law_gives_its_exponents() -> None:
    x, y = broken_power_law()
    fit = fit_relu_sum(x, y, log_axes="both")
    assert len(fit.kinks) == 1
    bounds = fit.intervals()
    assert bounds.kinks[0, 0] < 30 < bounds.kinks[0, 1]
    np.testing.assert_allclose(fit.function.slopes, [1.5, 0.5], atol=0.03)
    assert fit.table[1].kinks == pytest.approx(fit.kinks)
    assert fit.formula(3).startswith("ln f(x) = ")
    assert "ln(x)" in fit.formula(3)


@pytest.mark.parametrize("log_axes", ["x", "y", "both"])
def test_the_fit_is_that_of_logarithms(log_axes: Any) -> None:
    x, y = broken_power_law(0.1)
    options: dict[str, Any] = {"fixed_kinks": [20.0], "through": [(100.0, 700.0)]}
    fit = fit_relu_sum(x, y, 2, log_axes=log_axes, **options)
    to_x, to_y = (np.log if axis in (log_axes, "x" if log_axes == "both" else "") else float for axis in "xy")
    to_x = np.log if log_axes in ("x", "both") else np.asarray
    to_y = np.log if log_axes in ("y", "both") else np.asarray
    other = fit_relu_sum(
        to_x(x),
        to_y(y),
        2,
        fixed_kinks=[float(to_x(20.0))],
        through=[(float(to_x(100.0)), float(to_y(700.0)))],
    )
    assert fit.sse == pytest.approx(other.sse, rel=1e-9)
    np.testing.assert_allclose(to_x(fit.kinks), other.kinks, rtol=1e-9)
    np.testing.assert_allclose(to_y(fit.predict(x)), other.predict(to_x(x)), rtol=1e-9)
    np.testing.assert_allclose(fit.residuals, other.residuals, atol=1e-9 * np.abs(other.y).max())
    assert fit.predict([100.0])[0] == pytest.approx(700.0, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (
            [1, 0, 2, 3],
            [1, 1, 1, 1],
            {},
            "`x` must be positive with a logarithmic x axis; got 0.0 at index 1",
        ),
        (
            [1, 2, 3, 4],
            [1, 1, -2, 1],
            {},
            "`y` must be positive with a logarithmic y axis; got -2.0 at index 2",
        ),
        ([1, 2, 3, 4], [1, 1, 2, 1], {"fixed_kinks": [-1.0]}, "`fixed_kinks` must be positive"),
        ([1, 2, 3, 4], [1, 1, 2, 1], {"through": [(0.0, 1.0)]}, "x of `through` must be positive"),
        (
            np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
            [1, 2],
            {},
            "`x` must be numbers where its axis is logarithmic; got times",
        ),
        (["a", "b"], [1, 2], {}, "`x` must be real numbers"),
    ],
)
def test_what_has_no_logarithm_is_refused(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(HalfwaveError) as error:
        fit_relu_sum(x, y, 1, log_axes="both", **options)
    assert message in str(error.value)


def test_missing_values_are_called_so() -> None:
    with pytest.raises(HalfwaveError, match="`y` must be finite; got nan at index 1"):
        fit_relu_sum([1.0, 2.0, 3.0], [1.0, np.nan, 2.0], 0, log_axes="both")
