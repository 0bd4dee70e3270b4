"""Where kinks may be: the grid of candidates, and finer ones around kinks already found."""

from __future__ import annotations

import numpy as np

from halfwave.fitting.cells import Cells, Indices
from halfwave.functions.double_double import Vector

BETWEEN_POINTS = 150  # so few different x: candidates between the points too
EVERY_POINT = 400
COARSE = 100  # candidates by quantile, and as many at equal distances, for larger data
_IN_A_GAP = 2
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
