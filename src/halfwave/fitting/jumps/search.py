"""Where to cut: the recursion on all cells of small data, and a search from coarse to fine in large data.

The search runs the recursion on merged cells first, then on ever smaller ones around the cuts, down to single points.
"""

from __future__ import annotations

import numpy as np

from halfwave.fitting.jumps.programme import Layout, layout_of, programme
from halfwave.fitting.observations import Observations
from halfwave.fitting.search.cells import Cells, Indices, cells_of, zoomed
from halfwave.fitting.search.rules import Rules
from halfwave.functions.double_double import Vector

Found = dict[int, tuple[Layout, Indices]]  # by number of segments: a layout, and the bounds (k + 1,) in it

EXACT = 1 << 13  # so many different x are treated one by one
COARSE = 1 << 12  # groups from which the search of larger data starts
_FINER = 8  # how many parts a group is cut into from one step to the next
_AROUND = 32  # groups on each side of a cut where it is looked for again
_OPENED = 2  # cells on each side of a cut that are opened
_ROUNDS = 8
_WORTH = 1e-12


def find_bounds(data: Observations, rules: Rules, segments: list[int]) -> tuple[Found, bool]:
    """The bounds of the best fits for some numbers of segments, and whether they are proven to be the best.

    Args:
        data: the observations.
        rules: constraints.
        segments: one number of segments or more, at least 1 each; those that the rules rule out are missing from
            what is found.
    """
    cells = opened(cells_of(data), data, np.array(rules.fixed))
    layout = layout_of(cells, rules)
    is_exact = len(cells) <= EXACT and bool((cells.distinct == 1).all())
    if is_exact:
        return {k: (layout, path) for k, path in _paths(layout, segments).items()}, True
    return _from_coarse_to_fine(data, layout, segments), False


def opened(cells: Cells, data: Observations, places: Vector) -> Cells:
    """The cells with single points around some scaled places (p,)."""
    return zoomed(cells, data, places, _OPENED)


def _paths(layout: Layout, segments: list[int]) -> dict[int, Indices]:
    """Bounds (k + 1,) of the best fit for each number of segments that the rules allow."""
    table = programme(layout, max(segments))
    paths = {k: table.bounds(k) for k in segments}
    return {k: path for k, path in paths.items() if path is not None}


def _from_coarse_to_fine(data: Observations, layout: Layout, segments: list[int]) -> Found:
    stride = -(-len(layout) // COARSE)
    bounds = kept_bounds(layout, np.arange(0, len(layout), stride))
    paths = {k: bounds[path] for k, path in _paths(layout.coarser(bounds), segments).items()}
    missing = [k for k in segments if k not in paths]
    if missing and stride > 1:
        paths |= _paths(layout, missing)  # groups may be too coarse for narrow rules
    found = {k: (layout, _settled(layout, path, stride)) for k, path in paths.items()}
    for _ in range(_ROUNDS):
        again = _looked_at_again(data, layout, found)
        if all(_same_cuts(found[k], again[k]) for k in found):
            return again
        found = again
    return found


def _looked_at_again(data: Observations, whole: Layout, found: Found) -> Found:
    """The fits after a search among the single points around their cuts."""
    starts = {k: layout.cells.start[bounds[1:-1]] for k, (layout, bounds) in found.items()}
    fine = opened(whole.cells, data, np.concatenate([np.zeros(0), *starts.values()]))
    layout = layout_of(fine, whole.rules)
    again = {}
    for k, places in starts.items():
        inner = np.searchsorted(fine.start, places)
        bounds = np.concatenate(([0], inner, [len(fine)]))
        again[k] = layout, _settled(layout, bounds, int(fine.distinct.max()))
    return again


def _same_cuts(one: tuple[Layout, Indices], other: tuple[Layout, Indices]) -> bool:
    return np.array_equal(one[0].cells.start[one[1][1:-1]], other[0].cells.start[other[1][1:-1]])


def kept_bounds(layout: Layout, wanted: Indices) -> Indices:
    """The wanted cuts that exist, and all required ones, sorted."""
    inside = wanted[(wanted > 0) & (wanted < len(layout))]
    return np.union1d(inside, np.flatnonzero(layout.required))


def _settled(layout: Layout, bounds: Indices, stride: int) -> Indices:
    """Bounds after searches around each cut with smaller and smaller groups, until one of single cells fails."""
    cost = np.inf
    offsets = np.arange(-_AROUND, _AROUND + 1)
    while True:
        stride = max(1, stride // _FINER)
        near = kept_bounds(layout, (bounds[:, None] + stride * offsets).ravel())
        table = programme(layout.coarser(near), len(bounds) - 1)
        path = table.bounds(len(bounds) - 1)
        lowest = float(table.cost[-1, -1])
        if path is None or (stride == 1 and lowest >= cost * (1 - _WORTH)):
            return bounds
        bounds, cost = near[path], lowest
