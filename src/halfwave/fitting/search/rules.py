"""What a fit may look like, in scaled coordinates, and how that changes costs and equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from halfwave.fitting.search.cells import Cells, within
from halfwave.fitting.search.heights import Spans
from halfwave.fitting.search.segment_table import Mask, SegmentTable, segment_table
from halfwave.fitting.search.shape import ANY_SHAPE, Shape
from halfwave.functions.double_double import Vector


@dataclass(frozen=True, slots=True)
class Rules:
    """Constraints on kinks and end pieces."""

    min_points: int = 3  # different x in each segment, those at its ends included
    min_length: float = 0.0  # of a segment
    fixed: tuple[float, ...] = ()  # kinks that every fit has, increasing
    flat_first: bool = False
    flat_last: bool = False
    shape: Shape = ANY_SHAPE

    def allow(self, cells: Cells, knots: Vector) -> bool:
        """Whether a fit may have these knots (k + 1,), ends included."""
        if not (knots[1:] - knots[:-1]).min() >= max(self.min_length * (1 - 1e-12), 1e-15):
            return False
        reach = cells.x.searchsorted(knots)
        # A cell holds one point at least, and each end cuts one at most: only segments of few cells need a count.
        few = (reach[1:] - reach[:-1] < self.min_points + 2).nonzero()[0]
        if not few.size:
            return True
        first, last = within(cells, knots[few], knots[few + 1])
        # Each holds at least as many different x as it has cells; where that is not enough, they are counted.
        return all(
            cells.distinct[i:j].sum() >= self.min_points
            for i, j in zip(first.tolist(), last.tolist(), strict=True)
            if j - i < self.min_points
        )

    def table(self, cells: Cells, knots: Vector) -> SegmentTable:
        """Costs of all segments between candidates (m,) that the rules allow."""
        table = segment_table(cells, knots, self.min_points, self.min_length, self._edges(knots))
        if self.flat_first:
            table = _with_flat(table, cells, first=True)
        return _with_flat(table, cells, first=False) if self.flat_last else table

    def _edges(self, knots: Vector) -> Mask | None:
        """Pairs of knots (m, m) with no fixed kink strictly between them; None where all are."""
        if not self.fixed:
            return None
        up_to = np.searchsorted(self.fixed, knots, side="right")
        before = np.searchsorted(self.fixed, knots, side="left")
        return before[None, :] <= up_to[:, None]

    def spans(self, sums: Spans) -> Spans:
        """Normal equations in which flat end pieces have one height: their outer knot is set apart."""
        if self.flat_first:
            sums = _flat_spans(sums, 0)
        return _flat_spans(sums, -1) if self.flat_last else sums

    def heights(self, heights: Vector) -> Vector:
        """Heights with those that `spans` set apart put back."""
        if self.flat_first:
            heights[0] = heights[1]
        if self.flat_last:
            heights[-1] = heights[-2]
        return heights


def _with_flat(table: SegmentTable, cells: Cells, first: bool) -> SegmentTable:
    """The table whose first or last segments cost what a constant costs there.

    A flat first piece leads to the parabola ``W (v − mean)² + error``, a flat last one closes with it: entries
    of the form that give just this when continued.
    """
    total, mean, spread = _constants(cells, table.knots, first)
    at = (0, slice(1, None)) if first else (slice(0, -1), -1)
    old = [
        getattr(table, name).copy() for name in ("error", "aa", "ab", "bb", "left", "right", "determinant")
    ]
    new = [
        np.where(np.isfinite(old[0][at]), spread, np.inf),
        1.0,
        0.0,
        total if first else 1.0,
        mean,
        mean,
        total,
    ]
    for part, values in zip(old, new, strict=True):
        part[at] = values
    return SegmentTable(table.knots, *old)


def _constants(cells: Cells, knots: Vector, first: bool) -> tuple[Vector, Vector, Vector]:
    """Weight, mean and spread (m − 1,) of the data between one end and each other knot, halves on knots."""
    order = slice(None) if first else slice(None, None, -1)
    weight, y = cells.weight[order], cells.y[order]
    inner = cells.yy[order]
    sums = [np.concatenate(([0.0], np.cumsum(t))) for t in (weight, weight * y, weight * y * y + inner)]
    x = cells.x if first else -cells.x[::-1]
    far = knots[1:] if first else -knots[:-1][::-1]
    low, high = np.searchsorted(x, far, side="left"), np.searchsorted(x, far, side="right")
    half = np.where(np.isin(far, (1.0,)), 1.0, 0.5)  # nothing shares a point at the far end of the data
    total, wy, wyy = (s[low] + half * (s[high] - s[low]) for s in sums)
    total = np.where(total > 0, total, 1.0)
    mean = wy / total
    spread = np.maximum(wyy - wy * mean, 0.0)
    return (total, mean, spread) if first else (total[::-1], mean[::-1], spread[::-1])


def _flat_spans(sums: Spans, which: int) -> Spans:
    aa, ab, bb, ay, by = (part.copy() for part in (sums.aa, sums.ab, sums.bb, sums.ay, sums.by))
    total, pull = aa[which] + 2 * ab[which] + bb[which], ay[which] + by[which]
    inner = (bb, by, aa, ay) if which == 0 else (aa, ay, bb, by)
    # The outer height gets an equation of its own, h = 0, that costs nothing.
    inner[0][which], inner[1][which], inner[2][which], inner[3][which] = total, pull, total, 0.0
    ab[which] = 0.0
    return replace(sums, aa=aa, ab=ab, bb=bb, ay=ay, by=by)
