"""The best continuous fit with k segments between given knots, for every k, by functional dynamic programming.

The state is a knot; its value is the least cost of the data on the left as a function of the height there.
That function is a lower envelope of parabolas: adding a segment turns each parabola into another one, with
the height at the old knot minimised out in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from halfwave.fitting.search import compiled
from halfwave.fitting.search.cells import Indices
from halfwave.fitting.search.envelope import Parabolas, lower_envelope
from halfwave.fitting.search.segment_table import Matrix, SegmentTable
from halfwave.functions.double_double import Vector

IndexMatrix = npt.NDArray[np.intp]

BUDGET = 1 << 20  # parabolas that one layer may compare before it keeps the cheapest ones only
# Bounds are compared with costs that were summed in another order; too much slack costs time, too little the
# optimum.
ROUNDING = 1e-10
_NOTHING = 1e-24  # a scaled sum of squares that is rounding alone


@dataclass(frozen=True, slots=True)
class GridOptimum:
    """The best fit with a given number of segments on the grid."""

    cost: float
    knots: Indices  # (k + 1,), from the first to the last
    is_optimal: bool  # proven; False where a layer outgrew the budget


def optimal_knots(
    table: SegmentTable,
    segments: list[int],
    use_numba: bool | None = None,
    budget: int = BUDGET,
    good: Beam | None = None,
) -> dict[int, GridOptimum]:
    """The best knots on the grid for each number of segments.

    Args:
        table: cost of every segment, over m knots.
        segments: the numbers wanted, each at least 1.
        use_numba: whether to run the compiled kernel; by default where it is loaded.
        budget: how many parabolas a layer may compare.
        good: what `beam` gives, where already known.

    Returns:
        One optimum for each number that has a feasible fit.

    Raises:
        HalfwaveError: if the compiled kernel is asked for and numba is not installed.

    Source: Fearnhead, Maidstone and Letchford (2019), J. Comput. Graph. Stat. 28(2), 265-275, section 3. The
    bounds that prune are Bellman's: fits that may jump at the knots cost no more.
    """
    good = good or beam(table, max(segments))
    least = good.best()
    # Nothing is better than no error, and where there is none every fit would have to be kept.
    optimal = {
        k: GridOptimum(float(least[k]), good.paths(k, 1)[0], True) for k in segments if least[k] <= _NOTHING
    }
    segments = [k for k in segments if k not in optimal]
    return optimal | _programme(table, segments, use_numba, budget, least) if segments else optimal


def _programme(
    table: SegmentTable, segments: list[int], use_numba: bool | None, budget: int, least: Vector
) -> dict[int, GridOptimum]:
    """The optima by the programme, given the costs of good fits (highest + 1,) by their number of segments."""
    highest = max(segments)
    slack = slacks(least, tail_bounds(table.error, highest), segments)
    extend = compiled.extend if compiled.wanted(use_numba) else _extend
    last = len(table) - 1
    layers = [_root()]
    optimal: dict[int, GridOptimum] = {}
    proven = True
    for k in range(1, highest + 1):
        targets = np.arange(last if k == highest else 0, last + 1)
        layer, whole = extend(layers[-1], table, targets, slack[k], budget)
        proven &= whole
        ends = np.flatnonzero(layer.knot == last)
        layers.append(layer)
        if k in segments and len(ends):
            winner = int(ends[np.argmin(layer.cost[ends])])
            optimal[k] = GridOptimum(float(layer.cost[winner]), _trace(layers, winner), proven)
        if len(layer) == 0:
            break
    return optimal


def refined_knots(
    table: SegmentTable, stages: list[Indices], upper: float, use_numba: bool | None = None
) -> Indices | None:
    """The best knots (k + 1,) if the i-th one is taken from stage i; None if no choice is better than `upper`.

    Args:
        table: cost of every segment, over m knots.
        stages: for each of the k + 1 knots the indices it may take, sorted; the first and the last have one.
        upper: the cost to beat.
        use_numba: whether to run the compiled kernel; by default where it is loaded.
    """
    extend = compiled.extend if compiled.wanted(use_numba) else _extend
    tails = np.full((len(stages), len(table)), np.inf)
    tails[-1, stages[-1]] = 0.0
    for k in range(len(stages) - 2, -1, -1):
        here, there = stages[k], stages[k + 1]
        tails[k, here] = (table.error[np.ix_(here, there)] + tails[k + 1, there]).min(axis=1)
    layers = [_root()]
    for k in range(1, len(stages)):
        layer, _ = extend(layers[-1], table, stages[k], upper - tails[k], BUDGET)
        if len(layer) == 0:
            return None
        layers.append(layer)
    return _trace(layers, int(np.argmin(layers[-1].cost)))


def _root() -> Parabolas:
    """The free height at the first knot, before any data."""
    return Parabolas(*(np.zeros(1, dtype=kind) for kind in (np.intp, float, float, float, np.intp)))


@dataclass(frozen=True, slots=True)
class Beam:
    """Good fits for each number of segments, found by keeping one parabola for each knot."""

    costs: (
        Matrix  # (highest, m): of fits with k + 1 segments, by the knot before the last; inf if there is none
    )
    parents: IndexMatrix  # (highest, m): the knot before each knot, after k + 1 segments

    def best(self) -> Vector:
        """Upper bounds (highest + 1,) on the optimum for each number of segments; ``inf`` for none."""
        return np.append(np.inf, self.costs.min(axis=1))

    def paths(self, segments: int, count: int) -> list[Indices]:
        """Up to so many fits that differ: the best ones whose last kink cannot be improved by a neighbour."""
        last = self.costs[segments - 1]
        framed = np.concatenate(([np.inf], last, [np.inf]))
        dents = np.flatnonzero(np.isfinite(last) & (last <= framed[:-2]) & (last <= framed[2:]))
        return [self._path(segments, int(knot)) for knot in dents[np.argsort(last[dents])[:count]]]

    def _path(self, segments: int, knot: int) -> Indices:
        knots = [self.costs.shape[1] - 1]
        for k in range(segments - 2, -1, -1):
            knots.append(knot)
            knot = int(self.parents[k, knot])
        return np.array([0, *knots[::-1]] if segments > 1 else [0, *knots], dtype=np.intp)


def beam(table: SegmentTable, highest: int) -> Beam:
    """Good fits with up to so many segments, in O(k m²)."""
    m = len(table)
    columns = np.arange(m)
    curvature, vertex, cost = np.zeros(m), np.zeros(m), np.full(m, np.inf)
    cost[0] = 0.0
    costs, parents = np.full((highest, m), np.inf), np.zeros((highest, m), dtype=np.intp)
    parts = (table.error, table.aa, table.ab, table.bb, table.left, table.right, table.determinant)
    for k in range(highest):
        bent, lowest, total = continued(curvature[:, None], vertex[:, None], cost[:, None], parts)
        best = np.argmin(total, axis=0)
        costs[k], parents[k] = total[:, -1], best
        curvature, vertex, cost = bent[best, columns], lowest[best, columns], total[best, columns]
    return Beam(costs, parents)


def tail_bounds(error: Matrix, highest: int) -> Matrix:
    """Least cost (highest, m) right of each knot with 0, 1, … segments that need not meet."""
    bounds = np.full((max(highest, 1), len(error)), np.inf)
    bounds[0, -1] = 0.0
    for k in range(1, highest):
        bounds[k] = (error + bounds[k - 1]).min(axis=1)
    return bounds


def discontinuous_optimum(error: Matrix, segments: int) -> float:
    """Least cost with so many segments that need not meet: a lower bound on every continuous fit on the grid."""
    return float((error[0] + tail_bounds(error, segments)[segments - 1]).min())


def slacks(upper: Vector, tails: Matrix, segments: list[int]) -> Matrix:
    """The largest cost (k + 1, m) with which a parabola of layer k at a knot can still lead to an optimum."""
    slack = np.full((len(upper), tails.shape[1]), -np.inf)
    for total in segments:
        if np.isfinite(upper[total]):
            level = upper[total] * (1 + ROUNDING) + ROUNDING**2
            slack[1 : total + 1] = np.maximum(slack[1 : total + 1], level - tails[:total][::-1])
    return slack


def continued(
    curvature: Vector, vertex: Vector, cost: Vector, segment: tuple[Vector, ...]
) -> tuple[Vector, Vector, Vector]:
    """Parabolas after one more segment: ``min over u of curvature (u − vertex)² + cost + C(u, v)``.

    Every term that adds to the cost is a square, so that nothing cancels.

    Args:
        curvature: of the parabolas in u; 0 for the free height at the first knot.
        vertex: where they are least.
        cost: their least values.
        segment: error, aa, ab, bb, û, v̂ and determinant of the segments.

    Returns:
        Curvatures, vertices and costs of the parabolas in v.
    """
    error, aa, ab, bb, left, right, determinant = segment
    apart = curvature * (vertex - left)
    common = curvature * bb + determinant
    bent = common / (curvature + aa)
    lowest = right - apart * ab / common
    return bent, lowest, cost + error + apart * (vertex - left) * determinant / common


def _extend(
    layer: Parabolas, table: SegmentTable, targets: Indices, slack: Vector, budget: int
) -> tuple[Parabolas, bool]:
    """The next layer at the target knots, and whether nothing was left out for want of room."""
    lower = table.error[layer.knot[:, None], targets] + layer.cost[:, None]
    column, parent = np.nonzero((lower <= slack[targets]).T)
    whole = len(parent) <= budget
    if not whole:
        cheapest = np.sort(np.argpartition(lower[parent, column] - slack[targets][column], budget)[:budget])
        column, parent = column[cheapest], parent[cheapest]
    knot, origin = targets[column], layer.knot[parent]
    at = origin * len(table) + knot
    parts = (table.error, table.aa, table.ab, table.bb, table.left, table.right, table.determinant)
    here = tuple(part.ravel()[at] for part in parts)
    bent, lowest, cost = continued(layer.curvature[parent], layer.vertex[parent], layer.cost[parent], here)
    near = cost <= slack[knot]
    new = Parabolas(knot[near], bent[near], lowest[near], cost[near], parent[near])
    return new.pick(lower_envelope(new, slack)), whole


def _trace(layers: list[Parabolas], winner: int) -> Indices:
    """Knots from the first to the one of the winner in the last layer."""
    knots = []
    for layer in reversed(layers):
        knots.append(int(layer.knot[winner]))
        winner = int(layer.parent[winner])
    return np.array(knots[::-1], dtype=np.intp)
