"""Bellman's recursion for lines that need not meet: the best cuts between cells for each number of segments.

The error of a line is never a difference of sums. A line that takes in one more cell pays for how far the cell is
off it, and such terms only add up: data on lines cost the square of their rounding, wherever the lines are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from halfwave.fitting.search.cells import Cells, Indices
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.segment_table import Mask, Matrix
from halfwave.functions.double_double import Vector

_SMALLEST = 1e-290  # of a sum of squares of x: 0/0 must not turn up where the squares underflow


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells, the places of the cuts between them, and which cuts there may or must be.

    Cut j is on the left of cell j, so that segment (i, j) holds the cells i, …, j − 1.
    """

    cells: Cells
    position: Vector  # (c + 1,), increasing: scaled x of each cut, from −1 to 1
    required: Mask  # (c + 1,): cuts that every fit has, the two ends among them
    rules: Rules

    def __len__(self) -> int:
        return len(self.cells)

    def mirrored(self) -> Layout:
        """The layout read from right to left."""
        old, rules = self.cells, self.rules
        # The recursion reads centroids only; which side a start is on does not matter to it.
        parts = (old.weight, -old.x, old.y, old.xx, -old.xy, old.yy, old.distinct)
        cells = Cells(-old.start[::-1], *(part[::-1] for part in parts))
        turned = replace(rules, flat_first=rules.flat_last, flat_last=rules.flat_first)
        return Layout(cells, -self.position[::-1], self.required[::-1], turned)

    def coarser(self, bounds: Indices) -> Layout:
        """The layout with cuts only at some of the old ones (c′ + 1,), the required ones among them."""
        cells = grouped(self.cells, bounds[:-1])
        return Layout(cells, self.position[bounds], self.required[bounds], self.rules)

    def windows(self) -> tuple[Indices, Indices]:
        """Where segments that end at each cut may start: from ``first`` up to, not including, ``end`` (c + 1,)."""
        index = np.arange(len(self) + 1)
        before = np.concatenate(([0], np.maximum.accumulate(np.where(self.required, index, 0))[:-1]))
        below = np.concatenate(([0.0], np.cumsum(self.cells.distinct)))
        enough = np.searchsorted(below, below - self.rules.min_points, side="right")
        # A length given as a multiple of the spacing must not fail by the last bit.
        length = self.rules.min_length * (1 - 1e-12)
        long = np.searchsorted(self.position, self.position - length, side="right")
        return before, np.minimum(np.minimum(enough, long), index)


def layout_of(cells: Cells, rules: Rules) -> Layout:
    """Cuts midway between the points on both sides, or where the rules fix them.

    Args:
        cells: the data; single points around each fixed cut.
        rules: constraints.

    Returns:
        The layout; it admits no segment where two fixed cuts have no point between them, or one has none beside it.
    """
    single = cells.distinct == 1
    first = np.where(single, cells.x, cells.start)
    middle = np.where(single[:-1] & single[1:], 0.5 * (first[:-1] + first[1:]), first[1:])
    position = np.concatenate(([-1.0], middle, [1.0]))
    required = np.zeros(len(position), dtype=bool)
    required[[0, -1]] = True
    fixed = np.searchsorted(first, rules.fixed, side="left")
    if len(np.unique(fixed)) < len(fixed) or required[fixed].any():
        rules = replace(rules, min_points=int(cells.distinct.sum()) + 1)
    position[fixed], required[fixed] = rules.fixed, True
    return Layout(cells, position, required, rules)


def grouped(cells: Cells, first: Indices) -> Cells:
    """Neighbouring cells taken together into groups.

    Args:
        cells: the data.
        first: the cell with which each group starts (g,), increasing from 0.
    """
    sizes = np.diff(np.append(first, len(cells)))
    weight = np.add.reduceat(cells.weight, first)
    # About each group's first cell: weighted means of large numbers would round away narrow groups.
    dx = cells.x - np.repeat(cells.x[first], sizes)
    dy = cells.y - np.repeat(cells.y[first], sizes)
    x, y = (np.add.reduceat(cells.weight * part, first) / weight for part in (dx, dy))
    dx, dy = dx - np.repeat(x, sizes), dy - np.repeat(y, sizes)
    xx = np.add.reduceat(cells.xx + cells.weight * dx * dx, first)
    xy = np.add.reduceat(cells.xy + cells.weight * dx * dy, first)
    yy = np.add.reduceat(cells.yy + cells.weight * dy * dy, first)
    distinct = np.add.reduceat(cells.distinct, first)
    return Cells(cells.start[first], weight, cells.x[first] + x, cells.y[first] + y, xx, xy, yy, distinct)


@dataclass(frozen=True, slots=True)
class Programme:
    """The table of Bellman's recursion for up to k segments."""

    cost: Matrix  # (k + 1, c + 1): of the cells before each cut in so many segments, inf where the rules forbid it
    origin: npt.NDArray[np.int32]  # (k + 1, c + 1): where the last of these segments starts

    def bounds(self, segments: int) -> Indices | None:
        """The cuts (segments + 1,) of the best fit of all cells, both ends included; None if there is none."""
        at = self.cost.shape[1] - 1
        if not np.isfinite(self.cost[segments, at]):
            return None
        path = [at]
        for layer in range(segments, 0, -1):
            path.append(int(self.origin[layer, path[-1]]))
        return np.array(path[::-1], dtype=np.intp)


def programme(layout: Layout, most: int) -> Programme:
    """The best cuts for 1 to so many segments, ``C_k(j) = min over i of C_{k−1}(i) + E(i, j)``.

    Column by column: the errors E of all segments that end at a cut take O(c) room, and O(c² k) time in all.

    Args:
        layout: cells and rules.
        most: the largest number of segments.

    Source: Bellman (1961), Comm. ACM 4, 284.
    """
    count, rules = len(layout), layout.rules
    cost = np.full((most + 1, count + 1), np.inf)
    origin = np.zeros((most + 1, count + 1), dtype=np.int32)
    cost[0, 0] = 0.0
    first, end = layout.windows()
    layers, lines = np.arange(most), _Lines(layout.cells)
    levels = _level_errors(layout.cells)
    for column in range(1, count + 1):
        low, high = int(first[column]), int(end[column])
        lines.take_in(column - 1, low)
        if high <= low:
            continue
        error = lines.error[low:high]
        if rules.flat_last and column == count:
            error = _level_errors(layout.mirrored().cells)[::-1][low:high]
        total = cost[:-1, low:high] + error
        best = total.argmin(axis=1)
        cost[1:, column], origin[1:, column] = total[layers, best], low + best
        if rules.flat_first and low == 0:
            cost[1, column] = levels[column]
    return Programme(cost, origin)


class _Lines:
    """For each cell the line through the cells from there to the one taken in last; arrays (c,)."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.own = np.divide(cells.xy, cells.xx, out=np.zeros_like(cells.xy), where=cells.xx > 0)
        self.rest = np.maximum(cells.yy - self.own * cells.xy, 0.0)
        self.weight, self.xx = cells.weight.copy(), cells.xx.copy()
        # Centroids about the first cell of each line: narrow segments keep their digits.
        self.x, self.y = np.zeros_like(cells.x), np.zeros_like(cells.x)
        self.slope, self.error = self.own.copy(), self.rest.copy()
        self._is_inner = bool(cells.xx.any())

    def take_in(self, index: int, first: int) -> None:
        """Brings the lines that start at cells ``first``, …, ``index − 1`` on to cell ``index``."""
        here, cells = slice(first, index), self.cells
        weight, added = self.weight[here], cells.weight[index]
        dx = (cells.x[index] - cells.x[here]) - self.x[here]
        dy = (cells.y[index] - cells.y[here]) - self.y[here]
        share = added / (weight + added)
        off = dy - self.slope[here] * dx
        lever = share * weight
        xx = np.maximum(self.xx[here] + lever * dx * dx, _SMALLEST)
        turn = lever * off / xx
        self.error[here] += turn * off * self.xx[here] + self.rest[index]
        self.slope[here] += turn * dx
        self.xx[here] = xx
        self.x[here] += share * dx
        self.y[here] += share * dy
        weight += added
        if self._is_inner:
            self._turn_to(self.own[index], float(cells.xx[index]), here)

    def _turn_to(self, own: float, spread: float, here: slice) -> None:
        """What the slope inside the cell that was taken in adds."""
        xx = self.xx[here]
        share = spread / (xx + spread)
        off = own - self.slope[here]
        self.error[here] += share * xx * off * off
        self.slope[here] += share * off
        xx += spread


def _level_errors(cells: Cells) -> Vector:
    """Sum of squares (c + 1,) about its own mean of the data before each cut."""
    heavy = np.cumsum(cells.weight)
    y = cells.y - cells.y[0]
    mean = np.cumsum(cells.weight * y) / heavy
    off = y[1:] - mean[:-1]
    added = cells.weight[1:] * heavy[:-1] / heavy[1:] * off * off
    return np.concatenate(([0.0], np.cumsum(cells.yy + np.concatenate(([0.0], added)))))
