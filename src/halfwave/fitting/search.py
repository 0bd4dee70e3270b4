"""The search as a whole: grid, dynamic programme, steps off the grid, and the last look at single points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from halfwave.fitting import compiled
from halfwave.fitting.cells import Cells, cells_of, zoomed
from halfwave.fitting.dynamic_programme import GridOptimum, beam, optimal_knots
from halfwave.fitting.grid import BETWEEN_POINTS, EVERY_POINT, candidates
from halfwave.fitting.observations import Observations
from halfwave.fitting.polish import Candidate, descend, refine, solve
from halfwave.fitting.rules import Rules
from halfwave.fitting.shape import swept
from halfwave.functions.double_double import Vector

_SHIFTS = (4.0, 8.0, 16.0)  # cells by which single kinks are moved to look past the dents around them
_HOPELESS = 1.5  # times the best cost: from there no descent is tried
_NEAR = 1.01  # times the best cost: so near a few steps must lead for a descent to go on
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
    use_numba = compiled.wanted(use_numba, len(coarse) * sum(segments))
    grid = candidates(coarse, np.array(rules.fixed))
    table = rules.table(coarse, grid)
    good = beam(table, max(segments))
    optima = optimal_knots(table, segments, use_numba, good=good)
    starts = {
        k: _best_start(
            coarse, [grid[path] for path in (optimum.knots, *good.paths(k, _STARTS))], rules, use_numba
        )
        for k, optimum in optima.items()
    }
    fits = {k: start for k, start in starts.items() if start is not None}
    if rules.shape:
        fits, optima = _shaped(coarse, fits, optima, grid, rules)
    reach = max(_REACH, 1.5 * len(coarse) / len(grid))
    fits = {k: refine(coarse, fit, rules, reach, 1.0, use_numba) for k, fit in fits.items()}
    fine = coarse
    if coarse.xx.any() and fits:
        fine = zoomed(coarse, data, np.concatenate([fit.knots[1:-1] for fit in fits.values()]), _ZOOM)
        again = {k: solve(fine, fit.knots, rules) for k, fit in fits.items()}
        reach = 2 * len(data.x) / len(coarse)
        fits = {
            k: refine(fine, fit, rules, reach, 1.0, use_numba) for k, fit in again.items() if fit is not None
        }
    found = Found(fits, optima, len(grid), fine)
    if thorough:
        for k in fits:
            found = settle(found, rules, k, use_numba)
    return found


def _shaped(
    cells: Cells, fits: dict[int, Candidate], optima: dict[int, GridOptimum], grid: Vector, rules: Rules
) -> tuple[dict[int, Candidate], dict[int, GridOptimum]]:
    """Fits whose kinks were moved one at a time under the shape, and optima that say what is proven then.

    The programme's optimum is proven only where it has the shape by itself.
    """

    def cost(knots: Vector) -> float:
        fit = solve(cells, knots, rules)
        return np.inf if fit is None else fit.cost

    better, proofs = {}, {}
    for k, fit in fits.items():
        proofs[k] = optima[k]
        better[k] = fit
        at_optimum = cost(grid[optima[k].knots])
        if at_optimum <= optima[k].cost * (1 + _WORTH) + _WORTH**2:
            continue
        knots, least = swept(cost, fit.knots, grid, rules.fixed)
        proofs[k] = replace(optima[k], cost=min(least, at_optimum), is_optimal=False)
        better[k] = solve(cells, knots, rules) or fit
    return better, proofs


def _best_start(cells: Cells, starts: list[Vector], rules: Rules, use_numba: bool | None) -> Candidate | None:
    """The best fit after Gauss–Newton steps from several knots: the grid's optimum need not lead to it."""
    best: Candidate | None = None
    for knots in starts:
        start = solve(cells, knots, rules)
        if start is not None:
            moved = descend(cells, start, rules, use_numba)
            best = moved if best is None or moved.cost < best.cost else best
    return best


def settle(found: Found, rules: Rules, segments: int, use_numba: bool | None = None) -> Found:
    """With one of the fits searched again until a pass down to the finest scale finds nothing more."""
    fit = found.fits[segments]
    for _ in range(_PASSES):
        # A grid that reaches between the points looked past all dents; among many points they are small.
        coarse = BETWEEN_POINTS < len(found.cells) <= EVERY_POINT and not rules.shape
        shifted = _shifted(found.cells, fit, rules, use_numba) if coarse else fit
        refined = refine(found.cells, shifted, rules, 1.0, _FINEST, use_numba)
        gain, fit = fit.cost - refined.cost, refined
        if gain <= _WORTH * fit.cost:
            break
    return replace(found, fits={**found.fits, segments: fit})


def _shifted(cells: Cells, fit: Candidate, rules: Rules, use_numba: bool | None) -> Candidate:
    """The best of the fits to which Gauss–Newton steps lead after one kink was moved by some cells."""
    best, rank = fit, np.arange(len(cells), dtype=float)
    for shift in _SHIFTS:
        for i in range(1, len(fit.knots) - 1):
            for way in (shift, -shift):
                if best.knots[i] in rules.fixed:
                    continue
                knots = best.knots.copy()
                place = np.interp(knots[i], cells.start, rank) + way
                knots[i] = np.interp(place, rank, cells.start)
                start = solve(cells, knots, rules) if knots[i - 1] < knots[i] < knots[i + 1] else None
                if start is None or start.cost > _HOPELESS * best.cost:
                    continue
                looked = descend(cells, start, rules, use_numba, quick=True)
                if looked.cost <= _NEAR * best.cost:
                    moved = descend(cells, looked, rules, use_numba)
                    best = moved if moved.cost < best.cost else best
    return best
