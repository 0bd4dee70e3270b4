"""From the best kinks on a grid to the best near by: Gauss–Newton steps, and programmes on finer grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from halfwave.fitting import compiled
from halfwave.fitting.cells import Cells
from halfwave.fitting.dynamic_programme import refined_knots
from halfwave.fitting.grid import around
from halfwave.fitting.heights import best_heights, crossings, spans
from halfwave.fitting.rules import Rules
from halfwave.fitting.segment_table import Mask
from halfwave.fitting.shape import has_shape, shaped_heights
from halfwave.functions.double_double import Vector

_STEPS, _FEW_STEPS = 25, 4
_WORTH = 1e-11  # a step that lowers the cost by less than this fraction is the last one
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
        moved = _improved(cells, best, movable, rules, "right") or _improved(
            cells, best, movable, rules, "left"
        )
        if moved is None:
            break
        done = best.cost - moved.cost <= _WORTH * best.cost
        best = moved
        if done:
            break
    return best


def _improved(
    cells: Cells, fit: Candidate, movable: Mask, rules: Rules, side: Literal["left", "right"]
) -> Candidate | None:
    """A better fit one step away, or None. At a point the cost is bent: what lies left and right are two steps."""
    step = np.where(movable, _step(cells, fit, rules, side), 0.0)
    return _line_search(cells, fit, step, rules) or _one_by_one(cells, fit, step, rules)


def _step(cells: Cells, fit: Candidate, rules: Rules, side: Literal["left", "right"]) -> Vector:
    """From each kink to the crossing, at most 0.9 of the way to the next knot; 0 where lines do not cross."""
    target = crossings(rules.spans(spans(cells, fit.knots, side)), fit.knots)
    step = np.where(np.isfinite(target), target - fit.knots[1:-1], 0.0)
    room = np.diff(fit.knots)
    return np.clip(step, -0.9 * room[:-1], 0.9 * room[1:])


def _line_search(cells: Cells, fit: Candidate, step: Vector, rules: Rules) -> Candidate | None:
    if not step.any():
        return None
    for length in (1.0, 0.5, 0.2, 0.05):
        moved = _moved(cells, fit, length * step, rules)
        if moved is not None and moved.cost < fit.cost:
            return moved
    return None


def _one_by_one(cells: Cells, fit: Candidate, step: Vector, rules: Rules) -> Candidate | None:
    """Each kink's step on its own: one kink at a stop must not hold back the others."""
    best = fit
    for i in np.flatnonzero(step):
        alone = np.zeros_like(step)
        alone[i] = step[i]
        moved = _moved(cells, best, alone, rules)
        if moved is not None and moved.cost < best.cost:
            best = moved
    return None if best is fit else best


def _moved(cells: Cells, fit: Candidate, step: Vector, rules: Rules) -> Candidate | None:
    knots = fit.knots.copy()
    knots[1:-1] += step
    return solve(cells, knots, rules) if (np.diff(knots) > 0).all() else None


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
