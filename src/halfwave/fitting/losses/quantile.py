"""Fits of a quantile: the check loss instead of squares.

At given kinks the best fit is a linear programme, solved exactly. The kinks are found by squares whose weights and
targets follow the loss from above, and then moved while the exact loss falls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack

from halfwave.errors import HalfwaveError
from halfwave.fitting.observations import Observations, Scale
from halfwave.fitting.search.cells import Indices, cells_of
from halfwave.fitting.search.meeting import tents
from halfwave.fitting.search.polish import Candidate
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import search
from halfwave.fitting.search.segment_table import Mask
from halfwave.fitting.search.shape import ramps
from halfwave.fitting.uncertainty.intervals import Intervals, Method, checked
from halfwave.functions.double_double import Vector

__all__ = ["QuantileProblem", "check_loss", "fit_quantiles", "influence", "moved", "quantile_intervals"]

_ROUNDS = 9
_APPROACHES = 8
_SHARPER = 0.35  # factor on the smoothing from one round to the next
_ALL_POINTS = 600  # up to so many points the programme sees each one; of more, those near the fit
_NEAR_POINTS = 10.0  # times the root of n, of the points near the fit
_WORTH = 1e-8
_NOTHING = 1e-13  # a mean loss, scaled, that is rounding alone
_STEPS_UP_TO = 3000  # points; among more the kinks are moved one by one only
_MANY = 20_000  # points from which squares alone start, and kinks are moved twice at most
_STEPS = 12
_PLACES = 24
_REACHES = (64.0, 16.0, 4.0, 1.0, 0.25)  # in different x, a thousand of them, by which single kinks are moved


def influence(residuals: Vector, quantile: float) -> Vector:
    """The derivative of the check loss (n,); where residuals are independent, so is this, with mean 0."""
    return np.where(residuals > 0, quantile, np.where(residuals < 0, quantile - 1, 0.0))


def check_loss(residuals: Vector, quantile: float, weights: Vector | None = None) -> float:
    """``Σ w max(q r, (q − 1) r)`` over residuals (n,).

    Source: Koenker and Bassett (1978), Econometrica 46, 33-50.

    >>> check_loss(np.array([-1.0, 2.0]), 0.25)
    1.25
    """
    loss = np.maximum(quantile * residuals, (quantile - 1) * residuals)
    return float((loss if weights is None else weights * loss).sum())


@dataclass(frozen=True)
class QuantileProblem:
    """Data in scaled coordinates, sorted by x, and what the fit must obey."""

    x: Vector  # (n,)
    y: Vector
    weights: Vector
    through: tuple[Vector, Vector]  # points to meet (p,)
    distinct: Vector  # the different x, sorted
    rules: Rules
    quantile: float

    @classmethod
    def of(cls, data: Observations, rules: Rules, quantile: float) -> QuantileProblem:
        """The problem of some observations."""
        x, y, weights = data.scaled()
        order = np.argsort(x, kind="stable")
        met = data.scale.inside(data.through[0])
        return cls(
            x[order],
            y[order],
            weights[order],
            (met, data.scale.inside_heights(met, data.through[1])),
            np.unique(np.concatenate((x, met))),
            rules,
            quantile,
        )

    def resampled(self, times: Indices) -> QuantileProblem:
        """The problem in which point i counts ``times[i]`` times, (n,)."""
        drawn = times > 0
        return replace(self, x=self.x[drawn], y=self.y[drawn], weights=self.weights[drawn] * times[drawn])

    def loss(self, knots: Vector, heights: Vector) -> float:
        """The check loss of a fit with knots and heights (k + 1,)."""
        return check_loss(self.y - np.interp(self.x, knots, heights), self.quantile, self.weights)

    def solve(self, knots: Vector, near: Vector | None = None) -> Candidate | None:
        """The best fit at given knots (k + 1,), by linear programming; None where the rules forbid them.

        Args:
            knots: ends and kinks.
            near: heights of a fit near the best one; large data need it, which tells most points' sides.
        """
        if not self._allowed(knots):
            return None
        columns, bounded = self._columns(knots)
        rows = tents(knots, self.x, self.rules)
        total = rows.T @ self.weights * (1 - self.quantile)
        count = len(self.x) if near is None else max(_ALL_POINTS, int(_NEAR_POINTS * len(self.x) ** 0.5))
        residuals = self.y
        if near is not None and count < len(self.x):
            residuals = residuals - np.interp(self.x, knots, self._approached(knots, near, rows))
        while True:
            open_ones = _nearest(residuals, count)
            heights = self._programme(knots, rows, total, open_ones, residuals, (columns, bounded))
            if heights is None and open_ones.all():
                return None
            # Points that were taken to lie above or below the fit must do so; else look near the better fit.
            if heights is not None:
                now = self.y - np.interp(self.x, knots, heights)
                if ((now >= 0) == (residuals >= 0))[~open_ones].all():
                    return Candidate(knots, heights, self.loss(knots, heights))
                residuals = now
            count *= 4 if heights is None else 2

    def _approached(self, knots: Vector, near: Vector, rows: csr_array) -> Vector:
        """Heights nearer to the best ones, by squares that bound the smoothed loss from above."""
        heights = near
        smooth = float(np.median(np.abs(self.y - np.interp(self.x, knots, heights))))
        for _ in range(_APPROACHES):
            size = np.abs(self.y - np.interp(self.x, knots, heights))
            width = 2 * (size + max(smooth, np.finfo(np.float64).tiny))
            heavy = rows.multiply((self.weights / width)[:, None])
            target = heavy.T @ (self.y + (self.quantile - 0.5) * width)
            heights = self.rules.heights(np.linalg.lstsq((heavy.T @ rows).toarray(), target, rcond=None)[0])
            smooth *= _SHARPER
        return heights

    def _programme(
        self,
        knots: Vector,
        rows: csr_array,
        total: Vector,
        open_ones: Mask,
        residuals: Vector,
        unknowns: tuple[csr_array, Mask],
    ) -> Vector | None:
        """Heights (k + 1,) from the dual programme: as many equations as unknowns, a bounded variable a point.

        Source: Koenker (2005), Quantile Regression, section 6.1.
        """
        columns, bounded = unknowns
        above = ~open_ones & (residuals >= 0)
        met, levels = self.through
        pins = tents(knots, met, self.rules)
        target = columns.T @ (total - rows[above].T @ self.weights[above])
        matrix = hstack([(rows[open_ones] @ columns).T, (pins @ columns).T])
        weights = self.weights[open_ones]
        free = [(None, None)] * len(met)
        solved = linprog(
            -np.concatenate((self.y[open_ones], levels)),
            A_eq=matrix.tocsr()[~bounded],
            b_eq=target[~bounded],
            A_ub=matrix.tocsr()[bounded] if bounded.any() else None,
            b_ub=target[bounded] if bounded.any() else None,
            bounds=[*zip(np.zeros_like(weights), weights, strict=True), *free],
            method="highs",
        )
        if solved.status != 0:
            return None
        unknown = np.zeros(len(bounded))
        unknown[~bounded] = -solved.eqlin.marginals
        if bounded.any():
            unknown[bounded] = -solved.ineqlin.marginals
        return self.rules.heights(columns @ unknown)

    def _columns(self, knots: Vector) -> tuple[csr_array, Mask]:
        """Heights (k + 1, p) that unknowns make, and which unknowns must not be negative."""
        if self.rules.shape:
            free, bounded = ramps(knots, self.rules.shape)
            return csr_array(np.hstack((free, bounded))), np.arange(
                free.shape[1] + bounded.shape[1]
            ) >= free.shape[1]
        # A flat piece's outer height is its inner one: no unknown of its own.
        first = int(self.rules.flat_first)
        last = max(len(knots) - int(self.rules.flat_last), first + 1)
        return csr_array(np.eye(len(knots))[:, first:last]), np.zeros(last - first, dtype=bool)

    def _allowed(self, knots: Vector) -> bool:
        if not (np.diff(knots) >= max(self.rules.min_length * (1 - 1e-12), 1e-12)).all():
            return False
        first = np.searchsorted(self.distinct, knots[:-1], side="left")
        last = np.searchsorted(self.distinct, knots[1:], side="right")
        return bool((last - first >= self.rules.min_points).all())


def _nearest(residuals: Vector, count: int) -> Mask:
    """The points with the smallest residuals."""
    chosen = np.ones(len(residuals), dtype=bool)
    if count < len(residuals):
        chosen[np.argpartition(np.abs(residuals), count)[count:]] = False
    return chosen


def fit_quantiles(
    data: Observations,
    rules: Rules,
    segments: int,
    quantile: float,
    use_numba: bool | None = None,
    thorough: bool = True,
) -> dict[int, Candidate]:
    """Fits of one quantile with up to so many segments; their costs are check losses, scaled.

    Each number of kinks starts from squares that bound the loss, and from the fit with a kink less.

    Args:
        data: the observations.
        rules: constraints.
        segments: the largest number of segments.
        quantile: q, inside (0, 1): of the residuals a part q lies below the fit.
        use_numba: as for `search`.
        thorough: whether to move the kinks of the largest fit until nothing helps; those of all others are moved
            once.

    Returns:
        The fits by their number of segments, without those that the rules forbid.

    Source: bounds from above by Hunter and Lange (2000), J. Comput. Graph. Stat. 9, 60-77.
    """
    problem = QuantileProblem.of(data, rules, quantile)
    fits: dict[int, Candidate] = {}
    for k in range(len(rules.fixed) + 1, segments + 1):
        rounds = list(_by_squares(data, rules, k, quantile, use_numba))
        # Among many points the last rounds are as sharp as the loss itself.
        squares = (
            problem.solve(start.knots, start.heights)
            for start in (rounds if len(problem.x) < _MANY else rounds[-2:])
        )
        starts = [_best(squares)]
        smaller = fits.get(k - 1)
        if smaller is not None and len(problem.x) < _MANY:
            starts.append(_best(_grown(problem, smaller)))
        passes = _STEPS if thorough and k == segments else 1
        if smaller is not None and smaller.cost <= _NOTHING * problem.weights.sum():
            passes = 0  # there is nothing left to gain
        found = _best(moved(problem, start, passes) for start in starts if start is not None)
        if found is not None:
            fits[k] = found
    return fits


def _best(fits: Iterable[Candidate | None]) -> Candidate | None:
    return min((fit for fit in fits if fit is not None), key=lambda fit: fit.cost, default=None)


def _grown(problem: QuantileProblem, fit: Candidate) -> Iterator[Candidate | None]:
    """Fits with a kink more, at evenly spread points."""
    places = np.unique(np.linspace(0, len(problem.distinct) - 1, _PLACES + 2).astype(np.intp)[1:-1])
    for place in problem.distinct[places]:
        if place not in fit.knots:
            knots = np.sort(np.append(fit.knots, place))
            yield problem.solve(knots, np.interp(knots, fit.knots, fit.heights))


def _by_squares(
    data: Observations, rules: Rules, segments: int, quantile: float, use_numba: bool | None
) -> Iterator[Candidate]:
    """Fits by squares that lie on the smoothed loss from above, ever less smooth."""
    x, y, weights = data.scaled()
    current, smooth = data, None
    for _ in range(_ROUNDS):
        fit = search(current, rules, [segments], use_numba, cells_of(current), thorough=False).fits.get(
            segments
        )
        if fit is None:
            return
        yield fit
        residuals = y - np.interp(x, fit.knots, fit.heights)
        size = np.abs(residuals)
        smooth = float(np.median(size)) or float(size.max()) or 1.0 if smooth is None else smooth * _SHARPER
        # |r| ≤ r²/2s + s/2 at s = |r|, and the slanted part of the loss moves the target.
        width = 2 * (size + smooth)
        target = y + (quantile - 0.5) * width
        current = replace(data, y=data.scale.outside_heights(x, target), weights=weights / width)


def moved(problem: QuantileProblem, fit: Candidate, passes: int = _STEPS) -> Candidate:
    """The fit after moves of its kinks, as long as the exact loss falls."""
    for _ in range(passes if len(problem.x) < _MANY else min(passes, 2)):
        before = fit.cost
        fit = _stepped(problem, fit)
        for reach in _REACHES:
            fit = _shifted(problem, fit, reach * max(1.0, len(problem.distinct) / 1000))
        if before - fit.cost <= _WORTH * before:
            break
    return fit


def _movable(problem: QuantileProblem, fit: Candidate) -> list[int]:
    return [i for i in range(1, len(fit.knots) - 1) if fit.knots[i] not in problem.rules.fixed]


def _shifted(problem: QuantileProblem, fit: Candidate, reach: float) -> Candidate:
    """The best after moving each kink alone, by so many different x, to either side."""
    rank = np.arange(len(problem.distinct), dtype=float)
    for i in _movable(problem, fit):
        for way in (reach, -reach):
            knots = fit.knots.copy()
            place = np.interp(knots[i], problem.distinct, rank) + way
            knots[i] = np.interp(place, rank, problem.distinct)
            tried = _tried(problem, knots, fit)
            fit = fit if tried is None else tried
    return fit


def _tried(problem: QuantileProblem, knots: Vector, fit: Candidate) -> Candidate | None:
    """The fit at other knots, if it is better."""
    if not (np.diff(knots) > 0).all():
        return None
    found = problem.solve(knots, np.interp(knots, fit.knots, fit.heights))
    return found if found is not None and found.cost < fit.cost else None


def _stepped(problem: QuantileProblem, fit: Candidate) -> Candidate:
    """The best fit along the step of a programme in which the kinks move too, to first order.

    Moving kink j by δ adds ``−w_j δ`` right of it, w_j being its change of slope: one more column a kink.

    Source: Muggeo (2003), Statist. Med. 22, 3055-3071, with the check loss in the place of squares.
    """
    movable = _movable(problem, fit)
    if not movable or problem.rules.shape or len(problem.x) > _STEPS_UP_TO:
        return fit
    slopes = np.diff(fit.heights) / np.diff(fit.knots)
    bends = np.diff(slopes)[np.array(movable) - 1]
    rows = vstack(
        [tents(fit.knots, problem.x, problem.rules), tents(fit.knots, problem.through[0], problem.rules)]
    )
    steps = -bends * (np.concatenate((problem.x, problem.through[0]))[:, None] > fit.knots[movable])
    matrix = hstack([rows, csr_array(steps)]).tocsr()
    count = len(problem.x)
    weights = problem.weights
    solved = linprog(
        -np.concatenate((problem.y, problem.through[1])),
        A_eq=matrix.T.tocsr(),
        b_eq=(1 - problem.quantile) * (matrix[:count].T @ weights),
        bounds=[
            *zip(np.zeros_like(weights), weights, strict=True),
            *[(None, None)] * len(problem.through[0]),
        ],
        method="highs",
    )
    if solved.status != 0:
        return fit
    step = np.zeros(len(fit.knots))
    step[movable] = -solved.eqlin.marginals[len(fit.knots) :]
    room = np.diff(fit.knots)
    step[1:-1] = np.clip(step[1:-1], -0.9 * room[:-1], 0.9 * room[1:])
    for length in (1.0, 0.5, 0.2, 0.05):
        tried = _tried(problem, fit.knots + length * step, fit)
        if tried is not None:
            return tried
    return fit


def quantile_intervals(
    problem: QuantileProblem,
    fit: Candidate,
    scale: Scale,
    level: float = 0.95,
    method: Method | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of kinks and slopes from fits to resampled points.

    Args:
        problem: the data.
        fit: to them.
        scale: that brings both to the user's units.
        level: nominal coverage, inside (0, 1).
        method: "bootstrap", which is all there is for quantiles.
        resamples: at least 20.
        seed: of the resampling.

    Raises:
        HalfwaveError: if an option breaks its rule.

    Source: Koenker (2005), Quantile Regression, section 3.9.
    """
    if checked(level, method or "bootstrap", resamples) != "bootstrap":
        raise HalfwaveError(f"`method` of intervals must be 'bootstrap' for loss='quantile'; got {method!r}")
    rng, count = np.random.default_rng(seed), len(problem.x)
    kinks, slopes = [], []
    for _ in range(resamples):
        times = rng.multinomial(count, np.full(count, 1 / count))
        again = problem.resampled(times)
        start = again.solve(fit.knots, fit.heights)
        if start is None:
            continue
        found = moved(again, start, passes=1)
        kinks.append(found.knots[1:-1])
        slopes.append(np.diff(found.heights) / np.diff(found.knots))
    percent = 50 * (1 + level * np.array([-1.0, 1.0]))
    ends = np.percentile(np.array(kinks), percent, axis=0).T.reshape(-1, 2)
    slope_ends = np.percentile(np.array(slopes), percent, axis=0).T
    in_units = (scale.slope + scale.y_unit * slope_ends) / scale.x_unit
    return Intervals(float(level), "bootstrap", scale.outside(ends), in_units)
