"""Where kinks may be: the grid of candidates, finer ones around kinks already found, and where more would pay."""

from __future__ import annotations

import numpy as np

from halfwave.fitting.search.cells import Cells, Indices
from halfwave.fitting.search.heights import Spans
from halfwave.fitting.search.segment_table import Mask, Matrix
from halfwave.functions.double_double import Vector

BETWEEN_POINTS = 150  # so few different x: candidates between the points too
EVERY_POINT = 400
COARSE = 100  # candidates by quantile, and as many at equal distances, for larger data
DETAILED, OUTLINED = 1 << 12, 1 << 10  # more cells than the former are outlined by as many as the latter
_IN_A_GAP = 2
_SOUND = 1e-9  # of a ramp must be left when the heights have taken their part
_AROUND = 9  # candidates around each kink when refining


def candidates(cells: Cells, fixed: Vector) -> Vector:
    """A grid of candidate kinks (m,) in scaled x, with the ends of the data and the fixed kinks.

    Args:
        cells: the data.
        fixed: kinks that must be there.
    """
    if len(cells) <= BETWEEN_POINTS and not cells.xx.any():
        fractions = np.arange(_IN_A_GAP + 1) / (_IN_A_GAP + 1)
        grid = (cells.x[:-1, None] + fractions * np.diff(cells.x)[:, None]).ravel()
    elif len(cells) <= EVERY_POINT:
        grid = cells.start
    else:
        # Quantiles of points where data are dense, equal distances where they are sparse.
        total = np.cumsum(cells.distinct)
        by_count = np.searchsorted(total, np.linspace(0, total[-1], COARSE, endpoint=False), side="right")
        by_distance = np.searchsorted(cells.start, np.linspace(-1.0, 1.0, COARSE, endpoint=False))
        both = np.unique(np.concatenate((by_count, by_distance)))
        grid = cells.start[both[both < len(cells)]]
    inner = grid[(grid > -1.0) & (grid < 1.0)]
    return np.unique(np.concatenate(([-1.0], inner, fixed, [1.0])))


def even(x: Vector, segments: int) -> Vector:
    """Kinks (k − 1,) at points of x (n,) that give every segment as many different x, up to one."""
    distinct = np.unique(x)
    return distinct[np.arange(1, segments) * (len(distinct) - 1) // segments]


def around(cells: Cells, knots: Vector, movable: Vector, radius: Vector) -> tuple[Vector, list[Indices]]:
    """A grid near the knots of a fit.

    Args:
        cells: the data.
        knots: ends and kinks (k + 1,).
        movable: which knots may move (k + 1,).
        radius: how far (k + 1,), counted in cells.

    Returns:
        The grid (m,), and for each knot the indices of its own candidates, itself among them.
    """
    rank = np.arange(len(cells), dtype=float)
    place = np.interp(knots, cells.start, rank)
    offsets = np.linspace(-1.0, 1.0, _AROUND)
    parts = []
    for knot, here, moves, reach in zip(knots, place, movable, radius, strict=True):
        if not moves:
            parts.append(np.array([knot]))
            continue
        ranks = here + reach * offsets
        # Far out only the points themselves; near by the gaps between them too.
        near = np.interp(np.round(ranks) if reach > _AROUND / 2 else ranks, rank, cells.start)
        extra = np.interp([np.floor(here), np.floor(here) + 1.0], rank, cells.start)
        mine = np.concatenate((near, extra, [knot]))
        parts.append(np.unique(mine[(mine > -1.0) & (mine < 1.0)]))
    grid = np.unique(np.concatenate(parts))
    return grid, [np.searchsorted(grid, part) for part in parts]


def outline(cells: Cells, kinks: Vector | None = None) -> Cells:
    """The cells, or for large data fewer ones of several neighbours each: where to look first, and faster.

    Args:
        cells: the data.
        kinks: around which the cells are kept (p,), so that a fit with these costs the same and is allowed.
    """
    if len(cells) <= DETAILED:
        return cells
    first = np.linspace(0, len(cells), OUTLINED, endpoint=False).astype(np.intp)
    if kinks is not None:
        home = np.searchsorted(cells.start, kinks, side="right")
        near = home[:, None] + np.arange(-2, 3)
        first = np.union1d(first, np.clip(near, 0, len(cells) - 1))
    sizes = np.diff(np.append(first, len(cells)))
    weight, distinct = (np.add.reduceat(part, first) for part in (cells.weight, cells.distinct))
    x, y = (np.add.reduceat(cells.weight * part, first) / weight for part in (cells.x, cells.y))
    u, v = cells.x - np.repeat(x, sizes), cells.y - np.repeat(y, sizes)
    inner = (cells.xx, u * u), (cells.xy, u * v), (cells.yy, v * v)
    xx, xy, yy = (np.add.reduceat(within + cells.weight * between, first) for within, between in inner)
    return Cells(cells.start[first], weight, x, y, xx, xy, yy, distinct)


def insertion_gains(cells: Cells, knots: Vector, heights: Vector, sums: Spans) -> tuple[Vector, Vector]:
    """By how much more kinks lower a fit's sum of squares, all others kept: exact where cells are points.

    One more kink adds a tent over its segment. Two at neighbouring points, a jump, add a ramp up to the first
    point and one down from the second. Either overlaps with the heights at the segment's ends alone.

    Args:
        cells: the data.
        knots: ends and kinks (k + 1,).
        heights: of the best fit there (k + 1,).
        sums: its normal equations.

    Returns:
        Gains of a kink at each cell (c,), and of kinks at each cell and the next one (c,). They are 0 where a
        kink is already, and where data do not determine them. O(c + k³).
    """
    home = np.searchsorted(knots[1:-1], cells.x, side="right")
    up, down = cells.x - knots[home], knots[home + 1] - cells.x
    length = up + down
    residual = cells.y - (heights[home] * down + heights[home + 1] * up) / length
    last = np.append(home[1:] != home[:-1], True)
    rise = _running(_overlaps(cells.weight, up, residual, length), last)
    fall = _running(_overlaps(cells.weight, down, residual, length)[:, ::-1], np.roll(last[::-1], -1))[
        :, ::-1
    ]
    # The ramp down begins at the next cell, and its heights are named from left to right.
    fall = np.where(last, 0.0, np.roll(fall, -1, axis=1))[[0, 1, 3, 2]]
    squared, mixed, squared_fall = _without_heights(rise, fall, home, sums)
    pull, pull_fall = rise[1], fall[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = 1 / up, 1 / down  # a tent is as high on both sides
        tent = p * p * squared + 2 * p * q * mixed + q * q * squared_fall
        kink = (p * pull + q * pull_fall) ** 2 / tent
        both = squared * squared_fall - mixed**2
        jump = (pull**2 * squared_fall - 2 * pull * pull_fall * mixed + pull_fall**2 * squared) / both
        kink_sound = tent > _SOUND * (p * p * rise[0] + q * q * fall[0])
        return np.where(kink_sound, kink, 0.0), np.where(both > _SOUND * rise[0] * fall[0], jump, 0.0)


def _overlaps(weight: Vector, distance: Vector, residual: Vector, length: Vector) -> Matrix:
    """Products (4, c) of a ramp with itself, the residuals, and the heights where it starts and where it goes."""
    heavy = weight * distance
    square = heavy * distance
    far = square / length
    return np.stack((square, heavy * residual, heavy - far, far))


def _running(terms: Matrix, last: Mask) -> Matrix:
    """Running sums (r, c) that begin anew behind each cell that is the last one of its segment."""
    total = np.cumsum(terms, axis=1)
    ends = np.flatnonzero(last)
    before = np.hstack((np.zeros((len(terms), 1)), total[:, ends[:-1]]))
    return total - np.repeat(before, np.diff(ends, prepend=-1), axis=1)


def _without_heights(rise: Matrix, fall: Matrix, home: Indices, sums: Spans) -> tuple[Vector, Vector, Vector]:
    """Products of the two ramps (c,), each with itself and with the other, less what the fit's heights explain."""
    beside = np.diag(sums.ab, 1)
    inverse = np.linalg.inv(np.diag(np.append(sums.aa, 0.0) + np.append(0.0, sums.bb)) + beside + beside.T)
    low, across, high = inverse[home, home], inverse[home, home + 1], inverse[home + 1, home + 1]

    def explained(one: Matrix, other: Matrix) -> Vector:
        mixed = one[2] * other[3] + one[3] * other[2]
        return low * one[2] * other[2] + across * mixed + high * one[3] * other[3]

    return rise[0] - explained(rise, rise), -explained(rise, fall), fall[0] - explained(fall, fall)
