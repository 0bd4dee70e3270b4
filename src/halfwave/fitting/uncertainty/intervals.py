"""How well the data determine kinks and slopes: profile likelihood, delta method, bootstrap.

A kink is no regular parameter: the sum of squares has a dent at every data point, and a weak kink may lie anywhere.
The profile of a kink asks how much the best fit with that kink elsewhere costs, all others free, and needs no
approximation; the delta method is the curvature of the smooth part, too short for weak kinks (73 to 86 % for 95 %).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.observations import Observations
from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.heights import spans
from halfwave.fitting.search.polish import Candidate, refine, solve
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import search
from halfwave.functions.double_double import Vector

__all__ = [
    "Intervals",
    "Method",
    "Problem",
    "checked",
    "delta_errors",
    "intervals_of",
    "profile_interval",
    "slope_errors",
]

Method = Literal["profile", "delta", "bootstrap"]

_WEAK = 5.0
_GROWTH = 1.6
_BISECTIONS = 12
_NEAR = 3.0  # cells around each other kink in which it is looked for again


@dataclass(frozen=True)
class Problem:
    """A finished fit in scaled coordinates and what it was fitted to."""

    data: Observations
    cells: Cells
    fit: Candidate
    rules: Rules
    inflation: float = 1.0
    """How many of the points tell as much as one independent point."""

    @property
    def freedom(self) -> float:
        """Independent points that would tell as much, minus parameters.

        These are two ends, and a place and a height for each free kink; a point to meet takes one away.
        """
        free = sum(knot not in self.rules.fixed for knot in self.fit.knots[1:-1])
        points = len(self.data.x) / self.inflation + len(self.data.through[0])
        return points - 2.0 - free - (len(self.fit.knots) - 2)

    @property
    def variance(self) -> float:
        """Estimated variance of a residual of weight 1."""
        return self.fit.cost / max(self.freedom, 1.0)


def delta_errors(problem: Problem) -> Vector:
    """Standard errors (k − 1,) of the kinks by the delta method.

    To first order the kinks are where independent lines, one a segment, meet:
    ``Var t = (Var ℓ₁(t) + Var ℓ₂(t))/(slope₂ − slope₁)²``. Infinite where the slopes are equal.
    """
    knots, heights = problem.fit.knots, problem.fit.heights
    slopes = np.diff(heights) / np.diff(knots)
    weight, centre, spread = _line_moments(problem)
    at = knots[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1 / weight[:-1] + (at - centre[:-1]) ** 2 / spread[:-1]
        right = 1 / weight[1:] + (at - centre[1:]) ** 2 / spread[1:]
        error = np.sqrt(problem.variance * (left + right)) / np.abs(np.diff(slopes))
    return np.where(np.isfinite(error), error, np.inf)


def slope_errors(problem: Problem) -> Vector:
    """Standard errors (k,) of the slopes: with free kinks those of a separate line on each segment."""
    _, _, spread = _line_moments(problem)
    with np.errstate(divide="ignore"):
        return np.sqrt(problem.variance / spread)


def _strengths(problem: Problem) -> Vector:
    """Change of slope at each kink in its standard errors (k − 1,)."""
    slopes, errors = np.diff(problem.fit.heights) / np.diff(problem.fit.knots), slope_errors(problem)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.abs(np.diff(slopes)) / np.hypot(errors[:-1], errors[1:]), nan=np.inf)


def _line_moments(problem: Problem) -> tuple[Vector, Vector, Vector]:
    """Weight, mean x and Σ w (x − mean)² of each segment."""
    sums, knots = spans(problem.cells, problem.fit.knots), problem.fit.knots
    weight = sums.aa + 2 * sums.ab + sums.bb
    safe = np.where(weight > 0, weight, 1.0)
    at_right = (sums.ab + sums.bb) / safe
    length = np.diff(knots)
    spread = np.maximum(sums.bb - safe * at_right**2, 0.0) * length**2
    return weight, knots[:-1] + at_right * length, spread


def profile_interval(problem: Problem, index: int, level: float = 0.95) -> tuple[float, float]:
    """Where kink ``index`` may lie, in scaled coordinates: the profile of the sum of squares up to its threshold.

    The threshold is ``SSE (1 + c F/ν)`` with the quantile F of Fisher's distribution of 1 and ν degrees of freedom.
    The sum of squares is not quite quadratic where a kink is weak: ``c = 1 + 5/z²``, at most 2.5, with z the change
    of slope in its standard errors, brings the coverage from 91 to 95 % at z ≈ 5 and leaves strong kinks alone.
    Ends at −1 or 1 mean that the data do not bound the kink on that side.

    Source: Venzon and Moolgavkar (1988), Applied Statistics 37, 87-94.
    """
    from scipy.special import fdtri

    freedom = max(problem.freedom, 1.0)
    strength = float(np.clip(_strengths(problem)[index], 1e-6, 1e6))
    weakness = min(1 + _WEAK / strength**2, 2.5)
    limit = float(problem.fit.cost) * (1 + weakness * float(fdtri(1, freedom, level)) / freedom)
    if problem.fit.knots[index + 1] in problem.rules.fixed:
        return float(problem.fit.knots[index + 1]), float(problem.fit.knots[index + 1])
    step = min(float(delta_errors(problem)[index]), 0.05)
    return _end(problem, index, limit, -1.0, step), _end(problem, index, limit, 1.0, step)


def _end(problem: Problem, index: int, limit: float, direction: float, step: float) -> float:
    """Where the profile first exceeds the limit, going one way from the optimum."""
    inside, place = problem.fit, float(problem.fit.knots[index + 1])
    spacing = 2.0 / max(len(problem.cells), 2)
    step = max(step / 2, 0.25 * spacing)
    while True:
        tried = place + direction * step
        if abs(tried) >= 1.0:
            tried = direction * (1.0 - 0.5 * (1.0 - direction * place))
            if 1.0 - direction * place < spacing:
                return direction
        found = _with_kink_at(problem, inside, index, tried, limit)
        if found is None or found.cost > limit:
            break
        inside, place, step = found, tried, step * _GROWTH
    outside = tried
    for _ in range(_BISECTIONS):
        middle = (place + outside) / 2
        found = _with_kink_at(problem, inside, index, middle, None)
        if found is not None and found.cost <= limit:
            inside, place = found, middle
        else:
            outside = middle
    return place


def _with_kink_at(
    problem: Problem, start: Candidate, index: int, place: float, limit: float | None
) -> Candidate | None:
    """The best fit found whose kink ``index`` is at a place; None if the rules have none.

    From a neighbouring fit first; where that is above the limit, a search over the whole range decides.
    """
    rules = replace(problem.rules, fixed=tuple(sorted((*problem.rules.fixed, place))))
    knots = start.knots.copy()
    knots[index + 1] = place
    local = solve(problem.cells, knots, rules) if (np.diff(knots) > 0).all() else None
    if local is not None:
        local = refine(problem.cells, local, rules, _NEAR, _NEAR)
    if limit is None or (local is not None and local.cost <= limit):
        return local
    segments = len(knots) - 1
    found = search(problem.data, rules, [segments], cells=problem.cells).fits.get(segments)
    if found is not None and int(np.searchsorted(found.knots, place)) == index + 1:
        return found if local is None or found.cost < local.cost else local
    return local


def bootstrap(problem: Problem, resamples: int, seed: int) -> tuple[Vector, Vector]:
    """Kinks (resamples, k − 1) and slopes (resamples, k) of fits to the fitted values plus resampled residuals."""
    rng = np.random.default_rng(seed)
    x, y, weight = problem.data.scaled()
    fitted = np.interp(x, problem.fit.knots, problem.fit.heights)
    root = np.sqrt(weight)
    residual = (y - fitted) * root
    residual = (residual - residual.mean()) * np.sqrt(len(x) / max(problem.freedom, 1.0))
    segments, scale = len(problem.fit.knots) - 1, problem.data.scale
    kinks, slopes = [], []
    for _ in range(resamples):
        again = fitted + rng.choice(residual, len(residual)) / root
        data = replace(problem.data, y=scale.outside_heights(x, again))
        found = search(data, problem.rules, [segments]).fits.get(segments)
        if found is not None:
            kinks.append(found.knots[1:-1])
            slopes.append(np.diff(found.heights) / np.diff(found.knots))
    return np.array(kinks), np.array(slopes)


@dataclass(frozen=True)
class Intervals:
    """Confidence intervals of kinks and slopes, in the units of the data.

    Attributes:
        level: the nominal coverage of each interval.
        method: how those of the kinks were found.
        kinks: low and high end for each kink (k, 2); an end of the data means not bounded on that side.
        slopes: low and high end for the slope of each piece (k + 1, 2).
    """

    level: float
    method: str
    kinks: Vector
    slopes: Vector


def intervals_of(
    problem: Problem, level: float = 0.95, method: Method | None = None, resamples: int = 200, seed: int = 0
) -> Intervals:
    """Intervals of all kinks and slopes of a fit, in the units of the data.

    Args:
        problem: the fit.
        level: nominal coverage, inside (0, 1).
        method: "profile" (profile likelihood; slopes by the delta method), "delta" or "bootstrap" (residuals
            resampled, percentiles; for data of up to some 10,000 points); "profile" by default.
        resamples: of the bootstrap, at least 20.
        seed: of the bootstrap.

    Raises:
        HalfwaveError: if an option breaks its rule.
    """
    from scipy.special import stdtrit

    method = checked(level, method or "profile", resamples)
    knots, count = problem.fit.knots, len(problem.fit.knots) - 2
    slopes = np.diff(problem.fit.heights) / np.diff(knots)
    reach = stdtrit(max(problem.freedom, 1.0), (1 + level) / 2)
    low_high = np.array([-1.0, 1.0])
    slope_ends = slopes[:, None] + reach * slope_errors(problem)[:, None] * low_high
    if method == "profile":
        ends = np.array([profile_interval(problem, i, level) for i in range(count)]).reshape(-1, 2)
    elif method == "delta":
        free = np.array([knot not in problem.rules.fixed for knot in knots[1:-1]], dtype=float)
        errors = np.where(free > 0, delta_errors(problem), 0.0)
        ends = np.clip(knots[1:-1, None] + reach * errors[:, None] * low_high, -1.0, 1.0)
    else:
        percent = 50 * (1 + level * low_high)
        kinks, drawn = bootstrap(problem, resamples, seed)
        ends = np.percentile(kinks, percent, axis=0).T.reshape(-1, 2)
        slope_ends = np.percentile(drawn, percent, axis=0).T
    scale = problem.data.scale
    return Intervals(
        float(level), method, scale.outside(ends), (scale.slope + scale.y_unit * slope_ends) / scale.x_unit
    )


def checked(level: float, method: object, resamples: object) -> Method:
    """The method, once the options keep their rules, or HalfwaveError."""
    if not isinstance(level, (int, float)) or not 0 < level < 1:
        raise HalfwaveError(f"`level` of intervals must be inside (0, 1); got {level!r}")
    if method not in get_args(Method):
        raise HalfwaveError(
            f'`method` of intervals must be "profile", "delta" or "bootstrap"; got {method!r}'
        )
    if not isinstance(resamples, int) or resamples < 20:
        raise HalfwaveError(f"`resamples` of intervals must be an integer of at least 20; got {resamples!r}")
    return method  # pyright: ignore[reportReturnType]
