"""Moments of the data in small cells: all that least squares needs of them.

A function that is linear on a cell has a sum of squares there that depends on six numbers only. Small data
have one cell for each distinct x; large data have blocks of many points, and single points only near kinks.
Every sum is taken about the cell's own centroid, so that nothing cancels in narrow cells far from the origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from halfwave.fitting.observations import Observations
from halfwave.functions.double_double import Vector

Indices = npt.NDArray[np.intp]

POINTS = 1 << 14  # data with at most so many points get a cell for each distinct x
BLOCKS = 1 << 13  # cells of larger sorted data
BINS = 1 << 14  # cells of large data too expensive to sort
_WIDTH = 2.0 / BINS
_PARTS = 256  # of a bin, in which different x are told apart
_CHUNK_BLOCKS = 64  # blocks summed at a time
_IMMENSE = 1e6  # the weight of a point that the fit must meet, in weights of all data


@dataclass(frozen=True, slots=True)
class Cells:
    """Weighted moments of c cells, from left to right, in scaled coordinates; each array is (c,)."""

    start: Vector  # a kink here has the whole cell on its right
    weight: Vector
    x: Vector  # centroid
    y: Vector  # centroid
    xx: Vector  # Σ w (x − centroid)²
    xy: Vector
    yy: Vector
    distinct: Vector  # number of different x

    def __len__(self) -> int:
        return len(self.x)

    def pick(self, index: npt.NDArray[np.bool_] | slice) -> Cells:
        """The cells at a mask or slice."""
        return Cells(*(getattr(self, name)[index] for name in _FIELDS))


_FIELDS = ("start", "weight", "x", "y", "xx", "xy", "yy", "distinct")


def join(parts: list[Cells]) -> Cells:
    """Cells of several stretches, sorted from left to right."""
    together = [np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS]
    order = np.argsort(together[2], kind="stable")
    return Cells(*(array[order] for array in together))


def within(cells: Cells, left: Vector, right: Vector) -> tuple[Indices, Indices]:
    """First cells, and those behind the last ones, that lie wholly between left and right ends (k,).

    A block that an end cuts is on neither side: which of its points are there is not known.
    """
    first, last = cells.x.searchsorted(left), cells.x.searchsorted(right, side="right")
    ahead, behind = np.minimum(first, len(cells) - 1), np.maximum(last - 1, 0)
    far = np.where(last < len(cells), cells.start[np.minimum(last, len(cells) - 1)], 1.0)
    first = first + ((cells.distinct[ahead] > 1) & (cells.start[ahead] < left))
    return first, last - ((cells.distinct[behind] > 1) & (far > right))


def cut(cells: Cells, places: Vector) -> bool:
    """Whether any of these scaled x (p,) lies inside a block, so that sums on its two sides are not exact."""
    home = np.maximum(np.searchsorted(cells.start, places, side="right") - 1, 0)
    return bool(((cells.distinct[home] > 1) & (cells.start[home] < places)).any())


def cells_of(data: Observations) -> Cells:
    """The cells from which a fit starts: points, blocks of sorted points, or bins.

    Args:
        data: the observations. A point that the fit must meet becomes a cell of immense weight.

    Returns:
        At most about 16,000 cells. Bins are used only for large unsorted data that are spread evenly enough.

    >>> from halfwave.fitting.observations import observe
    >>> cells_of(observe([0, 1, 1, 2], [0, 0, 2, 0])).weight
    array([1., 2., 1.])
    """
    if not data.is_sorted:
        cells = _bins(data)
    else:
        cells = points(*data.scaled()) if len(data.x) <= POINTS else _blocks(data)
    return _with_points_to_meet(cells, data) if len(data.through[0]) else cells


def _with_points_to_meet(cells: Cells, data: Observations) -> Cells:
    """The cells with one of immense weight at each point that the fit must meet.

    It draws the fit near enough for every comparison of kinks; `meeting.met` makes it exact.
    """
    x = data.scale.inside(data.through[0])
    y = data.scale.inside_heights(x, data.through[1])
    # No cell may reach across such a point.
    cells = zoomed(cells, data, x, 0)
    total = _IMMENSE * float(cells.weight.sum())
    shared = np.isin(x, cells.x[cells.distinct == 1])
    nothing = np.zeros(int((~shared).sum()))
    alone = x[~shared]
    cells = join(
        [cells, Cells(alone, nothing + total, alone, y[~shared], nothing, nothing, nothing, nothing + 1)]
    )
    at = np.searchsorted(cells.x, x[shared])
    weight, mean, spread = cells.weight.copy(), cells.y.copy(), cells.yy.copy()
    apart = y[shared] - mean[at]
    weight[at] += total
    mean[at] += apart * total / weight[at]
    spread[at] += apart**2 * total * cells.weight[at] / weight[at]
    return replace(cells, weight=weight, y=mean, yy=spread)


def points(x: Vector, y: Vector, weight: Vector) -> Cells:
    """One cell for each distinct x of sorted points."""
    first = np.flatnonzero(np.concatenate(([True], x[1:] != x[:-1])))
    if len(first) == len(x):
        nothing = np.zeros_like(x)
        return Cells(x, weight, x, y, nothing, nothing, nothing, np.ones_like(x))
    total = np.add.reduceat(weight, first)
    mean = np.add.reduceat(weight * y, first) / total
    deviation = y - np.repeat(mean, np.diff(np.append(first, len(x))))
    spread = np.add.reduceat(weight * deviation**2, first)
    nothing = np.zeros_like(total)
    return Cells(x[first], total, x[first], mean, nothing, nothing, spread, np.ones_like(total))


def zoomed(cells: Cells, data: Observations, places: Vector, reach: int) -> Cells:
    """The cells with those around some places replaced by the single points in them.

    Args:
        cells: what `cells_of` gave for the data.
        data: the observations.
        places: scaled x (p,).
        reach: how many cells on each side of a place are replaced.
    """
    home = np.searchsorted(cells.start, places, side="right") - 1
    wanted = np.zeros(len(cells), dtype=bool)
    for offset in range(-reach, reach + 1):
        wanted[np.clip(home + offset, 0, len(cells) - 1)] = True
    wanted &= cells.distinct > 1
    if not wanted.any():
        return cells
    return join([cells.pick(~wanted), _points_of(cells, data, wanted)])


def _points_of(cells: Cells, data: Observations, wanted: npt.NDArray[np.bool_]) -> Cells:
    """Cells of the single points in the wanted cells."""
    if data.is_sorted:
        turns = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False])).astype(np.int8)))
        bounds = np.append(cells.start, np.inf)[turns].reshape(-1, 2)
        return join([points(*data.scaled(*_range(data, low, high))) for low, high in bounds.tolist()])
    flags = np.zeros(BINS, dtype=bool)
    flags[_home(cells.start[wanted] + 0.5 * _WIDTH)] = True
    parts = []
    for x, y, weight in data.chunks():
        inside = flags[_home(x)]
        parts.append((x[inside], y[inside], weight[inside]))
    return _sorted_points(parts)


def _home(x: Vector) -> Indices:
    """The bin of each scaled x. The width is a power of two: only adding 1 rounds, everywhere the same way."""
    return np.minimum(((x + 1.0) * (1.0 / _WIDTH)).astype(np.intp), BINS - 1)


def _sorted_points(parts: list[tuple[Vector, Vector, Vector]]) -> Cells:
    x, y, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(x, kind="stable")
    return points(x[order], y[order], weight[order])


def _range(data: Observations, low: float, high: float) -> tuple[int, int]:
    """First and last index of sorted points with scaled x in ``[low, high)``."""
    if not np.isfinite(high):
        return _range(data, low, 1.0)[0], len(data.x)
    guess = np.searchsorted(data.x, data.scale.outside(np.array([low, high])))
    bounds = []
    for begin, edge in zip(guess.tolist(), (low, high), strict=True):
        # The way out and back rounds: settle the last few points in scaled coordinates, whole ties of them.
        near = data.x[[max(0, begin - 8), min(len(data.x) - 1, begin + 8)]]
        left, right = int(np.searchsorted(data.x, near[0])), int(np.searchsorted(data.x, near[1], "right"))
        bounds.append(left + int(np.searchsorted(data.scale.inside(data.x[left:right]), edge)))
    return bounds[0], bounds[1]


def _blocks(data: Observations) -> Cells:
    """Blocks of about equally many sorted points; ties stay together."""
    n = len(data.x)
    picked = data.x[np.linspace(0, n, BLOCKS, endpoint=False).astype(np.intp)]
    edges = np.append(np.unique(np.searchsorted(data.x, picked, side="left")), n)
    return join(
        [_block_sums(data, edges[i : i + _CHUNK_BLOCKS + 1]) for i in range(0, len(edges) - 1, _CHUNK_BLOCKS)]
    )


def _block_sums(data: Observations, edges: Indices) -> Cells:
    x, y, weight = data.scaled(int(edges[0]), int(edges[-1]))
    first = edges[:-1] - edges[0]
    start = x[first]
    local = x - np.repeat(start, np.diff(edges))
    changes = np.concatenate(([True], local[1:] != local[:-1]))
    changes[first] = True  # a block's first x is another one than the last of the block before
    distinct = np.add.reduceat(changes.astype(np.float64), first)
    sums = [np.add.reduceat(term, first) for term in _terms(local, y, weight)]
    return _from_sums(start, *sums, distinct=distinct)


def _terms(x: Vector, y: Vector, weight: Vector) -> Iterator[Vector]:
    yield weight
    weighted = weight * x
    yield weighted
    yield weighted * x
    heavy = weight * y
    yield heavy
    yield heavy * x
    yield heavy * y


def _from_sums(
    start: Vector, w: Vector, wx: Vector, wxx: Vector, wy: Vector, wxy: Vector, wyy: Vector, distinct: Vector
) -> Cells:
    """Cells from sums about their starts."""
    mean_x, mean_y = wx / w, wy / w
    xx, yy = np.maximum(wxx - wx * mean_x, 0.0), np.maximum(wyy - wy * mean_y, 0.0)
    return Cells(start, w, start + mean_x, mean_y, xx, wxy - wx * mean_y, yy, distinct)


def _bins(data: Observations) -> Cells:
    """Bins of equal width, filled in one pass over unsorted points."""
    sums, counts = np.zeros((6, BINS)), np.zeros(BINS)
    taken = np.zeros(BINS * _PARTS, dtype=bool)
    for x, y, weight in data.chunks():
        home = _home(x)
        local = x - (home * _WIDTH - 1.0)
        for total, term in zip(sums, _terms(local, y, weight), strict=True):
            total += np.bincount(home, term, BINS)
        counts += np.bincount(home, minlength=BINS)
        taken[np.minimum(((x + 1.0) * (_PARTS / _WIDTH)).astype(np.intp), BINS * _PARTS - 1)] = True
    parts = np.count_nonzero(taken.reshape(BINS, _PARTS), axis=1)
    # Equal x share a part: where far fewer are taken than by as many different x, points are not counted but parts.
    counts = np.where(parts < 0.5 * _PARTS * (1 - np.exp(-counts / _PARTS)), parts, counts)
    used = counts > 0
    start = np.flatnonzero(used).astype(np.float64) * _WIDTH - 1.0
    cells = _from_sums(start, *sums[:, used], distinct=counts[used])
    tied = cells.xx <= 1e-12 * cells.weight * _WIDTH**2
    return replace(cells, distinct=np.where(tied, 1.0, cells.distinct))
