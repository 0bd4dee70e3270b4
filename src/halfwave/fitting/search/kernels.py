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
SHORTER = np.array([0.5, 0.2, 0.05])  # parts of a step that are tried where the whole one does not help
WORTH = 1e-11  # a step that lowers the cost by less than this fraction is the last one


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # sums in any order: several at a time
def _sums(cells, knots, on_left, sums):
    """Fills the normal equations (6, k): Σ of w a², w ab, w b², w ay, w by, w y² of each segment.

    A point on a kink belongs to the segment on the left where `on_left` (k − 1,) says so.
    """
    x, weight, y, xx, xy, yy = cells
    segments = len(knots) - 1
    sums[:] = 0.0
    begin = 0
    for s in range(segments):
        end = len(x)
        if s < segments - 1 and on_left[s]:
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
def _allowed(x, start, distinct, knots, limits):
    """Whether each segment is long enough and holds enough different x in cells that no knot cuts."""
    min_points, min_length = limits[0], max(limits[1] * (1 - 1e-12), 1e-15)
    for s in range(len(knots) - 1):
        if not knots[s + 1] - knots[s] >= min_length:
            return False
        first, last = np.searchsorted(x, knots[s], "left"), np.searchsorted(x, knots[s + 1], "right")
        if first < len(x) and distinct[first] > 1 and start[first] < knots[s]:
            first += 1
        far = start[last] if last < len(x) else 1.0
        if last > 0 and distinct[last - 1] > 1 and far > knots[s + 1]:
            last -= 1
        count = 0.0
        while first < last and count < min_points:
            count += distinct[first]
            first += 1
        if count < min_points:
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
def _directions(cells, sums, knots, heights, rightward, leftward, stuck):
    """Marks kinks on a point that lower the cost when moved right, when moved left, and in no direction."""
    x, weight, y = cells[0], cells[1], cells[2]
    for j in range(len(knots) - 2):
        rightward[j], leftward[j], stuck[j] = False, False, False
        place = np.searchsorted(x, knots[j + 1])
        if place == len(x) or x[place] != knots[j + 1]:
            continue
        u, v, w = heights[j], heights[j + 1], heights[j + 2]
        bend = (v - u) / (knots[j + 1] - knots[j]) - (w - v) / (knots[j + 2] - knots[j + 1])
        pull = sums[4, j] - sums[1, j] * u - sums[2, j] * v
        leftward_gain = bend * pull
        rightward_gain = -bend * (pull + weight[place] * (y[place] - v))
        rightward[j] = rightward_gain > 0 and rightward_gain >= leftward_gain
        stuck[j] = rightward_gain <= 0 and leftward_gain <= 0
        leftward[j] = not rightward[j] and not stuck[j]


@njit(cache=True, nogil=True)
def _crossings(sums, knots, held, target):
    """Moves the targets (k + 1,) of kinks to where the lines on both sides meet, at most 0.9 of the way.

    The lines are continuous at the held kinks and at the ends of segments that have none of their own.
    """
    segments = len(knots) - 1
    broken = np.zeros(segments + 1, np.bool_)
    broken[1:-1] = ~held
    for s in range(segments):
        aa, ab, bb = sums[0, s], sums[1, s], sums[2, s]
        if not aa * bb - ab**2 > 1e-12 * aa * bb:
            broken[s], broken[s + 1] = False, False
    pivot, pull, beside = np.zeros(2 * segments), np.zeros(2 * segments), np.zeros(2 * segments)
    at = np.zeros(segments, np.intp)
    for s in range(segments):
        if s > 0:
            at[s] = at[s - 1] + (2 if broken[s] else 1)
        i = at[s]
        pivot[i] += sums[0, s]
        pull[i] += sums[3, s]
        beside[i] = sums[1, s]
        pivot[i + 1] += sums[2, s]
        pull[i + 1] += sums[4, s]
    last = at[-1] + 1
    for i in range(last):
        if not pivot[i] > 0:
            return
        factor = beside[i] / pivot[i]
        pivot[i + 1] -= factor * beside[i]
        pull[i + 1] -= factor * pull[i]
    if not pivot[last] > 0:
        return
    pull[last] /= pivot[last]
    for i in range(last - 1, -1, -1):
        pull[i] = (pull[i] - beside[i] * pull[i + 1]) / pivot[i]
    for j in range(1, segments):
        before, after = knots[j] - knots[j - 1], knots[j + 1] - knots[j]
        here, there = at[j - 1], at[j]
        bend = (pull[here + 1] - pull[here]) / before - (pull[there + 1] - pull[there]) / after
        if broken[j] and bend != 0 and np.isfinite(bend):
            step = (pull[there] - pull[here + 1]) / bend
            target[j] += min(max(step, -0.9 * before), 0.9 * after)


@njit(cache=True, nogil=True)
def _stopped(x, knots, target, near):
    """Fills in targets (k + 1,) with each kink going no further than to the next point."""
    for j in range(1, len(knots) - 1):
        ahead = min(np.searchsorted(x, knots[j], "right"), len(x) - 1)
        behind = max(np.searchsorted(x, knots[j]) - 1, 0)
        near[j] = min(max(target[j], min(x[behind], knots[j])), max(x[ahead], knots[j]))


@njit(cache=True, nogil=True)
def _keep_better(cells, start, distinct, knots, heights, cost, tried, limits, flats, sums, found):
    """The lower one of the cost and that of other knots; knots and heights become theirs if they are better."""
    if not _allowed(cells[0], start, distinct, tried, limits):
        return cost
    _sums(cells, tried, np.zeros(len(knots) - 2, np.bool_), sums)
    _flatten(sums, flats[0], flats[1])
    new = _heights(sums, found)
    if not new < cost:
        return cost
    knots[:], heights[:] = tried, found
    return new


@njit(cache=True, nogil=True)
def _outer_heights(heights, flats):
    """Gives the outer ends of flat pieces the height of the inner ones."""
    if flats[0]:
        heights[0] = heights[1]
    if flats[1]:
        heights[-1] = heights[-2]


@njit(cache=True, nogil=True)
def _step(cells, start, distinct, knots, heights, cost, movable, limits, flats, sums):
    """Moves knots and heights to a better fit one step away, if there is one, and returns its cost."""
    kinks = len(knots) - 2
    rightward, leftward, stuck = (
        np.zeros(kinks, np.bool_),
        np.zeros(kinks, np.bool_),
        np.zeros(kinks, np.bool_),
    )
    _sums(cells, knots, rightward, sums)
    _flatten(sums, flats[0], flats[1])
    _directions(cells, sums, knots, heights, rightward, leftward, stuck)
    if rightward.any():
        _sums(cells, knots, rightward, sums)
        _flatten(sums, flats[0], flats[1])
    origin, target, near = knots.copy(), knots.copy(), knots.copy()
    held = stuck | ~movable
    _crossings(sums, knots, held, target)
    # A kink on a point that others push to the side where the cost rises stays, as long as they do.
    pushed = (rightward & (target < origin)[1:-1]) | (leftward & (target > origin)[1:-1])
    if pushed.any():
        target[:] = origin
        _crossings(sums, knots, held | pushed, target)
    found = heights.copy()
    # 1. All kinks together: the whole step or to the next points, else shorter ones.
    before = cost
    _stopped(cells[0], origin, target, near)
    for tried in (target, near):
        cost = _keep_better(cells, start, distinct, knots, heights, cost, tried, limits, flats, sums, found)
    for length in SHORTER:
        if cost == before:
            near[:] = origin + length * (target - origin)
            cost = _keep_better(
                cells, start, distinct, knots, heights, cost, near, limits, flats, sums, found
            )
    if cost < before:
        return cost
    # 2. One by one: a kink at a stop must not hold back the others.
    for j in np.flatnonzero(target != origin):
        near[:] = knots
        near[j] = target[j]
        cost = _keep_better(cells, start, distinct, knots, heights, cost, near, limits, flats, sums, found)
    return cost


@njit(cache=True, nogil=True)
def descend(cells, start, distinct, knots, heights, cost, movable, limits, flats, quick):
    """Moves kinks to where neighbouring lines cross, as long as that helps; knots and heights are changed.

    Args:
        cells: x, weight, y, xx, xy and yy (c,) of the cells.
        start: of the cells (c,); a kink here has the whole cell on its right.
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
    for _ in range(FEW_STEPS if quick else STEPS):
        before = cost
        cost = _step(cells, start, distinct, knots, heights, cost, movable, limits, flats, sums)
        _outer_heights(heights, flats)
        if before - cost <= WORTH * before:
            break
    return cost
