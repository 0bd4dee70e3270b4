"""The best heights at given kinks, and each segment's own line: what the search off the grid needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfwave.fitting.search.cells import Cells, Indices
from halfwave.fitting.search.segment_table import Mask, Matrix
from halfwave.fitting.search.tridiagonal import solved
from halfwave.functions.double_double import Vector


@dataclass(frozen=True, slots=True)
class Spans:
    """The normal equations at k + 1 knots, segment by segment; each array is (k,).

    With ``a = (right − x)/length`` and ``b = (x − left)/length`` the sums Σw a², Σw ab, Σw b², Σw ay, Σw by and
    Σw y². Each is a sum of squares about cell centroids, hence nothing cancels.
    """

    aa: Vector
    ab: Vector
    bb: Vector
    ay: Vector
    by: Vector
    yy: Vector


def spans(cells: Cells, knots: Vector, on_left: Mask | None = None) -> Spans:
    """Sums over each segment between neighbouring knots (k + 1,), strictly increasing.

    Exact if no knot lies inside a cell; otherwise the whole cell counts on the side of its centroid. The
    segment that a point on a kink belongs to matters to the segments' own lines only, not to the fit.

    Args:
        cells: the data.
        knots: ends and kinks (k + 1,).
        on_left: kinks (k − 1,) whose point, if there is one just there, belongs to the segment on their left;
            by default none.
    """
    edges = np.empty(len(knots), dtype=np.intp)
    edges[0], edges[-1] = 0, len(cells)
    edges[1:-1] = cells.x.searchsorted(knots[1:-1])
    if on_left is not None and on_left.any():
        edges[1:-1][on_left] = np.searchsorted(cells.x, knots[1:-1][on_left], side="right")
    sizes, length = edges[1:] - edges[:-1], knots[1:] - knots[:-1]
    wide = np.repeat(length, sizes)
    b = (cells.x - np.repeat(knots[:-1], sizes)) / wide
    a = 1.0 - b
    wa, wb, inner = cells.weight * a, cells.weight * b, cells.xx / wide**2
    lean = cells.xy / wide
    terms = np.empty((6, len(cells)))
    terms[0] = wa * a + inner
    terms[1] = wa * b - inner
    terms[2] = wb * b + inner
    terms[3] = wa * cells.y - lean
    terms[4] = wb * cells.y + lean
    terms[5] = cells.weight * cells.y**2 + cells.yy
    return Spans(*_sums(terms, edges[:-1], sizes))


def _sums(terms: Matrix, first: Indices, sizes: Indices) -> Matrix:
    """Sums (r, k) of each row (r, c) over consecutive stretches, some of which may be empty."""
    if sizes.all():
        return np.add.reduceat(terms, first, axis=1)
    filled = sizes > 0
    total = np.zeros((len(terms), len(sizes)))
    total[:, filled] = np.add.reduceat(terms, first[filled], axis=1)
    return total


def best_heights(sums: Spans) -> tuple[Vector, float] | None:
    """Heights (k + 1,) at the knots of the best continuous fit, and its sum of squares; None if undetermined.

    A tridiagonal system, O(k). The sum of squares is the one of these very heights, written as residual
    squares, so that it is never below the optimum for want of digits.
    """
    diagonal, target = np.zeros(len(sums.aa) + 1), np.zeros(len(sums.aa) + 1)
    diagonal[:-1], target[:-1] = sums.aa, sums.ay
    diagonal[1:] += sums.bb
    target[1:] += sums.by
    # A knot that data reach by less than rounding leaves its height undetermined: no fit.
    if not diagonal.min() > 1e-14 * diagonal.max():
        return None
    solution = solved(diagonal, sums.ab, target)
    if solution is None or not np.isfinite(solution).all():
        return None
    return solution, max(float(cost_of(sums, solution)), 0.0)


def cost_of(sums: Spans, heights: Vector) -> float:
    """Sum of squares of the fit with these heights (k + 1,) at the knots."""
    u, v = heights[:-1], heights[1:]
    pull = sums.aa * u * u + 2 * sums.ab * u * v + sums.bb * v * v - 2 * (sums.ay * u + sums.by * v)
    return float((pull + sums.yy).sum())


def crossings(sums: Spans, knots: Vector, held: Mask) -> Vector:
    """Where the lines left and right of each kink meet (k − 1,); NaN where kinks are held or no line is determined.

    The lines are those of the best fit that is continuous at the held kinks and may jump at the others. This
    is the Gauss–Newton step: the tangent space of continuous fits whose other kinks are free is the space of
    such fits. Where all crossings lie in the gaps between points that the kinks are in, they are the optimum.

    Args:
        sums: normal equations of the k segments.
        knots: ends and kinks (k + 1,).
        held: kinks (k − 1,) that stay where they are.

    Source: Hudson (1966), J. Amer. Statist. Assoc. 61, 1097-1129.
    """
    unsound = ~(sums.aa * sums.bb - sums.ab**2 > 1e-12 * sums.aa * sums.bb)
    broken = ~(held | unsound[:-1] | unsound[1:])
    at = np.arange(len(unsound)) + np.concatenate(([0], np.cumsum(broken)))
    diagonal, target = np.zeros(at[-1] + 2), np.zeros(at[-1] + 2)
    diagonal[at], target[at] = sums.aa, sums.ay
    # Two segments share the height at a held kink, hence the sums.
    diagonal[at + 1] += sums.bb
    target[at + 1] += sums.by
    beside = np.zeros(at[-1] + 1)
    beside[at] = sums.ab
    height = solved(diagonal, beside, target)
    if height is None:
        return np.full(len(held), np.nan)
    left, right = height[at], height[at + 1]
    slope = (right - left) / (knots[1:] - knots[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = knots[1:-1] + (left[1:] - right[:-1]) / (slope[:-1] - slope[1:])
    return np.where(broken, meet, np.nan)
