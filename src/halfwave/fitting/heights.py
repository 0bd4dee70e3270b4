"""The best heights at given kinks, and each segment's own line: what the search off the grid needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg.lapack import dptsv  # pyright: ignore[reportAttributeAccessIssue]

from halfwave.fitting.cells import Cells, Indices
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


def spans(cells: Cells, knots: Vector, points_on_knots: Literal["left", "right"] = "right") -> Spans:
    """Sums over each segment between neighbouring knots (k + 1,), strictly increasing.

    Exact if no knot lies inside a cell; otherwise the whole cell counts on the side of its centroid. The
    segment that a point on a knot belongs to matters to the segments' own lines only, not to the fit.
    """
    bounds: Indices = np.searchsorted(
        cells.x, knots[1:-1], side="right" if points_on_knots == "left" else "left"
    )
    first = np.concatenate(([0], bounds))
    sizes = np.diff(np.append(first, len(cells)))
    length = np.diff(knots)
    wide = np.repeat(length, sizes)
    b = (cells.x - np.repeat(knots[:-1], sizes)) / wide
    a = 1.0 - b
    wa, wb, inner = cells.weight * a, cells.weight * b, cells.xx / wide**2
    lean = cells.xy / wide
    terms = (
        wa * a + inner,
        wa * b - inner,
        wb * b + inner,
        wa * cells.y - lean,
        wb * cells.y + lean,
        cells.weight * cells.y**2 + cells.yy,
    )
    return Spans(*(_sums(term, first, sizes) for term in terms))


def _sums(values: Vector, first: Indices, sizes: Indices) -> Vector:
    """Sums over consecutive stretches, some of which may be empty."""
    if sizes.all():
        return np.add.reduceat(values, first)
    filled = sizes > 0
    total = np.zeros(len(sizes))
    total[filled] = np.add.reduceat(values, first[filled])
    return total


def best_heights(sums: Spans) -> tuple[Vector, float] | None:
    """Heights (k + 1,) at the knots of the best continuous fit, and its sum of squares; None if undetermined.

    A tridiagonal system, O(k). The sum of squares is the one of these very heights, written as residual
    squares, so that it is never below the optimum for want of digits.
    """
    diagonal = np.append(sums.aa, 0.0)
    diagonal[1:] += sums.bb
    target = np.append(sums.ay, 0.0)
    target[1:] += sums.by
    # A knot that data reach by less than rounding leaves its height undetermined: no fit.
    if not (diagonal > 1e-14 * diagonal.max()).all():
        return None
    _, _, solution, failed = dptsv(diagonal, sums.ab, target)
    if failed or not np.isfinite(solution).all():
        return None
    return solution, max(float(cost_of(sums, solution)), 0.0)


def cost_of(sums: Spans, heights: Vector) -> float:
    """Sum of squares of the fit with these heights (k + 1,) at the knots."""
    u, v = heights[:-1], heights[1:]
    pull = sums.aa * u * u + 2 * sums.ab * u * v + sums.bb * v * v - 2 * (sums.ay * u + sums.by * v)
    return float((pull + sums.yy).sum())


def crossings(sums: Spans, knots: Vector) -> Vector:
    """Where each segment's own least-squares line meets the next one's (k − 1,); NaN where it has no line.

    This is the Gauss–Newton step for the kinks: the tangent space of continuous fits at fixed kinks, with the
    kinks free, is the space of fits that may jump there.

    Source: Hudson (1966), J. Amer. Statist. Assoc. 61, 1097-1129.
    """
    determinant = sums.aa * sums.bb - sums.ab**2
    with np.errstate(divide="ignore", invalid="ignore"):
        sound = determinant > 1e-12 * sums.aa * sums.bb
        left = np.where(sound, (sums.ay * sums.bb - sums.by * sums.ab) / determinant, np.nan)
        right = np.where(sound, (sums.by * sums.aa - sums.ay * sums.ab) / determinant, np.nan)
        slope = (right - left) / np.diff(knots)
        return knots[1:-1] + (left[1:] - right[:-1]) / (slope[:-1] - slope[1:])
