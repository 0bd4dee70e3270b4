"""Fits that only rise or fall, or only bend one way: the best heights at given kinks, and where kinks go then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.search.heights import Spans, cost_of
from halfwave.fitting.search.segment_table import Matrix
from halfwave.functions.double_double import Vector

Monotone = Literal["increasing", "decreasing"]
Convex = bool | Literal["convex", "concave"]

_SWEEPS = 10
_WORTH = 1e-9
_SLACK = 1e-12  # of the largest slope or bend: less than this is rounding


@dataclass(frozen=True, slots=True)
class Shape:
    """1 for rising slopes or values, −1 for falling ones, 0 for either."""

    monotone: int = 0
    convex: int = 0

    def __bool__(self) -> bool:
        return self.monotone != 0 or self.convex != 0


ANY_SHAPE = Shape()


def shape_of(monotone: object, convex: object) -> Shape:
    """The shape that a user asks for.

    Raises:
        HalfwaveError: if one of the options is not among its choices.

    >>> shape_of("increasing", "concave")
    Shape(monotone=1, convex=-1)
    """
    directions = {"increasing": 1, "decreasing": -1}
    if monotone is not None and (not isinstance(monotone, str) or monotone not in directions):
        raise HalfwaveError(f"`monotone` must be None, 'increasing' or 'decreasing'; got {monotone!r}")
    bends = {"convex": 1, "concave": -1}
    if convex is None or isinstance(convex, (bool, np.bool_)):
        bend = int(bool(convex))
    elif isinstance(convex, str) and convex in bends:
        bend = bends[convex]
    else:
        raise HalfwaveError(f"`convex` must be None, True, False, 'convex' or 'concave'; got {convex!r}")
    return Shape(0 if monotone is None else directions[monotone], bend)


def shaped_heights(sums: Spans, knots: Vector, shape: Shape) -> tuple[Vector, float] | None:
    """Heights (k + 1,) of the best fit with given kinks and shape, and its sum of squares; None if undetermined.

    The fit is a sum of a constant and of ramps whose weights must not be negative: a non-negative least-squares
    problem in the Cholesky factor of the normal equations, the same in every respect but O(n) smaller.

    Source: Lawson and Hanson (1974), Solving Least Squares Problems, chapter 23.
    """
    from scipy.optimize import nnls

    gram = np.diag(np.append(sums.aa, 0.0) + np.append(0.0, sums.bb))
    gram += np.diag(sums.ab, 1) + np.diag(sums.ab, -1)
    target = np.append(sums.ay, 0.0) + np.append(0.0, sums.by)
    try:
        lower = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return None
    if not np.diag(lower).min() > 1e-7 * np.diag(lower).max():
        return None
    free, bounded = ramps(knots, shape)
    # A free weight is the difference of two that are not negative.
    basis = np.column_stack((free, -free, bounded))
    try:
        weights, _ = nnls(lower.T @ basis, np.linalg.solve(lower, target), maxiter=50 * basis.shape[1])
    except RuntimeError:
        return None
    heights = basis @ weights
    return heights, max(cost_of(sums, heights), 0.0)


def ramps(knots: Vector, shape: Shape) -> tuple[Matrix, Matrix]:
    """Columns of heights at the knots (k + 1, ·) with free weights, and those whose weights must not be negative."""
    one = np.ones((len(knots), 1))
    if shape.convex == 0:
        steps = np.tril(np.ones((len(knots), len(knots) - 1)), -1)
        return one, shape.monotone * steps
    bends = shape.convex * np.maximum(knots[:, None] - knots[None, 1:-1], 0.0)
    line = (knots - knots[0])[:, None]
    if shape.monotone == 0:
        return np.hstack((one, line)), bends
    if shape.monotone * shape.convex > 0:
        return one, np.hstack((shape.monotone * line, bends))
    # Rising and concave, or falling and convex: the same ramps, seen from the right end.
    bends = shape.convex * np.maximum(knots[None, 1:-1] - knots[:, None], 0.0)
    return one, np.hstack((shape.monotone * (knots - knots[-1])[:, None], bends))


def has_shape(knots: Vector, heights: Vector, shape: Shape) -> bool:
    """Whether a fit with these knots and heights (k + 1,) has the shape, up to rounding."""
    slopes = np.diff(heights) / np.diff(knots)
    slack = _SLACK * max(float(np.abs(slopes).max()), 1.0)
    rises = shape.monotone == 0 or bool((shape.monotone * slopes >= -slack).all())
    return rises and (shape.convex == 0 or bool((shape.convex * np.diff(slopes) >= -slack).all()))


def swept(cost: Callable[[Vector], float], knots: Vector, grid: Vector, fixed: tuple[float, ...]) -> Vector:
    """Kinks moved one at a time to their best places on a grid, until no single move helps.

    Args:
        cost: of the best fit with given knots (k + 1,); ``inf`` where there is none.
        knots: where to start.
        grid: candidates (m,), ends included.
        fixed: kinks that stay.

    Returns:
        The knots (k + 1,).
    """
    best, least = knots, cost(knots)
    for _ in range(_SWEEPS):
        before = least
        for i in range(1, len(knots) - 1):
            if best[i] in fixed:
                continue
            others = np.delete(best, i)
            for place in np.setdiff1d(grid, others):
                tried = np.sort(np.append(others, place))
                value = cost(tried)
                if value < least:
                    best, least = tried, value
        if before - least <= _WORTH * before or not np.isfinite(least):
            break
    return best
