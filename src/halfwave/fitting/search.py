"""The search as a whole: grid, dynamic programme, steps off the grid, and the last look at single points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from halfwave.fitting.cells import Cells, cells_of, zoomed
from halfwave.fitting.dynamic_programme import GridOptimum, beam, optimal_knots
from halfwave.fitting.grid import candidates
from halfwave.fitting.observations import Observations
from halfwave.fitting.polish import Candidate, descend, refine, solve
from halfwave.fitting.rules import Rules
from halfwave.functions.double_double import Vector

_REACH = 3.0  # cells around each kink in which small data are searched again
_FINEST = 1e-3  # a kink held at a point makes the steps of the others zigzag; fine grids go straight
_ZOOM = 3  # blocks on each side of a kink that are opened
_PASSES = 3
_STARTS = 4  # good grid fits that are followed off the grid besides the best one
_WORTH = 1e-7


@dataclass(frozen=True, slots=True)
class Found:
    """The best fits for each number of segments, in scaled coordinates, and how they were found."""

    fits: dict[int, Candidate]
    grid: dict[int, GridOptimum]
    grid_size: int
    cells: Cells


def search(
    data: Observations,
    rules: Rules,
    segments: list[int],
    use_numba: bool | None = None,
    cells: Cells | None = None,
    thorough: bool = True,
) -> Found:
    """The best fits for some numbers of segments.

    Args:
        data: the observations.
        rules: constraints.
        segments: numbers of segments; those that the rules rule out are missing from what is found.
        use_numba: as for `optimal_knots`.
        cells: the data's cells, where already known.
        thorough: whether to search off the grid down to the finest scale; `settle` does it later for one.
    """
    coarse = cells_of(data) if cells is None else cells
    grid = candidates(coarse, np.array(rules.fixed))
    table = rules.table(coarse, grid)
    good = beam(table, max(segments))
    optima = optimal_knots(table, segments, use_numba, good=good)
    starts = {
        k: _best_start(coarse, [grid[path] for path in (optimum.knots, *good.paths(k, _STARTS))], rules)
        for k, optimum in optima.items()
    }
    fits = {k: start for k, start in starts.items() if start is not None}
    reach = max(_REACH, 1.5 * len(coarse) / len(grid))
    fits = {k: refine(coarse, fit, rules, reach, 1.0) for k, fit in fits.items()}
    fine = coarse
    if coarse.xx.any() and fits:
        fine = zoomed(coarse, data, np.concatenate([fit.knots[1:-1] for fit in fits.values()]), _ZOOM)
        again = {k: solve(fine, fit.knots, rules) for k, fit in fits.items()}
        reach = 2 * len(data.x) / len(coarse)
        fits = {k: refine(fine, fit, rules, reach, 1.0) for k, fit in again.items() if fit is not None}
    found = Found(fits, optima, len(grid), fine)
    if thorough:
        for k in fits:
            found = settle(found, rules, k)
    return found


def _best_start(cells: Cells, starts: list[Vector], rules: Rules) -> Candidate | None:
    """The best fit after Gauss–Newton steps from several knots: the grid's optimum need not lead to it."""
    best: Candidate | None = None
    for knots in starts:
        start = solve(cells, knots, rules)
        if start is not None:
            moved = descend(cells, start, rules)
            best = moved if best is None or moved.cost < best.cost else best
    return best


def settle(found: Found, rules: Rules, segments: int) -> Found:
    """With one of the fits searched again until a pass down to the finest scale finds nothing more."""
    fit = found.fits[segments]
    for _ in range(_PASSES):
        refined = refine(found.cells, fit, rules, 1.0, _FINEST)
        gain, fit = fit.cost - refined.cost, refined
        if gain <= _WORTH * fit.cost:
            break
    return replace(found, fits={**found.fits, segments: fit})
