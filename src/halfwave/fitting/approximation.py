"""The best approximation of a known function by a line and k ReLUs, in the mean square over an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.fit_result import Certificate
from halfwave.fitting.request import whole_number
from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.dynamic_programme import optimal_knots
from halfwave.fitting.search.grid import candidates
from halfwave.fitting.search.polish import Candidate, refine, solve
from halfwave.fitting.search.rules import Rules
from halfwave.functions import PiecewiseLinear, from_points
from halfwave.functions.checks import finite_number, positive_number
from halfwave.functions.double_double import Vector

_CELLS = 2048
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(6)
_ZOOMS = 3
_SPLIT = 32  # parts of each cell around a kink, at each zoom
_SAMPLES = 16  # points in each cell at which the largest error is looked for
_RULES = Rules(min_points=1)


@dataclass(frozen=True, slots=True)
class Approximation:
    """The best approximation found with k kinks."""

    function: PiecewiseLinear
    """A line and k ReLUs."""
    kinks: Vector
    """Where its kinks are (k,)."""
    l2_error: float
    """``(∫ from a to b of (f − function)²)^½``."""
    largest_error: float
    """The largest ``|f − function|`` at some 30,000 points."""
    certificate: Certificate
    """Whether it is optimal on the grid of candidate kinks; `grid_sse` is the integral of the square there."""


def approximate(
    f: Callable[[Any], Any],
    a: float,
    b: float,
    kinks: int | None = None,
    *,
    tolerance: float | None = None,
    max_kinks: int = 64,
    use_numba: bool | None = None,
) -> Approximation:
    """The continuous piecewise-linear function with k kinks that minimises ``∫ from a to b of (f − g)²``.

    Integrals take the place of the sums of `fit_relu_sum`: six-point Gauss quadrature on 2048 cells, cut at
    the kinks of a `PiecewiseLinear`, for which they are exact.

    Args:
        f: a `PiecewiseLinear`, or a function of arrays (n,) that returns arrays (n,).
        a: left end, finite.
        b: right end, finite, above a.
        kinks: how many; or else
        tolerance: the `l2_error` to reach, with as few kinks as that takes; positive.
        max_kinks: where the search for the tolerance gives up.
        use_numba: whether to run the compiled kernel; by default where a fit has loaded it.

    Raises:
        HalfwaveError: if not exactly one of `kinks` and `tolerance` is given, the interval is empty or not
            finite, f is not finite on it, or the tolerance needs more than `max_kinks` kinks.

    Source: the dynamic programme of `fit_relu_sum`, with integrals as in Åström, Fält and Bernhardsson's
    EllZeroTrendFiltering.

    >>> round(approximate(np.abs, -1, 1, kinks=1).l2_error, 9), len(approximate(np.sin, 0, 6, tolerance=0.1).kinks)
    (0.0, 4)
    """
    low, high = finite_number("`a`", a), finite_number("`b`", b)
    if not low < high:
        raise HalfwaveError(f"`a` must be below `b`; got {low!r} and {high!r}")
    if (kinks is None) == (tolerance is None):
        raise HalfwaveError(f"give either `kinks` or `tolerance`; got {kinks!r} and {tolerance!r}")
    target = _Target(f, low, high)
    if kinks is not None:
        return _best(target, [whole_number("kinks", kinks, 0)], None, use_numba)
    goal, most = positive_number("`tolerance`", tolerance), whole_number("max_kinks", max_kinks, 0)
    first, last = 0, min(7, most)
    while True:
        # Each run of the programme gives all numbers of kinks up to its last.
        found = _best(target, list(range(first, last + 1)), goal, use_numba)
        if found.l2_error <= goal:
            return found
        if last == most:
            raise HalfwaveError(
                f"`tolerance` {goal!r} needs more than max_kinks={most} kinks; with {most} the error is "
                f"{found.l2_error:.6g}"
            )
        first, last = last + 1, min(2 * last + 1, most)


class _Target:
    """The function on [−1, 1], scaled to a largest value of 1, with its moments over cells."""

    def __init__(self, f: Callable[[Any], Any], low: float, high: float) -> None:
        self.f, self.low, self.high = f, low, high
        self.edges = np.linspace(-1.0, 1.0, _CELLS + 1)
        if isinstance(f, PiecewiseLinear):
            inside = f.kinks[(f.kinks > low) & (f.kinks < high)]
            self.edges = np.unique(np.concatenate((self.edges, self.inside(inside))))
        self.unit = 1.0
        self.unit = float(np.abs(self.values(self.edges)).max()) or 1.0

    def inside(self, x: Vector) -> Vector:
        return (2 * x - (self.low + self.high)) / (self.high - self.low)

    def outside(self, x: Vector) -> Vector:
        return np.where(
            np.abs(x) == 1,
            np.where(x < 0, self.low, self.high),
            self.low + (x + 1) / 2 * (self.high - self.low),
        )

    def values(self, x: Vector) -> Vector:
        """f at scaled x of any shape, divided by the unit."""
        at = self.outside(x.ravel())
        found = np.asarray(self.f(at), dtype=np.float64)
        if found.shape != at.shape:
            raise HalfwaveError(
                f"`f` must return an array of the shape it is given, {at.shape}; got {found.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(found))
        if bad.size:
            raise HalfwaveError(
                f"`f` must be finite on the interval; got {found[bad[0]]!r} at {at[bad[0]]!r}"
            )
        return found.reshape(x.shape) / self.unit

    def cells(self, edges: Vector) -> Cells:
        """Moments over the cells between scaled edges (c + 1,)."""
        half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
        offset = half[:, None] * _NODES
        share = half[:, None] * _NODE_WEIGHTS
        y = self.values(middle[:, None] + offset)
        mean = (share * y).sum(axis=1) / (2 * half)
        away = y - mean[:, None]
        return Cells(
            edges[:-1], 2 * half, middle, mean, 2 * half**3 / 3,
            (share * offset * away).sum(axis=1), (share * away**2).sum(axis=1), np.ones_like(half),
        )  # fmt: skip


def _best(target: _Target, counts: list[int], goal: float | None, use_numba: bool | None) -> Approximation:
    """The first of these numbers of kinks that meets the goal, or the last one."""
    cells = target.cells(target.edges)
    grid = candidates(cells, np.zeros(0))
    optima = optimal_knots(_RULES.table(cells, grid), [k + 1 for k in counts], use_numba)
    if counts[-1] + 1 not in optima:
        raise HalfwaveError(
            f"the number of kinks must be at most {len(grid) - 2}, the candidates of the grid; got {counts[-1]}"
        )

    def polished(k: int) -> Approximation:
        optimum = optima[k + 1]
        start = solve(cells, grid[optimum.knots], _RULES)
        assert start is not None  # the programme found it feasible
        fit = _zoomed(target, refine(cells, start, _RULES, 1.5 * len(cells) / len(grid), 1.0))
        scale = (target.high - target.low) / 2 * target.unit**2
        return _report(target, fit, Certificate(optimum.is_optimal, len(grid), optimum.cost * scale))

    best = polished(counts[-1])
    if goal is None or best.l2_error > goal:
        return best
    few, many = 0, len(counts) - 1  # the error falls with every kink: bisect
    while few < many:
        middle = (few + many) // 2
        tried = polished(counts[middle])
        if tried.l2_error <= goal:
            best, many = tried, middle
        else:
            few = middle + 1
    return best


def _zoomed(target: _Target, fit: Candidate) -> Candidate:
    """The fit with ever smaller cells around its kinks, until cells that a kink cuts no longer matter."""
    edges = target.edges
    for _ in range(_ZOOMS if len(fit.knots) > 2 else 0):
        home = np.searchsorted(edges, fit.knots[1:-1], side="right") - 1
        near = np.unique(np.clip(home[:, None] + np.arange(-1, 2), 0, len(edges) - 2))
        parts = edges[near, None] + np.diff(edges)[near, None] * np.arange(1, _SPLIT) / _SPLIT
        edges = np.unique(np.concatenate((edges, parts.ravel())))
        cells = target.cells(edges)
        fit = refine(cells, solve(cells, fit.knots, _RULES) or fit, _RULES, _SPLIT / 2, 1.0)
    return fit


def _report(target: _Target, fit: Candidate, proof: Certificate) -> Approximation:
    """The approximation in the user's units, with heights and errors from cells cut at its kinks."""
    edges = np.unique(np.concatenate((target.edges, fit.knots)))
    exact = solve(target.cells(edges), fit.knots, _RULES) or fit
    knots = target.outside(exact.knots)
    function = from_points(knots, exact.heights * target.unit)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    at = middle[:, None] + half[:, None] * _NODES
    gap = target.values(at) - np.interp(at, exact.knots, exact.heights)
    square = float((half[:, None] * _NODE_WEIGHTS * gap**2).sum())
    error = math.sqrt(square * (target.high - target.low) / 2) * target.unit
    dense = np.linspace(edges[:-1], edges[1:], _SAMPLES)
    largest = (
        float(np.abs(target.values(dense) - np.interp(dense, exact.knots, exact.heights)).max()) * target.unit
    )
    return Approximation(function, knots[1:-1], error, largest, proof)
