"""A lower bound on the sum of squares of every continuous fit with so many segments, wherever its kinks are."""

from __future__ import annotations

import numpy as np

from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.segment_table import Matrix

_EXACT = 1024  # so many cells are treated one by one
_MERGED = 512


def lower_bound(cells: Cells, segments: int) -> float:
    """The least sum of squares of fits by so many lines that need not meet.

    Args:
        cells: the data.
        segments: how many lines, at least 1.

    Returns:
        The optimum where each cell is a single x and there are at most 1024; otherwise a bound below it that
        forgives each cut the block in which it falls.

    Source: Bellman (1961), Comm. ACM 4, 284.
    """
    gap = 0
    if len(cells) > _EXACT or cells.xx.any():
        gap, cells = 1, merged(cells, _MERGED)
    errors = line_errors(cells)
    least = errors[0]  # of the cells before each cut (c + 1,)
    for _ in range(segments - 1):
        least = (least[: len(least) - gap, None] + errors[gap:]).min(axis=0)
    return float(least[-1])


def merged(cells: Cells, count: int) -> Cells:
    """Neighbouring cells taken together, so that at most so many are left."""
    if len(cells) <= count:
        return cells
    first = np.unique(np.linspace(0, len(cells), count, endpoint=False).astype(np.intp))
    sizes = np.diff(np.append(first, len(cells)))
    weight = np.add.reduceat(cells.weight, first)
    x = np.add.reduceat(cells.weight * cells.x, first) / weight
    y = np.add.reduceat(cells.weight * cells.y, first) / weight
    dx, dy = cells.x - np.repeat(x, sizes), cells.y - np.repeat(y, sizes)
    xx = np.add.reduceat(cells.xx + cells.weight * dx * dx, first)
    xy = np.add.reduceat(cells.xy + cells.weight * dx * dy, first)
    yy = np.add.reduceat(cells.yy + cells.weight * dy * dy, first)
    return Cells(cells.start[first], weight, x, y, xx, xy, yy, np.add.reduceat(cells.distinct, first))


def line_errors(cells: Cells) -> Matrix:
    """Sum of squares (c + 1, c + 1) about its own line of the data in cells i, …, j − 1; ``inf`` for j < i."""
    count = len(cells)
    ahead = np.triu(np.ones((count, count)))
    offset = (cells.x[None, :] - cells.x[:, None]) * ahead
    heavy = cells.weight * cells.y

    def running(terms: Matrix) -> Matrix:
        return np.cumsum(terms * ahead, axis=1)

    total = np.where(ahead > 0, running(cells.weight[None, :]), 1.0)
    tx, ty = running(cells.weight * offset), running(heavy[None, :])
    xx = running(cells.weight * offset**2 + cells.xx) - tx**2 / total
    xy = running(heavy * offset + cells.xy) - tx * ty / total
    yy = running((heavy * cells.y + cells.yy)[None, :]) - ty**2 / total
    explained = np.where(xx > 0, xy**2 / np.where(xx > 0, xx, 1.0), 0.0)
    errors = np.full((count + 1, count + 1), np.inf)
    errors[:-1, 1:] = np.where(ahead > 0, np.maximum(yy - explained, 0.0), np.inf)
    np.fill_diagonal(errors, 0.0)
    return errors
