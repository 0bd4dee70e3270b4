"""Lower envelopes of parabolas, many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfwave.fitting.search.cells import Indices
from halfwave.fitting.search.segment_table import Mask
from halfwave.functions.double_double import Vector


@dataclass(frozen=True, slots=True)
class Parabolas:
    """Functions ``curvature (v − vertex)² + cost`` of the height v at a knot, sorted by knot; each is (p,)."""

    knot: Indices
    curvature: Vector
    vertex: Vector
    cost: Vector
    parent: Indices  # the parabola of the layer before from which this one came

    def __len__(self) -> int:
        return len(self.knot)

    def pick(self, index: Mask | Indices) -> Parabolas:
        """The parabolas at a mask or at indices."""
        return Parabolas(*(getattr(self, name)[index] for name in Parabolas.__slots__))


def lower_envelope(parabolas: Parabolas, slack: Vector) -> Mask:
    """Which parabolas (p,) are smallest somewhere among those of their knot, at a height that matters.

    Args:
        parabolas: sorted by knot, each with a cost of at most the slack of its knot.
        slack: the level (m,) above which a value at a knot cannot lead to an optimum.

    >>> two = Parabolas(np.array([0, 0]), np.array([1.0, 9.0]), np.zeros(2), np.array([0.0, 1.0]), np.zeros(2, int))
    >>> lower_envelope(two, np.array([5.0]))
    array([ True, False])
    """
    keep = np.zeros(len(parabolas), dtype=bool)
    active = np.flatnonzero(_beats_best(parabolas))
    if len(active) == 0:
        return keep
    some = parabolas.pick(active)
    starts = _starts(some.knot)
    reach = np.sqrt(np.maximum(slack[some.knot] - some.cost, 0.0) / some.curvature)
    at = np.minimum.reduceat(some.vertex - reach, starts)
    end = np.maximum.reduceat(some.vertex + reach, starts)
    group = _groups(starts, len(some))
    height = some.curvature * (at[group] - some.vertex) ** 2 + some.cost
    best = _first_smallest(height, starts, group)
    # Two parabolas cross twice at most: more pieces than that are equal ones changing places.
    for _ in range(2 * int(np.bincount(group).max())):
        keep[active[best]] = True
        step = _steps(some, best[group], at[group])
        nearest = _first_smallest(step, starts, group)
        at = at + step[nearest]
        going = at < end
        if not going.any():
            break
        chosen = going[group]
        # Renumber the groups that still go on, and forget the others.
        renumbered = np.cumsum(chosen) - 1
        some, active, group = some.pick(chosen), active[chosen], (np.cumsum(going) - 1)[group[chosen]]
        best, at, end = renumbered[nearest[going]], at[going], end[going]
        starts = _starts(group)
    return keep


def _steps(some: Parabolas, current: Indices, at: Vector) -> Vector:
    """How far right of `at` each parabola first goes below the current one of its knot; ``inf`` if never."""
    ahead, behind = at - some.vertex, at - some.vertex[current]
    bent = some.curvature - some.curvature[current]
    tilt = 2 * (some.curvature * ahead - some.curvature[current] * behind)
    gap = some.curvature * ahead**2 + some.cost
    gap -= some.curvature[current] * behind**2 + some.cost[current]
    np.maximum(gap, 0.0, out=gap)
    inside = tilt**2 - 4 * bent * gap
    root = np.sqrt(np.maximum(inside, 0.0)) - tilt
    # inside > 0: touching is not crossing, and a parabola never crosses itself.
    crosses = (inside > 0) & (root > 0)
    return np.where(crosses, 2 * gap / np.where(crosses, root, 1.0), np.inf)


def _beats_best(parabolas: Parabolas) -> Mask:
    """Parabolas that are below the cheapest one of their knot somewhere, and that one itself."""
    starts = _starts(parabolas.knot)
    group = _groups(starts, len(parabolas))
    best = _first_smallest(parabolas.cost, starts, group)
    cheap = best[group]
    bent = parabolas.curvature - parabolas.curvature[cheap]
    above = (parabolas.cost - parabolas.cost[cheap]) * bent
    apart = (parabolas.vertex - parabolas.vertex[cheap]) ** 2
    beats = (bent < 0) | (above < parabolas.curvature * parabolas.curvature[cheap] * apart)
    beats[best] = True
    return beats


def _starts(knot: Indices) -> Indices:
    return np.flatnonzero(np.concatenate((np.ones(min(1, len(knot)), dtype=bool), knot[1:] != knot[:-1])))


def _groups(starts: Indices, length: int) -> Indices:
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, length)))


def _first_smallest(values: Vector, starts: Indices, group: Indices) -> Indices:
    """Index of the smallest value of each group, the first of equals."""
    smallest = np.flatnonzero(values == np.minimum.reduceat(values, starts)[group])
    return smallest[_starts(group[smallest])]
