"""The cost of one segment between any two candidate kinks, as a quadratic form in the heights at its ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from halfwave.fitting.search.cells import Cells, within
from halfwave.functions.double_double import Vector

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """``C_ij(u, v) = error + aa (u − û)² + 2 ab (u − û)(v − v̂) + bb (v − v̂)²`` for all pairs i < j of m knots.

    û and v̂ are the values of the segment's own least-squares line at its ends, u and v those of the fit. The
    error is ``+inf`` where no segment may lie. A single point on a knot belongs by halves to both sides,
    which changes no continuous fit and makes the table the same when read from right to left.
    """

    knots: Vector  # (m,), increasing, from −1 to 1
    error: Matrix  # (m, m), each
    aa: Matrix
    ab: Matrix
    bb: Matrix
    left: Matrix  # û
    right: Matrix  # v̂
    determinant: Matrix  # aa bb − ab²

    def __len__(self) -> int:
        return len(self.knots)


def segment_table(
    cells: Cells, knots: Vector, min_points: int = 3, min_length: float = 0.0, allowed: Mask | None = None
) -> SegmentTable:
    """The table over a grid of candidate kinks, in O(c + m²).

    Args:
        cells: the data.
        knots: candidates (m,), strictly increasing, the first and the last at the ends of the data.
        min_points: the number of different x that a segment needs, those at its ends included; at least 2.
        min_length: the shortest segment, in scaled units.
        allowed: pairs that may be a segment (m, m).

    Source: the sums follow Fearnhead, Maidstone and Letchford (2019), J. Comput. Graph. Stat. 28(2), section 3.
    """
    weight, s1, s2, wy, wxy, wyy = _gap_sums(cells, knots)
    # Every sum is about the segment's left end: going right, the second moments of x only ever add up.
    ahead = np.triu(np.ones((len(knots) - 1, len(knots) - 1)))
    shift = (knots[None, :-1] - knots[:-1, None]) * ahead

    def running(terms: Matrix) -> Matrix:
        return np.cumsum(terms * ahead, axis=1)

    total, ty, tyy = running(weight[None, :]), running(wy[None, :]), running(wyy[None, :])
    tx = running(s1 + shift * weight)
    txx = running(s2 + shift * (2 * s1 + shift * weight))
    txy = running(wxy + shift * wy)
    valid = _valid(cells, knots, min_points, min_length)
    if allowed is not None:
        valid &= allowed[:-1, 1:]
    return _quadratic_forms(knots, valid, (total, tx, txx, ty, txy, tyy))


_FILL = (np.inf, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0)  # of the pairs i ≥ j, which are no segments


def _quadratic_forms(knots: Vector, valid: Mask, sums: tuple[Matrix, ...]) -> SegmentTable:
    """The table from sums (m − 1, m − 1) over the segments i to j + 1; `valid` and the sums are overwritten."""
    total, tx, txx, ty, txy, tyy = sums
    length = knots[None, 1:] - knots[:-1, None]
    # A block whose centroid lies on a knot counts on both sides, but its data are on the right alone.
    valid &= total > 0
    total[~valid] = 1.0
    mean_x, mean_y = tx / total, ty / total
    xx = txx - tx * mean_x
    valid &= xx > 0
    no_segment = ~valid
    xx[no_segment] = 1.0
    length[no_segment] = 1.0
    xy = txy - tx * mean_y
    slope = xy / xx
    behind, square = length - mean_x, length * length
    framed = np.empty((len(_FILL), len(knots), len(knots)))
    framed[:, -1, :] = framed[:, :, 0] = np.array(_FILL)[:, None]
    error, aa, ab, bb, left, right, determinant = framed[:, :-1, 1:]
    error[:] = np.maximum(tyy - ty * mean_y - slope * xy, 0.0)
    error[no_segment] = np.inf
    heavy = total * behind
    aa[:] = (heavy * behind + xx) / square
    ab[:] = (heavy * mean_x - xx) / square
    bb[:] = (total * mean_x * mean_x + xx) / square
    left[:] = mean_y - slope * mean_x
    right[:] = left + slope * length
    determinant[:] = total * xx / square
    return SegmentTable(knots, *framed)


def _gap_sums(cells: Cells, knots: Vector) -> tuple[Vector, ...]:
    """Sums (m − 1,) over each gap between neighbouring knots, about the gap's left end."""
    gaps = len(knots) - 1
    home = np.clip(np.searchsorted(knots, cells.x, side="right") - 1, 0, gaps - 1)
    offset = cells.x - knots[home]
    # Points on an inner knot: half here, at offset 0, and half at the far end of the gap on the left.
    shared = np.flatnonzero((offset == 0) & (home > 0) & (cells.xx == 0))
    weight, xx, xy, yy = cells.weight.copy(), cells.xx, cells.xy, cells.yy.copy()
    weight[shared] /= 2
    yy[shared] /= 2
    before = home[shared] - 1
    where = np.concatenate((home, before))
    offset = np.concatenate((offset, knots[before + 1] - knots[before]))
    weight, yy = np.concatenate((weight, weight[shared])), np.concatenate((yy, yy[shared]))
    xx, xy = np.concatenate((xx, xx[shared])), np.concatenate((xy, xy[shared]))
    y = np.concatenate((cells.y, cells.y[shared]))
    wx, wy = weight * offset, weight * y
    terms = (weight, wx, wx * offset + xx, wy, wx * y + xy, wy * y + yy)
    return tuple(np.bincount(where, term, gaps).astype(np.float64, copy=False) for term in terms)


def _valid(cells: Cells, knots: Vector, min_points: int, min_length: float) -> Mask:
    """Pairs (i, j + 1), as an (m − 1, m − 1) mask, with enough points and length between them."""
    below = np.concatenate(([0.0], np.cumsum(cells.distinct)))
    first, last = within(cells, knots[:-1], knots[1:])
    enough = below[last][None, :] - below[first][:, None] >= min_points
    # A length given as a multiple of the grid's spacing must not fail by the last bit.
    long = knots[None, 1:] - knots[:-1, None] >= min_length * (1 - 1e-12)
    return enough & long & np.triu(np.ones((len(knots) - 1, len(knots) - 1), dtype=bool))
