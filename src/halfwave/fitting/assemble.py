"""From scaled heights at kinks to a function in the user's units, and to the rows of a result."""

from __future__ import annotations

import numpy as np

from halfwave.fitting.criteria import information, strongest_kink
from halfwave.fitting.fit_result import Certificate, FitRow, sum_of_squares
from halfwave.fitting.observations import Observations
from halfwave.fitting.search.polish import Candidate
from halfwave.fitting.search.search import Found
from halfwave.functions import PiecewiseLinear, from_points
from halfwave.functions.double_double import Vector


def as_function(data: Observations, fit: Candidate) -> tuple[PiecewiseLinear, Vector]:
    """The fit in the user's units, and its kinks (k − 1,) as floats of the data where they are data."""
    knots = data.scale.outside(fit.knots)
    knots[0], knots[-1] = data.ends()
    knots[1:-1] = _snapped(data, knots[1:-1])
    heights = data.scale.outside_heights(fit.knots, fit.heights)
    # Kinks that only differ in scaled coordinates are one in floats.
    apart = np.concatenate(([True], np.diff(knots) > 0))
    return from_points(knots[apart], heights[apart]), knots[1:-1]


def rows(data: Observations, found: Found, points: float) -> tuple[FitRow, ...]:
    """One row for each number of kinks found, in increasing order; `points` is n in the criteria."""
    made = []
    for segments in sorted(found.fits):
        function, kinks = as_function(data, found.fits[segments])
        sse = sum_of_squares(function, data.x, data.y, data.weights)
        made.append(
            FitRow(
                kinks,
                function,
                sse,
                _criteria(data, found, segments, sse, points),
                certificate(data, found, segments),
                sse,
            )
        )
    return tuple(made)


def certificate(data: Observations, found: Found, segments: int) -> Certificate:
    """What the dynamic programme proved, in the user's units."""
    optimum = found.grid[segments]
    return Certificate(optimum.is_optimal, found.grid_size, optimum.cost * data.cost_unit)


def _criteria(data: Observations, found: Found, segments: int, sse: float, points: float) -> dict[str, float]:
    visible = visible_sse(data, sse)
    strength = strongest_kink(found.cells, found.fits[segments].knots)
    penalties = {"bic": 2.0, "bic3": 3.0, "wbic": 2.0 + strength}
    return {name: information(visible, points, segments - 1, each) for name, each in penalties.items()}


def visible_sse(data: Observations, sse: float) -> float:
    """The sum of squares, or what rounding makes of 0: exact fits with more kinks must not look better."""
    return max(sse, len(data.x) * resolution(data) ** 2)


def resolution(data: Observations) -> float:
    """What rounding may make of a residual of 0."""
    size = max(float(data.y.max()), -float(data.y.min()))
    return max(8 * np.finfo(np.float64).eps * size, np.finfo(np.float64).tiny ** 0.5)


def _snapped(data: Observations, kinks: Vector) -> Vector:
    """Kinks that are a data point up to the rounding of the scale become that point."""
    if not data.is_sorted:
        return kinks
    place = np.searchsorted(data.x, kinks)
    around = data.x[np.clip(np.stack((place - 1, place)), 0, len(data.x) - 1)]
    nearest = around[np.argmin(np.abs(around - kinks), axis=0), np.arange(len(kinks))]
    rounding = 4 * np.finfo(np.float64).eps * (np.abs(kinks) + data.scale.x_unit)
    return np.where(np.abs(nearest - kinks) <= rounding, nearest, kinks)
