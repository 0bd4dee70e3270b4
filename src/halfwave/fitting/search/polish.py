"""From the best kinks on a grid to the best near by: Gauss–Newton steps, and programmes on finer grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfwave.fitting.search import compiled
from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.dynamic_programme import refined_knots
from halfwave.fitting.search.grid import around
from halfwave.fitting.search.heights import Spans, best_heights, crossings, spans
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.segment_table import Mask
from halfwave.fitting.search.shape import has_shape, shaped_heights
from halfwave.functions.double_double import Vector

_STEPS, _FEW_STEPS = 25, 4
_WORTH = 1e-11  # a step that lowers the cost by less than this fraction is the last one
_SHORTER = (0.5, 0.2, 0.05)  # parts of a step that are tried where the whole one does not help
_SHRINK = 0.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A continuous fit: ends and kinks (k + 1,), heights there, and its sum of squares, all scaled."""

    knots: Vector
    heights: Vector
    cost: float


def solve(cells: Cells, knots: Vector, rules: Rules) -> Candidate | None:
    """The best fit with given knots (k + 1,); None where the rules forbid them or data do not determine it."""
    if not rules.allow(cells, knots):
        return None
    sums = rules.spans(spans(cells, knots))
    solved = best_heights(sums)
    if rules.shape and (solved is None or not has_shape(knots, rules.heights(solved[0]), rules.shape)):
        solved = shaped_heights(sums, knots, rules.shape)
    return None if solved is None else Candidate(knots, rules.heights(solved[0]), solved[1])


def descend(
    cells: Cells, start: Candidate, rules: Rules, use_numba: bool | None = None, quick: bool = False
) -> Candidate:
    """Moves all kinks to where neighbouring least-squares lines cross, as long as that helps.

    Args:
        cells: the data; exact where no kink falls inside a cell of several points.
        start: a fit.
        rules: which kinks stay, and what segments must be.
        use_numba: whether to run the compiled kernel; by default where it is loaded.
        quick: whether to stop after a few steps.

    Source: Gauss–Newton on the projected functional, Golub and Pereyra (1973), SIAM J. Numer. Anal. 10.
    """
    best, movable = start, np.array([knot not in rules.fixed for knot in start.knots[1:-1]], dtype=bool)
    if movable.any() and not rules.shape and compiled.wanted(use_numba):
        limits = (rules.min_points, rules.min_length, rules.flat_first, rules.flat_last)
        knots, heights, cost = compiled.descend(
            cells, start.knots, start.heights, start.cost, movable, limits, quick
        )
        return Candidate(knots, rules.heights(heights), cost)
    for _ in range((_FEW_STEPS if quick else _STEPS) if movable.any() else 0):
        moved = _improved(cells, best, movable, rules)
        if moved is None:
            break
        done = best.cost - moved.cost <= _WORTH * best.cost
        best = moved
        if done:
            break
    return best


def _improved(cells: Cells, fit: Candidate, movable: Mask, rules: Rules) -> Candidate | None:
    """A better fit one step away, or None."""
    target = _target(cells, fit, movable, rules)
    if (target == fit.knots).all():
        return None
    return _line_search(cells, fit, target, rules) or _one_by_one(cells, fit, target, rules)


def _target(cells: Cells, fit: Candidate, movable: Mask, rules: Rules) -> Vector:
    """Knots (k + 1,) after a whole step: each kink at the crossing, at most 0.9 of the way to the next knot."""
    sums = rules.spans(spans(cells, fit.knots))
    rightward, leftward, stuck = _directions(cells, fit, sums)
    if rightward.any():
        sums = rules.spans(spans(cells, fit.knots, rightward))
    held = stuck | ~movable
    meet = crossings(sums, fit.knots, held)
    # A kink on a point that others push to the side where the cost rises stays, as long as they do.
    pushed = (rightward & (meet < fit.knots[1:-1])) | (leftward & (meet > fit.knots[1:-1]))
    if pushed.any():
        meet = crossings(sums, fit.knots, held | pushed)
    room = fit.knots[1:] - fit.knots[:-1]
    step = (meet - fit.knots[1:-1]).clip(-0.9 * room[:-1], 0.9 * room[1:])
    target = fit.knots.copy()
    target[1:-1] += np.where(np.isfinite(step), step, 0.0)
    return target


def _directions(cells: Cells, fit: Candidate, sums: Spans) -> tuple[Mask, Mask, Mask]:
    """Kinks (k − 1,) on a point that lower the cost when moved right, when moved left, and in no direction.

    The cost is bent at points. Its slope in a kink is the change of the fit's slope there times the sum of
    residuals on the left, each weighted by how near the kink it is; the point on the kink counts in one direction.
    """
    kinks, heights = fit.knots[1:-1], fit.heights
    nearest = np.minimum(cells.x.searchsorted(kinks), len(cells) - 1)
    on_point = cells.x[nearest] == kinks
    slopes = (heights[1:] - heights[:-1]) / (fit.knots[1:] - fit.knots[:-1])
    bend = slopes[:-1] - slopes[1:]
    pull = (sums.by - sums.ab * heights[:-1] - sums.bb * heights[1:])[:-1]
    own = cells.weight[nearest] * (cells.y[nearest] - heights[1:-1])
    leftward_gain, rightward_gain = bend * pull, -bend * (pull + own)
    rightward = on_point & (rightward_gain > 0) & (rightward_gain >= leftward_gain)
    stuck = on_point & (rightward_gain <= 0) & (leftward_gain <= 0)
    return rightward, on_point & ~rightward & ~stuck, stuck


def _line_search(cells: Cells, fit: Candidate, target: Vector, rules: Rules) -> Candidate | None:
    """The better of the whole step and of one to the nearest points, where the cost bends; else shorter steps."""
    whole = _better(cells, fit, target, rules)
    near = _stopped(cells, fit.knots, target)
    if (near != target).any():
        whole = _better(cells, whole or fit, near, rules) or whole
    if whole is not None:
        return whole
    for length in _SHORTER:
        moved = _better(cells, fit, fit.knots + length * (target - fit.knots), rules)
        if moved is not None:
            return moved
    return None


def _stopped(cells: Cells, knots: Vector, target: Vector) -> Vector:
    """Targets (k + 1,) with each knot going no further than to the next point."""
    ahead = np.minimum(cells.x.searchsorted(knots, side="right"), len(cells) - 1)
    behind = np.maximum(cells.x.searchsorted(knots) - 1, 0)
    return target.clip(np.minimum(cells.x[behind], knots), np.maximum(cells.x[ahead], knots))


def _one_by_one(cells: Cells, fit: Candidate, target: Vector, rules: Rules) -> Candidate | None:
    """Each kink's step on its own: one kink at a stop must not hold back the others."""
    best = fit
    for i in np.flatnonzero(target != fit.knots):
        alone = best.knots.copy()
        alone[i] = target[i]
        best = _better(cells, best, alone, rules) or best
    return None if best is fit else best


def _better(cells: Cells, fit: Candidate, knots: Vector, rules: Rules) -> Candidate | None:
    """The fit with other knots (k + 1,) if they are in order and its cost is lower, else None."""
    moved = solve(cells, knots, rules) if (knots[1:] > knots[:-1]).all() else None
    return moved if moved is not None and moved.cost < fit.cost else None


def refine(
    cells: Cells, fit: Candidate, rules: Rules, radius: float, until: float, use_numba: bool | None = None
) -> Candidate:
    """Dynamic programmes on ever finer grids around the kinks, each followed by Gauss–Newton steps.

    The cost has a small dent at every data point: steps alone stop in one, the programmes look past them.

    Args:
        cells: the data.
        fit: where to start.
        rules: which kinks stay, and what segments must be.
        radius: how far to look at first, in cells.
        until: the last radius is at least this.
        use_numba: whether to run the compiled kernels; by default where they are loaded.
    """
    movable = np.array([False, *(knot not in rules.fixed for knot in fit.knots[1:-1]), False])
    best = descend(cells, fit, rules, use_numba)
    while movable.any():
        grid, stages = around(cells, best.knots, movable, np.full(len(best.knots), radius))
        found = refined_knots(rules.table(cells, grid), stages, best.cost, use_numba)
        if found is not None:
            moved = solve(cells, grid[found], rules)
            if moved is not None and moved.cost < best.cost:
                best = descend(cells, moved, rules, use_numba)
        if radius <= until:
            break
        radius = max(radius * _SHRINK, until)
    return best
