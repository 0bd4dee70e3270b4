"""Monotone and convex fits against a dense solver with constraints at every placement of kinks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from halfwave.errors import HalfwaveError
from halfwave.fitting import fit_relu_sum
from halfwave.fitting.observations import observe
from halfwave.fitting.search.cells import cells_of
from halfwave.fitting.search.grid import candidates
from halfwave.fitting.search.heights import spans
from halfwave.fitting.search.shape import Shape, shaped_heights

SHAPES = [(m, c) for m in (None, "increasing", "decreasing") for c in (None, "convex", "concave") if m or c]


def wavy(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(0, 10, n))
    return x, np.sin(x) + 0.3 * x + generator.normal(0, 0.3, n)


def constraints(knots: np.ndarray, shape: Shape) -> np.ndarray:
    """Rows (r, k + 1) whose products with the heights must not be negative."""
    slopes = np.diff(np.eye(len(knots)), axis=0) / np.diff(knots)[:, None]
    rows = [shape.monotone * slopes] if shape.monotone else []
    return np.vstack([*rows, shape.convex * np.diff(slopes, axis=0)] if shape.convex else rows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [Shape(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1) if m or c])
def test_heights_are_those_of_a_general_solver(shape: Shape, seed: int) -> None:
    data = observe(*wavy(40, seed), level=True)
    cells, knots = cells_of(data), np.array([-1, -0.4, 0.1, 0.5, 1.0])
    x, y, _ = data.scaled()
    tents = np.stack([np.interp(x, knots, unit) for unit in np.eye(5)], axis=1)
    found = shaped_heights(spans(cells, knots), knots, shape)
    assert found is not None
    rows = constraints(knots, shape)
    assert (rows @ found[0]).min() >= -1e-12
    general = minimize(
        lambda h: ((y - tents @ h) ** 2).sum(),
        np.zeros(5),
        jac=lambda h: -2 * tents.T @ (y - tents @ h),
        method="SLSQP",
        constraints=LinearConstraint(rows, 0, np.inf),
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found[1] == pytest.approx(((y - tents @ found[0]) ** 2).sum(), rel=1e-9)
    assert found[1] <= general.fun * (1 + 1e-7)


@pytest.mark.parametrize(("monotone", "convex"), SHAPES)
@pytest.mark.parametrize("kinks", [1, 3])
def test_fits_have_the_shape(monotone: str | None, convex: str | None, kinks: int) -> None:
    x, y = wavy(120, 1)
    fit = fit_relu_sum(x, y, kinks, monotone=monotone, convex=convex)  # pyright: ignore[reportArgumentType]
    slopes = np.diff(fit.function(np.array([x[0], *fit.kinks, x[-1]]))) / np.diff([x[0], *fit.kinks, x[-1]])
    if monotone:
        assert (slopes if monotone == "increasing" else -slopes).min() >= -1e-9
    if convex:
        assert (np.diff(slopes) if convex == "convex" else -np.diff(slopes)).min(initial=0) >= -1e-9
    assert fit.sse == pytest.approx((fit.residuals**2).sum(), rel=1e-12)
    assert fit.sse >= fit_relu_sum(x, y, kinks).sse * (1 - 1e-9)


@pytest.mark.parametrize(("monotone", "convex"), SHAPES)
@pytest.mark.parametrize("kinks", [1, 2])
def test_no_placement_on_the_grid_is_better(monotone: str | None, convex: str | None, kinks: int) -> None:
    x, y = wavy(14, 2)
    data = observe(x, y, level=True)
    cells = cells_of(data)
    directions = {None: 0, "increasing": 1, "decreasing": -1, "convex": 1, "concave": -1}
    shape = Shape(directions[monotone], directions[convex])
    best = np.inf
    for inner in combinations(candidates(cells, np.zeros(0))[1:-1], kinks):
        knots = np.array([-1.0, *inner, 1.0])
        first, last = (
            np.searchsorted(cells.x, knots[:-1], "left"),
            np.searchsorted(cells.x, knots[1:], "right"),
        )
        if (last - first >= 3).all():
            solved = shaped_heights(spans(cells, knots), knots, shape)
            best = min(best, np.inf if solved is None else solved[1])
    fit = fit_relu_sum(x, y, kinks, monotone=monotone, convex=convex)  # pyright: ignore[reportArgumentType]
    assert fit.sse <= best * data.scale.y_unit**2 * (1 + 1e-9)


def test_a_shape_that_the_best_fit_has_changes_nothing() -> None:
    x = np.linspace(0, 10, 80)
    y = np.maximum(x - 4, 0) + 0.05 * np.sin(40 * x)
    plain, shaped = fit_relu_sum(x, y, 1), fit_relu_sum(x, y, 1, convex=True)
    assert shaped.sse == pytest.approx(plain.sse, rel=1e-6)
    assert shaped.certificate.optimal_on_grid
    assert not fit_relu_sum(x, y, 1, convex="concave").certificate.optimal_on_grid


def test_shapes_work_with_automatic_kinks_and_robust_losses() -> None:
    x, y = wavy(80, 3)
    automatic = fit_relu_sum(x, y, max_kinks=3, monotone="increasing", correlation="ignore")
    assert np.diff(automatic.function(x)).min() >= -1e-9
    robust = fit_relu_sum(x, y, 2, convex="concave", loss="huber")
    assert np.diff(robust.function.slopes).max() <= 1e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monotone": "up"}, "`monotone` must be None, 'increasing' or 'decreasing'; got 'up'"),
        ({"convex": 2}, "`convex` must be None, True, False, 'convex' or 'concave'; got 2"),
        (
            {"convex": True, "flat": "first"},
            "`flat` must be 'none' where `monotone` or `convex` is asked for",
        ),
    ],
)
def test_bad_shapes_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        fit_relu_sum(range(9), range(9), 1, **options)  # pyright: ignore[reportArgumentType]


def rising() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x = np.sort(generator.uniform(0, 10, 200))
    return x, np.interp(x, [0, 4, 10], [0, 6, 8]) + generator.normal(0, 0.4, 200)


def test_shapes_with_fixed_kinks_keep_both() -> None:
    x, y = rising()
    fit = fit_relu_sum(x, y, 3, monotone="increasing", fixed_kinks=[2.0, 7.0])
    assert {2.0, 7.0} <= set(fit.kinks.tolist())
    assert (fit.function.slopes >= 0).all()
    np.testing.assert_array_equal(fit.intervals().kinks[[0, 2]], [[2.0, 2.0], [7.0, 7.0]])


def test_intervals_under_a_shape_that_holds_are_those_without_it() -> None:
    x, y = rising()
    for method in ("profile", "delta"):
        free, bound = fit_relu_sum(x, y, 1), fit_relu_sum(x, y, 1, convex="concave")
        np.testing.assert_allclose(
            bound.intervals(method=method).kinks, free.intervals(method=method).kinks, rtol=1e-6
        )


def test_a_shape_that_binds_shortens_where_a_kink_may_lie() -> None:
    x, y = wavy(120, 0)
    bound = fit_relu_sum(x, y, 2, convex="concave", correlation="ignore")
    free = fit_relu_sum(x, y, 2, correlation="ignore")
    assert bound.sse > free.sse
    for low, kink, high in np.column_stack((bound.intervals().kinks, bound.kinks))[:, [0, 2, 1]]:
        assert x[0] <= low <= kink <= high <= x[-1]


def test_cross_validation_with_a_shape_finds_the_kink() -> None:
    x, y = rising()
    fit = fit_relu_sum(x, y, monotone="increasing", criterion="cross_validation", max_kinks=3)
    assert fit.kinks == pytest.approx([4.0], abs=0.4)
    assert all(np.isfinite(row.criteria["cross_validation"]) for row in fit.table)
