"""The figure of a fit: what is drawn is what was fitted."""

from __future__ import annotations

import numpy as np
import pytest

from halfwave.fitting import fit_by_gradient, fit_relu_sum
from halfwave.plots import fit, gradient_path


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 150))
    return x, np.abs(x - 4) + 0.3 * rng.normal(size=150)


def test_data_kinks_intervals_and_residuals(data) -> None:
    result = fit_relu_sum(*data)
    bounds = result.intervals()
    figure = fit(result, bounds, ("time", "size"))
    points, residuals, choice = figure.axes
    np.testing.assert_allclose(np.sort(points.collections[0].get_offsets()[:, 1]), np.sort(data[1]))
    np.testing.assert_allclose(
        np.sort(residuals.collections[0].get_offsets()[:, 1]), np.sort(result.residuals)
    )
    line = max(points.lines, key=lambda drawn: len(drawn.get_xdata())).get_xydata()
    np.testing.assert_allclose(line[:, 1], result.function(line[:, 0]))
    assert set(result.kinks) <= set(line[:, 0])
    spans = [patch.get_extents().transformed(points.transData.inverted()) for patch in points.patches]
    np.testing.assert_allclose([[s.x0, s.x1] for s in spans], bounds.kinks, rtol=1e-6)
    counts, values = choice.lines[0].get_data()
    np.testing.assert_array_equal(counts, np.arange(13))
    np.testing.assert_allclose(values, [row.criteria["bic"] for row in result.table])
    assert points.get_ylabel() == "size"
    assert residuals.get_xlabel() == "time"
    assert "chosen: 1" in choice.get_title("left")


def test_given_numbers_of_kinks_show_sums_of_squares(data) -> None:
    result = fit_relu_sum(*data, kinks=3)
    choice = fit(result).axes[2]
    np.testing.assert_allclose(choice.lines[0].get_ydata(), [row.sse for row in result.table])
    assert choice.get_title("left") == "asked for: 3"


def test_large_data_are_thinned_and_dates_are_dates() -> None:
    days = np.datetime64("2020-01-01") + np.arange(20_000).astype("timedelta64[h]")
    figure = fit(fit_relu_sum(days, np.abs(np.arange(20_000) - 7000.0), kinks=1))
    assert len(figure.axes[0].collections[0].get_offsets()) < 6000
    kink = figure.axes[0].lines[0].get_xdata()[0]
    assert np.datetime64(kink, "h") == days[7000]


def test_gradient_beside_the_optimum(data) -> None:
    path = fit_by_gradient(*data, 3, "lbfgs", steps=60)
    best = fit_relu_sum(*data, kinks=3)
    functions, loss = gradient_path(path, *data, best).axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), path.losses)
    np.testing.assert_allclose(loss.lines[1].get_ydata()[0], best.sse / 150)
    x, y = functions.lines[-1].get_data()
    np.testing.assert_allclose(y, best.function(x))
