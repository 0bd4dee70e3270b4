"""Gauss–Newton steps for the kinks as a kernel that numba compiles; imported only where it is to run.

It does what `polish.descend` does in NumPy, with loops in the place of array operations.
"""

from __future__ import annotations

import numpy as np

try:
    from numba import njit  # pyright: ignore[reportMissingImports, reportAssignmentType]
except ImportError:  # whoever imports this file without numba gets plain Python
    from functools import partial as _partial

    def njit(**_options):  # pyright: ignore[reportAssignmentType]
        """A decorator that changes nothing."""
        return _partial(lambda function: function)


STEPS, FEW_STEPS = 25, 4
LENGTHS = np.array([1.0, 0.5, 0.2, 0.05])  # parts of a step that are tried
WORTH = 1e-11  # a step that lowers the cost by less than this fraction is the last one


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # sums in any order: several at a time
def _sums(cells, knots, side_left, sums):
    """Fills the normal equations (6, k): Σ of w a², w ab, w b², w ay, w by, w y² of each segment."""
    x, weight, y, xx, xy, yy = cells
    segments = len(knots) - 1
    sums[:] = 0.0
    begin = 0
    for s in range(segments):
        end = len(x)
        if s < segments - 1 and side_left:
            end = np.searchsorted(x, knots[s + 1], "right")
        elif s < segments - 1:
            end = np.searchsorted(x, knots[s + 1], "left")
        low, length = knots[s], knots[s + 1] - knots[s]
        aa, ab, bb, ay, by, square = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(begin, end):
            b = (x[i] - low) / length
            a = 1.0 - b
            inner, lean = xx[i] / length**2, xy[i] / length
            aa += weight[i] * a * a + inner
            ab += weight[i] * a * b - inner
            bb += weight[i] * b * b + inner
            ay += weight[i] * a * y[i] - lean
            by += weight[i] * b * y[i] + lean
            square += weight[i] * y[i] ** 2 + yy[i]
        sums[0, s], sums[1, s], sums[2, s] = aa, ab, bb
        sums[3, s], sums[4, s], sums[5, s] = ay, by, square
        begin = end


@njit(cache=True, nogil=True)
def _flatten(sums, flat_first, flat_last):
    """Gives flat end pieces one height; the outer height gets an equation of its own that costs nothing."""
    if flat_first:
        total, pull = sums[0, 0] + 2 * sums[1, 0] + sums[2, 0], sums[3, 0] + sums[4, 0]
        sums[0, 0], sums[1, 0], sums[2, 0], sums[3, 0], sums[4, 0] = total, 0.0, total, 0.0, pull
    if flat_last:
        total, pull = sums[0, -1] + 2 * sums[1, -1] + sums[2, -1], sums[3, -1] + sums[4, -1]
        sums[0, -1], sums[1, -1], sums[2, -1], sums[3, -1], sums[4, -1] = total, 0.0, total, pull, 0.0


@njit(cache=True, nogil=True)
def _allowed(x, distinct, knots, limits):
    """Whether each segment is long enough and holds enough different x."""
    min_points, min_length = limits[0], max(limits[1] * (1 - 1e-12), 1e-15)
    for s in range(len(knots) - 1):
        if not knots[s + 1] - knots[s] >= min_length:
            return False
        first, last = np.searchsorted(x, knots[s], "left"), np.searchsorted(x, knots[s + 1], "right")
        if last - first < min_points and distinct[first:last].sum() < min_points:
            return False
    return True


@njit(cache=True, nogil=True)
def _heights(sums, heights):
    """Fills the best heights (k + 1,) and returns their sum of squares; ``inf`` where data leave one open."""
    segments = sums.shape[1]
    pivot, target = np.zeros(segments + 1), np.zeros(segments + 1)
    pivot[:-1] = sums[0]
    pivot[1:] += sums[2]
    target[:-1] = sums[3]
    target[1:] += sums[4]
    if not pivot.min() > 1e-14 * pivot.max():
        return np.inf
    for i in range(segments):
        factor = sums[1, i] / pivot[i]
        pivot[i + 1] -= factor * sums[1, i]
        target[i + 1] -= factor * target[i]
        if not pivot[i + 1] > 0:
            return np.inf
    heights[-1] = target[-1] / pivot[-1]
    for i in range(segments - 1, -1, -1):
        heights[i] = (target[i] - sums[1, i] * heights[i + 1]) / pivot[i]
    cost = 0.0
    for s in range(segments):
        u, v = heights[s], heights[s + 1]
        cost += sums[0, s] * u * u + 2 * sums[1, s] * u * v + sums[2, s] * v * v
        cost += sums[5, s] - 2 * (sums[3, s] * u + sums[4, s] * v)
    return max(cost, 0.0) if np.isfinite(cost) else np.inf


@njit(cache=True, nogil=True)
def _crossing_steps(sums, knots, movable):
    """From each kink to where its neighbouring lines cross (k − 1,), at most 0.9 of the way to the next knot."""
    segments = len(knots) - 1
    left, right, step = np.full(segments, np.nan), np.full(segments, np.nan), np.zeros(segments - 1)
    for s in range(segments):
        aa, ab, bb = sums[0, s], sums[1, s], sums[2, s]
        determinant = aa * bb - ab**2
        if determinant > 1e-12 * aa * bb:
            left[s] = (sums[3, s] * bb - sums[4, s] * ab) / determinant
            right[s] = (sums[4, s] * aa - sums[3, s] * ab) / determinant
    for j in range(segments - 1):
        before, after = knots[j + 1] - knots[j], knots[j + 2] - knots[j + 1]
        bend = (right[j] - left[j]) / before - (right[j + 1] - left[j + 1]) / after
        if movable[j] and bend != 0 and np.isfinite(bend):
            step[j] = min(max((left[j + 1] - right[j]) / bend, -0.9 * before), 0.9 * after)
    return step


@njit(cache=True, nogil=True)
def _try(cells, distinct, knots, limits, flats, sums, heights):
    """The cost of the best fit with given knots, its heights filled in; ``inf`` where there is none."""
    if not _allowed(cells[0], distinct, knots, limits):
        return np.inf
    _sums(cells, knots, False, sums)
    _flatten(sums, flats[0], flats[1])
    return _heights(sums, heights)


@njit(cache=True, nogil=True)
def descend(cells, distinct, knots, heights, cost, movable, limits, flats, quick):
    """Moves kinks to where neighbouring lines cross, as long as that helps; knots and heights are changed.

    Args:
        cells: x, weight, y, xx, xy and yy (c,) of the cells.
        distinct: number of different x in each cell (c,).
        knots: ends and kinks (k + 1,).
        heights: there (k + 1,).
        cost: of this fit.
        movable: which kinks may move (k − 1,).
        limits: the least number of different x and the least length of a segment.
        flats: whether the first and the last piece are flat.
        quick: whether to stop after a few steps.

    Returns:
        The cost of the last fit.
    """
    sums = np.zeros((6, len(knots) - 1))
    tried, found = knots.copy(), heights.copy()
    for _ in range(FEW_STEPS if quick else STEPS):
        start = cost
        for side_left in (False, True):
            _sums(cells, knots, side_left, sums)
            _flatten(sums, flats[0], flats[1])
            step = _crossing_steps(sums, knots, movable)
            # 1. All kinks together.
            for length in LENGTHS:
                tried[1:-1] = knots[1:-1] + length * step
                new = _try(cells, distinct, tried, limits, flats, sums, found)
                if new < cost:
                    cost = new
                    knots[:], heights[:] = tried, found
                    break
            if cost < start:
                break
            # 2. One by one: a kink at a stop must not hold back the others.
            for j in range(len(step)):
                if step[j] == 0:
                    continue
                tried[:] = knots
                tried[j + 1] += step[j]
                new = _try(cells, distinct, tried, limits, flats, sums, found)
                if new < cost:
                    cost = new
                    knots[:], heights[:] = tried, found
            if cost < start:
                break
        if start - cost <= WORTH * start:
            break
    return cost
