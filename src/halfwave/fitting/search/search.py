"""The search as a whole: grid, dynamic programme, steps off the grid, and the last look at single points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from halfwave.fitting.observations import Observations
from halfwave.fitting.search import compiled
from halfwave.fitting.search.cells import Cells, cells_of, cut, zoomed
from halfwave.fitting.search.dynamic_programme import Beam, GridOptimum, beam, optimal_knots
from halfwave.fitting.search.grid import candidates, even, insertion_gains, outline
from halfwave.fitting.search.heights import spans
from halfwave.fitting.search.polish import Candidate, descend, refine, solve
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.shape import swept
from halfwave.functions.double_double import Vector

_EACH = 3  # places to which each kink is moved
_WINDOWS = 100  # parts of the data in each of which kinks are moved to the best place only
_TRIED = 20  # moves from which steps are taken
_HOPELESS = (
    100.0  # over the number of cells: how much above the best cost no descent is tried; one kink is worth
)
_NEAR = 2.0  # less the more data there are. Likewise, how near a few steps must lead for a descent to go on
_REACH = 3.0  # cells around each kink in which small data are searched again
_FEW = 1000  # cells among which the last look is between the points
_BETWEEN = 0.2  # cells: the last radius of that look
_ZOOM = 3  # blocks on each side of a kink that are opened
_LOOKS = 3  # times that kinks are followed to blocks not yet opened
_PASSES = 3
_STARTS = 3  # good grid fits that are followed off the grid besides the best one
_WORTH = 1e-7


@dataclass(frozen=True, slots=True)
class Found:
    """The best fits for each number of segments, in scaled coordinates, and how they were found."""

    fits: dict[int, Candidate]
    grid: dict[int, GridOptimum]
    grid_size: int
    cells: Cells
    data: Observations


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
    # No block may reach across a fixed kink.
    coarse = zoomed(cells_of(data) if cells is None else cells, data, np.array(rules.fixed), 0)
    use_numba = compiled.wanted(use_numba, len(coarse), sum(segments))
    grid = candidates(coarse, np.array(rules.fixed))
    optima, good = _on_grid(coarse, grid, rules, segments, use_numba)
    missing = [even(data.x, k) for k in segments if k not in optima] if data.is_sorted else []
    if missing:  # segments that need nearly all the points there are find no room between quantiles
        places = data.scale.inside(np.concatenate(missing))
        coarse, grid = zoomed(coarse, data, places, 0), np.union1d(grid, places)
        optima, good = _on_grid(coarse, grid, rules, segments, use_numba)
    paths = {k: [grid[path] for path in (each.knots, *good.paths(k, _STARTS))] for k, each in optima.items()}
    solved = {k: [solve(coarse, knots, rules) for knots in each] for k, each in paths.items()}
    starts = {k: [fit for fit in each if fit is not None] for k, each in solved.items()}
    starts = {k: each for k, each in starts.items() if each}
    fits = {k: _best_moved(coarse, each, rules, use_numba) for k, each in starts.items()}
    if rules.shape:
        fits, optima = _shaped(coarse, fits, optima, grid, rules)
    reach = max(_REACH, 1.5 * len(coarse) / len(grid))
    blocks = bool(coarse.xx.any())
    if thorough and blocks:  # before the blocks near the kinks are opened, which takes a pass over the data
        fits = {k: _elsewhere(coarse, fit, rules, use_numba) for k, fit in fits.items()}
    found = _zoomed(
        _refined(Found(fits, optima, len(grid), coarse, data), rules, reach, use_numba), rules, use_numba
    )
    if blocks:
        found = _no_worse(found, starts, rules, use_numba)
    if thorough and not blocks:
        for k in fits:
            found = settle(found, rules, k, use_numba)
    return _nested(found, rules, use_numba)


def _on_grid(
    cells: Cells, grid: Vector, rules: Rules, segments: list[int], use_numba: bool | None
) -> tuple[dict[int, GridOptimum], Beam]:
    """The optima on a grid (m,), and other good fits there."""
    table = rules.table(cells, grid)
    good = beam(table, max(segments))
    return optimal_knots(table, segments, use_numba, good=good), good


def _refined(found: Found, rules: Rules, reach: float, use_numba: bool | None) -> Found:
    """With all fits solved on the cells and searched again near by."""
    again = {k: solve(found.cells, fit.knots, rules) for k, fit in found.fits.items()}
    fits = {
        k: refine(found.cells, fit, rules, reach, 1.0, use_numba)
        for k, fit in again.items()
        if fit is not None
    }
    return replace(found, fits=fits)


def _zoomed(found: Found, rules: Rules, use_numba: bool | None) -> Found:
    """With single points in the place of blocks around the kinks, and kinks at their best among these."""
    reach = 2 * len(found.data.x) / len(found.cells)
    for look in range(_LOOKS):
        kinks = np.concatenate([np.zeros(0), *(fit.knots[1:-1] for fit in found.fits.values())])
        if look and not cut(found.cells, kinks):  # no kink left the points
            return found
        fine = zoomed(found.cells, found.data, kinks, _ZOOM)
        if fine is found.cells:
            return found
        found = _refined(replace(found, cells=fine), rules, reach, use_numba)
    kinks = np.concatenate([np.zeros(0), *(fit.knots[1:-1] for fit in found.fits.values())])
    fine = zoomed(found.cells, found.data, kinks, 0)
    exact = {k: solve(fine, fit.knots, rules) for k, fit in found.fits.items()}
    return replace(found, cells=fine, fits={k: fit for k, fit in exact.items() if fit is not None})


def _no_worse(
    found: Found, starts: dict[int, list[Candidate]], rules: Rules, use_numba: bool | None
) -> Found:
    """With fits from the grid where what came of them is worse on single points, or not allowed there.

    Costs of kinks that cut blocks are approximate: steps may lead to where no good fit is. On the grid they are
    exact.
    """
    for k, each in starts.items():
        start = solve(found.cells, min(each, key=lambda fit: fit.cost).knots, rules)
        if start is None or (k in found.fits and found.fits[k].cost <= start.cost):
            continue
        alone = _zoomed(replace(found, fits={k: start}), rules, use_numba)
        better = min(start, alone.fits.get(k, start), key=lambda fit: fit.cost)
        found = replace(found, fits={**found.fits, k: better}, cells=alone.cells)
    return found


def _nested(found: Found, rules: Rules, use_numba: bool | None) -> Found:
    """With a kink put into the fit that has one less, wherever that one was better than the fit found."""
    for k in sorted(found.fits):
        fewer = found.fits.get(k - 1)
        if fewer is None or found.fits[k].cost <= fewer.cost:
            continue
        tried = [solve(found.cells, knots, rules) for _, knots in _inserted(found.cells, fewer, rules, 1, [])]
        starts = [fit for fit in tried if fit is not None]
        if starts:
            more = _best_moved(found.cells, starts, rules, use_numba)
            alone = _zoomed(replace(found, fits={k: more}), rules, use_numba)
            better = min(found.fits[k], alone.fits.get(k, found.fits[k]), key=lambda fit: fit.cost)
            found = replace(found, fits={**found.fits, k: better}, cells=alone.cells)
    return found


def _shaped(
    cells: Cells, fits: dict[int, Candidate], optima: dict[int, GridOptimum], grid: Vector, rules: Rules
) -> tuple[dict[int, Candidate], dict[int, GridOptimum]]:
    """Fits whose kinks were moved one at a time under the shape, and optima that say what is proven then.

    The programme's optimum is proven only where it has the shape by itself.
    """

    rough = outline(cells)

    def cost(knots: Vector) -> float:
        fit = solve(rough, knots, rules)
        return np.inf if fit is None else fit.cost

    better, proofs = {}, {}
    for k, fit in fits.items():
        proofs[k] = optima[k]
        better[k] = fit
        at_optimum = solve(cells, grid[optima[k].knots], rules)
        least = np.inf if at_optimum is None else at_optimum.cost
        if least <= optima[k].cost * (1 + _WORTH) + _WORTH**2:
            continue
        better[k] = solve(cells, swept(cost, fit.knots, grid, rules.fixed), rules) or fit
        proofs[k] = replace(optima[k], cost=min(least, better[k].cost), is_optimal=False)
    return better, proofs


def _best_moved(cells: Cells, starts: list[Candidate], rules: Rules, use_numba: bool | None) -> Candidate:
    """The best fit after Gauss–Newton steps from several ones: the grid's optimum need not lead to it."""
    return min((descend(cells, start, rules, use_numba) for start in starts), key=lambda fit: fit.cost)


def settle(found: Found, rules: Rules, segments: int, use_numba: bool | None = None) -> Found:
    """With one of the fits searched again until moving kinks elsewhere finds nothing more."""
    fit = found.fits[segments]
    moved = _elsewhere(found.cells, fit, rules, use_numba)
    if moved is not fit:
        alone = _zoomed(replace(found, fits={segments: moved}), rules, use_numba)
        if segments in alone.fits and alone.fits[segments].cost < fit.cost:
            found = replace(found, fits={**found.fits, **alone.fits}, cells=alone.cells)
    if len(found.cells) > _FEW:
        return found
    # Among few points the dents between them are deep: steps stop in one, programmes look past them.
    refined = refine(found.cells, found.fits[segments], rules, 1.0, _BETWEEN, use_numba)
    return replace(found, fits={**found.fits, segments: refined})


def _elsewhere(cells: Cells, fit: Candidate, rules: Rules, use_numba: bool | None) -> Candidate:
    """A better fit with kinks moved elsewhere, or the same one; where depends on an outline of large data."""
    rough = outline(cells, fit.knots[1:-1])
    start = fit if rough is cells else solve(rough, fit.knots, rules)
    if start is None or rules.shape:
        return fit
    moved = _exchanged(rough, start, rules, use_numba)
    if rough is cells or moved is start:
        return fit if moved is start else moved
    again = solve(cells, moved.knots, rules)
    near = again and refine(cells, again, rules, len(cells) / len(rough), 1.0, use_numba)
    return near if near is not None and near.cost < fit.cost else fit


def _exchanged(cells: Cells, fit: Candidate, rules: Rules, use_numba: bool | None) -> Candidate:
    """A fit that is no better with kinks taken out and put elsewhere, as far as a few tries tell."""
    for _ in range(_PASSES):
        moved = _exchanged_once(cells, fit, rules, use_numba)
        if moved is not fit:
            moved = refine(cells, moved, rules, 1.0, 1.0, use_numba)
        if fit.cost - moved.cost <= _WORTH * fit.cost:
            break
        fit = moved
    return fit


def _exchanged_once(cells: Cells, fit: Candidate, rules: Rules, use_numba: bool | None) -> Candidate:
    """The best of the fits to which steps lead after one or two kinks were taken out and put elsewhere."""
    best, movable = fit, [i for i in range(1, len(fit.knots) - 1) if fit.knots[i] not in rules.fixed]
    starts = [start for i in movable for start in _moves(cells, fit, [i], rules)]
    if rules.min_points <= 2:
        pairs = [[i, j] for i, j in pairwise(movable)]
        starts += [start for pair in pairs for start in _moves(cells, fit, pair, rules)]
    starts.sort(key=lambda start: start[0])
    for cost, knots in starts[:_TRIED]:
        if cost > (1 + _HOPELESS / len(cells)) * best.cost:
            break
        start = solve(cells, knots, rules)
        if start is None:
            continue
        looked = descend(cells, start, rules, use_numba, quick=True)
        if looked.cost <= (1 + _NEAR / len(cells)) * best.cost:
            moved = descend(cells, looked, rules, use_numba)
            best = moved if moved.cost < best.cost else best
    return best


def _moves(cells: Cells, fit: Candidate, taken: list[int], rules: Rules) -> list[tuple[float, Vector]]:
    """Costs and knots (k + 1,) with some kinks of a fit elsewhere: one at a point, two at neighbouring points."""
    rest = solve(cells, np.delete(fit.knots, taken), rules)
    # Back to where the kinks were is no move.
    home = np.searchsorted(cells.x, fit.knots[taken]).tolist()
    return [] if rest is None else _inserted(cells, rest, rules, len(taken), home)


def _inserted(
    cells: Cells, rest: Candidate, rules: Rules, count: int, home: list[int]
) -> list[tuple[float, Vector]]:
    """Costs and knots of a fit with one kink more, or two at neighbouring points, but not near some cells."""
    kink, jump = insertion_gains(cells, rest.knots, rest.heights, rules.spans(spans(cells, rest.knots)))
    gain = kink if count == 1 else jump
    width = max(3, len(cells) // _WINDOWS)
    if home and home[-1] - home[0] <= width:
        gain[max(0, home[0] - width) : home[-1] + width + 1] = 0.0
    moves = []
    for _ in range(_EACH):
        at = int(np.argmax(gain))
        if gain[at] <= 0:
            break
        moves.append((rest.cost - gain[at], np.sort(np.concatenate((rest.knots, cells.x[at : at + count])))))
        gain[max(0, at - width) : at + width + 1] = 0.0
    return moves
