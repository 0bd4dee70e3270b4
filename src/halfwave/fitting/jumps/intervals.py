"""How well the data determine the cuts and lines of a fit whose lines need not meet."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from halfwave.fitting.jumps.programme import Layout, layout_of, programme
from halfwave.fitting.jumps.search import COARSE, EXACT, kept_bounds, opened
from halfwave.fitting.jumps.segmented import Segmented, first_not_left_of
from halfwave.fitting.observations import Observations
from halfwave.fitting.search.cells import Indices, cells_of
from halfwave.fitting.search.rules import Rules
from halfwave.functions.double_double import Vector

_AROUND = 32  # cuts looked at on each side of a fit's own, at each distance
_FARTHER = 8  # how much larger the groups are from one distance to the next


def threshold(level: float) -> float:
    """The c with ``(1 − exp(−c/2))² = level``: the quantile of the likelihood ratio of a jump's place.

    Args:
        level: inside (0, 1).

    Source: Hansen (2000), Econometrica 68, 575-603.

    >>> round(threshold(0.95), 2)
    7.35
    """
    return -2 * math.log1p(-math.sqrt(level))


def cut_intervals(data: Observations, rules: Rules, fit: Segmented, level: float = 0.95) -> Vector:
    """Confidence intervals of the cuts, in the units of the data.

    A place p for a cut, all other cuts and lines free, is admitted where ``SSE(p) − SSE ≤ s² c(level)``. The interval
    reaches from the point on the left of the first admitted cut to the one on the right of the last. The larger the
    jump, the more it covers than asked: at 95 %, 95 to 97 % for jumps of one standard deviation, 99 % for three.

    Args:
        data: the observations.
        rules: those of the fit.
        fit: the fit by k lines.
        level: nominal coverage, inside (0, 1).

    Returns:
        Low and high end for each cut (k − 1, 2); a fixed cut has itself as both.

    Source: Hansen (2000), Econometrica 68, 575-603.

    >>> from halfwave.fitting.observations import observe
    >>> from halfwave.fitting.jumps.segmented import best_segments
    >>> data = observe(range(8), [0.1, -0.1, 0.1, -0.1, 9.1, 8.9, 9.1, 8.9])
    >>> cut_intervals(data, Rules(), best_segments(data, Rules(), [2])[2])
    array([[3., 4.]])
    """
    cells = opened(cells_of(data), data, np.concatenate((rules.fixed, fit.cuts)))
    layout = layout_of(cells, rules)
    own = np.searchsorted(cells.x, fit.cuts)
    if len(layout) > EXACT:
        bounds = _graded(layout, own)
        layout, own = layout.coarser(bounds), np.searchsorted(bounds, own)
    ends = [_end_cuts(profile, at, threshold(level) * fit.variance) for profile, at in _profiles(layout, own)]
    outer = _points_beside(data, layout, np.array(ends, dtype=np.intp).reshape(-1, 2))
    is_fixed = np.isin(fit.cuts, rules.fixed)[:, None]
    return np.where(is_fixed, _outside(data, fit.cuts)[:, None], outer)


def _graded(layout: Layout, own: Indices) -> Indices:
    """Bounds close together around a fit's cuts, and ever farther apart away from them."""
    strides = _FARTHER ** np.arange(int(math.log(len(layout), _FARTHER)) + 1)
    offsets = (strides[:, None] * np.arange(-_AROUND, _AROUND + 1)).ravel()
    everywhere = np.arange(0, len(layout), -(-len(layout) // COARSE) * 2)
    return kept_bounds(layout, np.concatenate((everywhere, (own[:, None] + offsets).ravel())))


def _profiles(layout: Layout, own: Indices) -> Iterator[tuple[Vector, int]]:
    """For each cut the least cost (c + 1,) with it at each place, and its own place."""
    count = len(own)
    before, after = programme(layout, count).cost, programme(layout.mirrored(), count).cost[:, ::-1]
    for i, at in enumerate(own.tolist()):
        yield before[i + 1] + after[count - i], at


def _end_cuts(profile: Vector, own: int, allowance: float) -> tuple[int, int]:
    """The first and the last cut that costs little enough; the fit's own is between them."""
    admitted = np.flatnonzero(profile <= profile[own] + allowance)
    return min(own, int(admitted[0])), max(own, int(admitted[-1]))


def _points_beside(data: Observations, layout: Layout, ends: Indices) -> Vector:
    """The points on the left of the first cuts and on the right of the last (k − 1, 2), in the user's units.

    Where a group of points lies beside a cut, cuts within it were not tried: its far end is taken.
    """
    cells = layout.cells
    far = np.append(cells.start[1:], 1.0)
    right_end = np.where(cells.distinct == 1, cells.x, far)
    scaled = np.stack((cells.start[ends[:, 0] - 1], right_end[ends[:, 1]]), axis=1)
    return _outside(data, scaled.ravel()).reshape(-1, 2)


def _outside(data: Observations, places: Vector) -> Vector:
    """Scaled places in the user's units, as the floats of the data where they are data."""
    made = data.scale.outside(places)
    if not data.is_sorted:
        return made
    last = len(data.x) - 1
    nearest = data.x[[min(first_not_left_of(data, place), last) for place in places.tolist()]]
    return np.where(data.scale.inside(nearest) == places, nearest, made)


def line_intervals(data: Observations, fit: Segmented, level: float = 0.95) -> tuple[Vector, Vector]:
    """Confidence intervals of the lines by ordinary least squares, in the units of the data, for cuts as they are.

    They do not know that the cuts were searched for: where a jump is about as large as the noise, intervals of
    95 % cover 62 to 89 % (jumps of three standard deviations: 94 to 96 %).

    ``slope ± t s/√Σ w (x − x̄)²`` and ``height ± t s/√Σ w`` with Student's t for the degrees of freedom of the whole
    fit, and s² its residual variance.

    Args:
        data: the observations.
        fit: the fit by k lines.
        level: nominal coverage, inside (0, 1).

    Returns:
        Low and high end of the slopes (k, 2), and of the heights at the centroids of the segments (k, 2). The slope of
        a flat line has itself as both ends; that of a single x is not bounded.

    Source: Draper and Smith (1998), Applied Regression Analysis, 3rd edition.

    >>> from halfwave.fitting.observations import observe
    >>> from halfwave.fitting.jumps.segmented import best_segments
    >>> data = observe(range(8), [0.1, -0.1, 0.1, -0.1, 9.1, 8.9, 9.1, 8.9])
    >>> slopes, heights = line_intervals(data, best_segments(data, Rules(), [2])[2])
    >>> slopes.round(2).tolist(), heights.round(2).tolist()
    ([[-0.25, 0.17], [-0.25, 0.17]], [[-0.23, 0.23], [8.77, 9.23]])
    """
    from scipy.special import stdtrit

    scale = data.scale
    reach = float(stdtrit(max(fit.freedom, 1.0), (1 + level) / 2)) * math.sqrt(fit.variance)
    unbounded = np.full_like(fit.spreads, np.inf)
    slope_reach = np.divide(reach, np.sqrt(fit.spreads), out=unbounded, where=fit.spreads > 0)
    low_high = np.array([-1.0, 1.0])
    slopes = fit.slopes[:, None] + slope_reach[:, None] * low_high
    heights = fit.heights[:, None] + (reach / np.sqrt(fit.weights))[:, None] * low_high
    at = fit.centres[:, None]
    return (scale.slope + scale.y_unit * slopes) / scale.x_unit, scale.outside_heights(at, heights)
