"""Fits that pass through given points: heights that meet them exactly, where the search only came very near."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from halfwave.fitting.observations import Observations
from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.heights import Spans, cost_of, spans
from halfwave.fitting.search.polish import Candidate
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import Found
from halfwave.fitting.search.segment_table import Mask, Matrix
from halfwave.fitting.search.shape import has_shape, ramps
from halfwave.functions.double_double import Vector

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["met", "tents"]

_UNUSED = 1e-9  # of the largest weight: a ramp with less has none
_MISSED = 1e-9  # of the scale of the data: a fit farther than this from a point does not meet it


def met(found: Found, data: Observations, rules: Rules) -> Found:
    """What was found, with every fit brought onto the points to meet; fits that cannot meet them all are left out.

    Args:
        found: by `search`, of cells with an immense weight at each such point.
        data: the observations.
        rules: constraints.
    """
    if not len(data.through[0]):
        return found
    x = data.scale.inside(data.through[0])
    y = data.scale.inside_heights(x, data.through[1])
    exact = {k: _meeting(found.cells, fit, rules, x, y) for k, fit in found.fits.items()}
    return replace(found, fits={k: fit for k, fit in exact.items() if fit is not None})


def _meeting(cells: Cells, fit: Candidate, rules: Rules, x: Vector, y: Vector) -> Candidate | None:
    """The least-squares fit with the same kinks among those that pass through points (p,); None without any."""
    sums = rules.spans(spans(cells, fit.knots))
    columns, rows = np.eye(len(fit.knots)), tents(fit.knots, x, rules).toarray()
    if rules.shape:
        free, bounded = ramps(fit.knots, rules.shape)
        columns = np.hstack((free, bounded))
        try:
            used = _used(sums, columns, rows @ columns, y, free.shape[1])
        except (np.linalg.LinAlgError, RuntimeError):  # data do not determine the heights
            return None
        if used is None:
            return None
        columns = columns[:, used]
    solved = _constrained(sums, columns, rows @ columns, y)
    if solved is None:
        return None
    heights = rules.heights(solved)
    reached = np.abs(tents(fit.knots, x, Rules()) @ heights - y).max() <= _MISSED * max(1.0, np.abs(y).max())
    if not reached or (rules.shape and not has_shape(fit.knots, heights, rules.shape)):
        return None
    return Candidate(fit.knots, heights, max(cost_of(sums, solved), 0.0))


def tents(knots: Vector, x: Vector, rules: Rules) -> csr_array:
    """What each height (k + 1,) contributes at each place (n,); flat end pieces have the height of their kink."""
    from scipy.sparse import csr_array

    home = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    right = (x - knots[home]) / (knots[home + 1] - knots[home])
    left_home, right_home = home, home + 1
    if rules.flat_first:
        left_home = np.maximum(left_home, 1)
    if rules.flat_last:
        right_home = np.minimum(right_home, max(len(knots) - 2, int(rules.flat_first)))
    entries = (
        np.concatenate((1 - right, right)),
        (np.tile(np.arange(len(x)), 2), np.concatenate((left_home, right_home))),
    )
    return csr_array(entries, shape=(len(x), len(knots)))


def _used(sums: Spans, columns: Matrix, rows: Matrix, y: Vector, free: int) -> Mask | None:
    """Which columns the best fit on the points needs, if all but the first few must have weights of 0 or more.

    A least-distance problem, by non-negative least squares in its dual; None where no such weights meet the points.

    Source: Lawson and Hanson (1974), Solving Least Squares Problems, chapter 23.
    """
    from scipy.linalg import null_space
    from scipy.optimize import nnls

    gram, target = _equations(sums)
    start = np.linalg.lstsq(rows, y, rcond=None)[0]
    moves = null_space(rows)
    if not moves.shape[1]:
        return np.append(np.ones(free, dtype=bool), start[free:] > -_UNUSED * np.abs(start).max())
    basis = columns @ moves
    lower = np.linalg.cholesky(basis.T @ gram @ basis)
    best = np.linalg.solve(lower, basis.T @ (target - gram @ (columns @ start)))
    back = np.linalg.solve(lower, moves[free:].T).T  # weights as functions of the distance to the best
    limits = -start[free:] - back @ best
    right = np.append(np.zeros(len(best)), 1.0)
    dual, missed = nnls(np.vstack((back.T, limits)), right)
    if missed <= _UNUSED:
        return None
    apart = np.vstack((back.T, limits)) @ dual - right
    weights = start + moves @ np.linalg.solve(lower.T, best - apart[:-1] / apart[-1])
    return np.append(np.ones(free, dtype=bool), weights[free:] > _UNUSED * np.abs(weights).max())


def _equations(sums: Spans) -> tuple[Matrix, Vector]:
    """The normal equations of the heights: a symmetric matrix (k + 1, k + 1), and the right-hand side."""
    gram = np.diag(np.append(sums.aa, 0.0) + np.append(0.0, sums.bb))
    gram += np.diag(sums.ab, 1) + np.diag(sums.ab, -1)
    return gram, np.append(sums.ay, 0.0) + np.append(0.0, sums.by)


def _constrained(sums: Spans, columns: Matrix, rows: Matrix, y: Vector) -> Vector | None:
    """Heights ``columns @ w`` that minimise the sum of squares under ``rows @ w = y``, by the null space of rows."""
    from scipy.linalg import null_space

    gram, target = _equations(sums)
    start = np.linalg.lstsq(rows, y, rcond=None)[0]
    free = null_space(rows)
    if free.shape[1]:
        basis = columns @ free
        pull = basis.T @ (target - gram @ (columns @ start))
        try:
            start = start + free @ np.linalg.solve(basis.T @ gram @ basis, pull)
        except np.linalg.LinAlgError:
            return None
    return columns @ start
