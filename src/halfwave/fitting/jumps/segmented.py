"""The least-squares fit of separate lines that need not meet: segmented least squares.

Here is what becomes of cuts once they are found: lines, costs from residuals, and a function in the user's units.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np

from halfwave.fitting.jumps.programme import Layout, grouped
from halfwave.fitting.jumps.search import find_bounds
from halfwave.fitting.observations import Observations
from halfwave.fitting.search.cells import Indices
from halfwave.fitting.search.rules import Rules
from halfwave.functions import PiecewiseLinear
from halfwave.functions.double_double import Vector
from halfwave.functions.pieces import difference, through_points
from halfwave.functions.piecewise_linear import from_pieces

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Segmented:
    """The best fit by k lines that need not meet, in scaled coordinates.

    Line i is ``heights[i] + slopes[i] (x − centres[i])`` for ``cuts[i − 1] ≤ x < cuts[i]``: a point on a cut
    belongs to the segment on its right.
    """

    cuts: Vector  # (k − 1,), midway between the points beside them, or where they were fixed
    centres: Vector  # (k,), centroids of the segments
    heights: Vector  # (k,)
    slopes: Vector  # (k,)
    weights: Vector  # (k,), Σ w
    spreads: Vector  # (k,), Σ w (x − centre)²; infinite for a flat line, whose slope is known
    cost: float  # Σ w (y − line)², from the residuals
    freedom: float  # points minus heights, slopes and cuts that were free
    is_optimal: bool  # no other cuts cost less

    @property
    def variance(self) -> float:
        """Estimated variance of a residual of weight 1."""
        return self.cost / max(self.freedom, 1.0)

    def __call__(self, x: Vector) -> Vector:
        """The fit at scaled abscissae (n,)."""
        which = np.searchsorted(self.cuts, x, side="right")
        return self.heights[which] + self.slopes[which] * (x - self.centres[which])


def best_segments(data: Observations, rules: Rules, segments: list[int]) -> dict[int, Segmented]:
    """The fits by k separate lines that minimise ``Σ w (y − line(x))²`` over all cuts between the data.

    Points of equal x stay together. Optimal for up to 8192 points; beyond that a search from coarse to
    fine, whose result is a fit but need not be the best one.

    Args:
        data: the observations.
        rules: constraints: different x in each segment (points are not shared), length of a segment between its
            cuts or the ends of the data, cuts that are fixed, flat end pieces. The shape is not looked at.
        segments: one number of segments or more, at least 1 each.

    Returns:
        A fit for each number of segments; those that the rules rule out are missing.

    Source: Bellman (1961), Comm. ACM 4, 284; Bai and Perron (2003), J. Appl. Econometrics 18, 1-22.

    >>> from halfwave.fitting.observations import observe
    >>> data = observe([0, 1, 2, 3, 4, 5], [0, 1, 2, 9, 8, 7])
    >>> fit = best_segments(data, Rules(), [2])[2]
    >>> data.scale.outside(fit.cuts), fit.cost < 1e-25, fit.is_optimal
    (array([2.5]), True, True)
    """
    found, is_optimal = find_bounds(data, rules, sorted(set(segments)))
    splits = [layout.cells.start[bounds[1:-1]] for layout, bounds in found.values()]
    places = np.unique(np.concatenate([np.zeros(0), *splits]))
    sides = data.scale.inside(np.stack(_neighbours(data, places)))
    fits = {}
    for k, (layout, bounds) in found.items():
        cuts = _cuts(layout, bounds, sides[:, np.searchsorted(places, layout.cells.start[bounds[1:-1]])])
        fits[k] = _fitted(data, layout, bounds, cuts, is_optimal)
    return fits


def _cuts(layout: Layout, bounds: Indices, sides: Vector) -> Vector:
    """Cuts (k − 1,) midway between the points on both sides (2, k − 1), or where they are fixed."""
    inner = bounds[1:-1]
    middle = 0.5 * (sides[0] + sides[1])
    # Between two neighbouring floats there is none: the cut is then the right one, to which it belongs.
    middle = np.where(middle > sides[0], middle, sides[1])
    return np.where(layout.required[inner], layout.position[inner], middle)


def _fitted(data: Observations, layout: Layout, bounds: Indices, cuts: Vector, is_optimal: bool) -> Segmented:
    sums, rules = grouped(layout.cells, bounds[:-1]), layout.rules
    flat = np.zeros(len(sums), dtype=bool)
    flat[0] |= rules.flat_first
    flat[-1] |= rules.flat_last
    sloped = ~flat & (sums.xx > 0)
    slopes = np.divide(sums.xy, sums.xx, out=np.zeros_like(sums.xy), where=sloped)
    parameters = 2 * len(sums) - int(flat.sum()) + len(cuts) - len(rules.fixed)
    fit = Segmented(
        cuts=cuts,
        centres=sums.x,
        heights=sums.y,
        slopes=slopes,
        weights=sums.weight,
        spreads=np.where(flat, np.inf, sums.xx),
        cost=0.0,
        freedom=float(len(data.x) - parameters),
        is_optimal=is_optimal,
    )
    return replace(fit, cost=_cost(data, fit))


def _cost(data: Observations, fit: Segmented) -> float:
    """``Σ w (y − line)²`` over the points themselves, a part at a time."""
    total = 0.0
    for x, y, weight in data.chunks():
        residual = y - fit(x)
        residual *= residual
        residual *= weight
        total += float(residual.sum())
    return total


def _neighbours(data: Observations, places: Vector) -> tuple[Vector, Vector]:
    """The last x on the left of each increasing scaled place (p,), and the first that is not, in the user's units."""
    if data.is_sorted:
        at = np.array([first_not_left_of(data, place) for place in places.tolist()], dtype=np.intp)
        return data.x[at - 1], data.x[at]
    lowest, highest = np.full(len(places) + 1, np.inf), np.full(len(places) + 1, -np.inf)
    for begin in range(0, len(data.x), _CHUNK):
        x = data.x[begin : begin + _CHUNK]
        home = np.searchsorted(places, data.scale.inside(x), side="right")
        np.minimum.at(lowest, home, x)
        np.maximum.at(highest, home, x)
    left, right = np.maximum.accumulate(highest), np.minimum.accumulate(lowest[::-1])[::-1]
    return left[:-1], right[1:]


def first_not_left_of(data: Observations, place: float) -> int:
    """The first of the sorted points whose scaled x is at least so much."""
    # Compared in scaled coordinates, where cells were made: the way out and back would round.
    return bisect_left(data.x, place, key=data.scale.inside)


def segmented_function(data: Observations, fit: Segmented) -> tuple[PiecewiseLinear, Vector]:
    """The fit as a function with jumps, and its cuts (k − 1,), in the units of the data.

    A `PiecewiseLinear` takes its left limit at a jump. Cuts lie strictly between data wherever there is a float.
    Where a fixed cut is a point of the data, that point belongs to the right: the function
    jumps at the float before it. So every point is predicted by the line of its own segment.

    Args:
        data: the observations.
        fit: what `best_segments` found for them.

    >>> from halfwave.fitting.observations import observe
    >>> data = observe([0, 1, 2, 3, 4, 5], [0, 1, 2, 9, 8, 7])
    >>> function, cuts = segmented_function(data, best_segments(data, Rules(), [2])[2])
    >>> cuts, function.jumps.round(12), function(2.0).__round__(12), function(3.0).__round__(12)
    (array([2.5]), array([7.]), 2.0, 9.0)
    """
    scale = data.scale
    left, right = _neighbours(data, fit.cuts)
    cuts = np.where(fit.cuts == scale.inside(right), right, scale.outside(fit.cuts))
    kinks = np.minimum(np.maximum(cuts, np.nextafter(left, np.inf)), np.nextafter(right, -np.inf))
    x = scale.outside(fit.centres)
    # The centroid rounds on its way out; the height is taken where it ended up.
    there = scale.inside(x)
    y = scale.outside_heights(there, fit.heights + fit.slopes * (there - fit.centres))
    slopes = (scale.slope + scale.y_unit * fit.slopes) / scale.x_unit
    jumps = scale.y_unit * _jumps(fit)
    return from_pieces(through_points(kinks, slopes, x, y, jumps)), cuts


def _jumps(fit: Segmented) -> Vector:
    """Right minus left limit (k − 1,) at each cut, scaled; 0 where rounding alone explains it."""
    ends = fit.heights[:-1] + fit.slopes[:-1] * (fit.cuts - fit.centres[:-1])
    begins = fit.heights[1:] + fit.slopes[1:] * (fit.cuts - fit.centres[1:])
    return difference(begins, ends)
