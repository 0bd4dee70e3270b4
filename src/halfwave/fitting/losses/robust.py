"""Losses other than squares: Huber's and Tukey's by iteratively reweighted least squares, and quantiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from halfwave.fitting.assemble import as_function, resolution
from halfwave.fitting.criteria import inflation_of, is_correlated, strongest_kink, warn_of_correlation
from halfwave.fitting.fit_result import Certificate, FitRow, sum_of_squares
from halfwave.fitting.losses.quantile import (
    QuantileProblem,
    check_loss,
    fit_quantiles,
    influence,
    moved,
    quantile_intervals,
)
from halfwave.fitting.observations import Observations
from halfwave.fitting.request import Wanted, no_fit
from halfwave.fitting.search.cells import POINTS, Cells, cells_of, zoomed
from halfwave.fitting.search.meeting import met
from halfwave.fitting.search.polish import Candidate, refine, solve
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import compiled, search
from halfwave.fitting.selection import autocorrelation
from halfwave.fitting.uncertainty.intervals import Problem, intervals_of
from halfwave.functions.double_double import Vector

# 95 % efficiency for normal noise: Holland and Welsch (1977), Comm. Statist. A6, 813-827.
_HUBER, _TUKEY = 1.345, 4.685
_CONSISTENT = 1.4826  # median absolute deviation to standard deviation, for normal noise
_LEAST = 1e-8  # no point is lost altogether: segments must keep data
_GLOBAL_ROUNDS = 6  # with a new search; outliers can hide a kink at first
_LOCAL_ROUNDS = 50
_STILL = 1e-3  # of half the range of x: kinks that a new search moves by less are near their end
_ROUNDS_IN_ALL = 8  # in the estimate of what compiling saves
_SETTLED = 1e-7


@dataclass(frozen=True)
class _Fitted:
    """A fit with one number of kinks: by which weights, on which cells, and its row without criteria."""

    data: Observations
    cells: Cells
    fit: Candidate
    row: FitRow


def robust_fit(data: Observations, rules: Rules, asked: Wanted) -> dict[str, Any]:
    """The fields of a result whose loss is not squares."""
    fewest = len(rules.fixed)
    every = list(range(fewest + 1, asked.most + 2))
    segments = every if asked.automatic else [asked.most + 1]
    rounds = _ROUNDS_IN_ALL * sum(segments)
    asked = replace(asked, use_numba=compiled.wanted(asked.use_numba, min(len(data.x), POINTS), rounds))
    made = _fits(data, rules, segments, asked)
    if not made:
        raise no_fit(fewest if asked.automatic else asked.most, rules, data)
    chosen = list(made)[-1]
    told = _with_criteria(data, made, asked, len(data.x))
    if asked.automatic:
        told, chosen = _chosen(data, made, asked)
        if asked.loss == "quantile":
            made[chosen] = _polished(data, rules, made[chosen], asked)
            told[chosen] = replace(made[chosen].row, criteria=told[chosen].criteria)
        table = partial(tuple, told.values())
    else:
        table = partial(_all_rows, data, rules, every, asked)
    row, best = told[chosen], made[chosen]
    rho = autocorrelation(data, row.function, _influence(asked))
    return {
        "function": row.function,
        "kinks": row.kinks,
        "sse": row.sse,
        "loss_value": row.loss_value,
        "certificate": row.certificate,
        "_correlation": partial(float, rho),
        "weights": best.data.weights_as_given(),
        "_rows": table,
        "_bound": partial(float, 0.0),
        "_intervals": _intervals_of(data, best, rules, asked, rho),
    }


def _intervals_of(
    data: Observations, best: _Fitted, rules: Rules, asked: Wanted, rho: float
) -> Callable[..., Any]:
    if asked.loss == "quantile":
        return partial(
            quantile_intervals, QuantileProblem.of(data, rules, asked.quantile), best.fit, data.scale
        )
    inflation = inflation_of(rho, len(data.x)) if asked.correlation == "correct" else 1.0
    return partial(intervals_of, Problem(best.data, best.cells, best.fit, rules, inflation))


def _polished(data: Observations, rules: Rules, fitted: _Fitted, asked: Wanted) -> _Fitted:
    """The fit of a quantile with its kinks moved until nothing helps, which leaves the criteria as they are."""
    better = moved(QuantileProblem.of(data, rules, asked.quantile), fitted.fit)
    return _row_of(data, data, fitted.cells, better, asked)


def _influence(asked: Wanted) -> Callable[[Vector], Vector]:
    """The derivative of the loss."""
    if asked.loss == "quantile":
        return partial(influence, quantile=asked.quantile)
    weigh = _weight_function(asked.loss)
    return lambda residuals: residuals * weigh(residuals)


def _all_rows(data: Observations, rules: Rules, segments: list[int], asked: Wanted) -> tuple[FitRow, ...]:
    made = _fits(data, rules, segments, asked)
    return tuple(_with_criteria(data, made, asked, len(data.x)).values())


def _chosen(data: Observations, made: dict[int, _Fitted], asked: Wanted) -> tuple[dict[int, FitRow], int]:
    """The rows with their criteria, and the number of segments that the criterion prefers."""
    count = len(data.x)
    rho = autocorrelation(data, made[max(made)].row.function, _influence(asked))
    inflation = inflation_of(rho, count) if asked.correlation == "correct" else 1.0
    told = _with_criteria(data, made, asked, count / inflation)
    chosen = min(told, key=lambda k: told[k].criteria[asked.criterion])
    left = autocorrelation(data, told[chosen].function, _influence(asked))
    if asked.correlation == "warn" and is_correlated(left, count):
        warn_of_correlation(left, count, asked.criterion, chosen - 1)
    return told, chosen


def _with_criteria(
    data: Observations, made: dict[int, _Fitted], asked: Wanted, points: float
) -> dict[int, FitRow]:
    """The rows with ``−2 ln L + (2 + p k) ln n``, L being the likelihood whose logarithm is the loss.

    Huber's and Tukey's need one scale for all rows to compare them: that of the most kinks.

    Sources: Ronchetti (1985), Statist. Probab. Lett. 3, 21-23; Koenker, Ng and Portnoy (1994), Biometrika 81.
    """
    finest = data.y - made[max(made)].row.function(data.x)
    rounding = resolution(data)
    scale = max(_scale(finest), rounding)
    told = {}
    for k, fitted in made.items():
        value = fitted.row.loss_value
        if asked.loss == "quantile":
            misfit = 2 * points * np.log(max(value / len(data.x), rounding))
        else:
            residuals = data.y - fitted.row.function(data.x)
            misfit = 2 * _loss_sum(residuals, asked.loss, scale, data.weights) * points / len(data.x)
        strength = strongest_kink(fitted.cells, fitted.fit.knots) if len(fitted.cells) else 0.0
        penalties = {"bic": 2.0, "bic3": 3.0, "wbic": 2.0 + strength}
        criteria = {
            name: float(misfit + (2 + each * (k - 1)) * np.log(points)) for name, each in penalties.items()
        }
        told[k] = replace(fitted.row, criteria=criteria)
    return told


def _fits(data: Observations, rules: Rules, segments: list[int], asked: Wanted) -> dict[int, _Fitted]:
    """The fits with some numbers of segments; those that the rules rule out are missing."""
    if asked.loss == "quantile":
        fits = fit_quantiles(data, rules, max(segments), asked.quantile, asked.use_numba, not asked.automatic)
        cells = cells_of(data)
        return {k: _row_of(data, data, cells, fits[k], asked) for k in segments if k in fits}
    made = {}
    for k in segments:
        weighted = reweighted(data, rules, k, asked.loss, asked.use_numba)
        found = met(search(weighted, rules, [k], asked.use_numba), weighted, rules)
        if k in found.fits:
            made[k] = _row_of(data, weighted, found.cells, found.fits[k], asked)
    return made


def _row_of(
    data: Observations, weighted: Observations, cells: Cells, fit: Candidate, asked: Wanted
) -> _Fitted:
    function, kinks = as_function(weighted, fit)
    residuals = data.y - function(data.x)
    sse = sum_of_squares(function, data.x, data.y, weighted.weights)
    if asked.loss == "quantile":
        value = check_loss(residuals, asked.quantile, data.weights)
    else:
        scale = _scale(residuals)
        value = 2 * scale**2 * _loss_sum(residuals, asked.loss, scale, data.weights)
    certificate = Certificate(False, 0, float("nan"))
    return _Fitted(weighted, cells, fit, FitRow(kinks, function, sse, {}, certificate, value))


def reweighted(
    data: Observations, rules: Rules, segments: int, loss: str, use_numba: bool | None
) -> Observations:
    """The data with the weights under which least squares is the robust fit with so many segments.

    Huber's loss counts residuals beyond 1.345 standard deviations linearly; Tukey's forgets those beyond
    4.685; the standard deviation is 1.4826 times the median absolute residual, in each round.

    Source: Holland and Welsch (1977), Comm. Statist. A6, 813-827.
    """
    # Tukey's loss has many local optima: it starts from Huber's.
    stages = ["huber", "tukey"] if loss == "tukey" else [loss]
    current = data
    for stage in stages:
        current = _iterated(data, current, rules, segments, _weight_function(stage), use_numba)
    return current


def _iterated(
    data: Observations,
    current: Observations,
    rules: Rules,
    segments: int,
    weigh: Callable[[Vector], Vector],
    use_numba: bool | None,
) -> Observations:
    fit: Candidate | None = None
    looking = _GLOBAL_ROUNDS
    for turn in range(_GLOBAL_ROUNDS + _LOCAL_ROUNDS):
        cells = cells_of(current)
        if turn < looking or fit is None:
            before = fit
            found = search(current, rules, [segments], use_numba, cells, thorough=False).fits
            fit = found.get(segments, fit)
            if before is not None and fit is not None and np.abs(fit.knots - before.knots).max() <= _STILL:
                looking = turn
        else:
            again = solve(cells, fit.knots, rules)
            if again is None:  # kinks nearer than blocks tell
                cells = zoomed(cells, current, fit.knots[1:-1], 1)
                again = solve(cells, fit.knots, rules)
            fit = fit if again is None else refine(cells, again, rules, 1.0, 1.0, use_numba)
        if fit is None:
            return current
        residuals = data.y - as_function(data, fit)[0](data.x)
        weights = np.maximum(weigh(residuals), _LEAST)
        before = np.ones_like(weights) if current.weights is None else current.weights
        weights = weights if data.weights is None else weights * data.weights
        current = replace(data, weights=weights)
        if turn >= 2 and float(np.abs(weights - before).max()) <= _SETTLED * float(weights.max()):
            break
    return current


def _scale(residuals: Vector) -> float:
    """The standard deviation of normal residuals with this median size; any size where the median is 0."""
    size = np.abs(residuals)
    return _CONSISTENT * float(np.median(size)) or float(size.max()) or 1.0


def _loss_sum(residuals: Vector, loss: str, scale: float, weights: Vector | None) -> float:
    """``Σ w ρ(r/s)`` of Huber's or Tukey's loss ρ; near 0 both are half the square."""
    u = np.abs(residuals) / scale
    if loss == "huber":
        rho = np.where(u <= _HUBER, u**2 / 2, _HUBER * u - _HUBER**2 / 2)
    else:
        rho = _TUKEY**2 / 6 * (1 - np.maximum(1 - (u / _TUKEY) ** 2, 0.0) ** 3)
    return float((rho if weights is None else weights * rho).sum())


def _weight_function(loss: str) -> Callable[[Vector], Vector]:
    def weigh(residuals: Vector) -> Vector:
        scale = _scale(residuals)
        if loss == "huber":
            return np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residuals), np.finfo(np.float64).tiny))
        return np.maximum(1 - (residuals / (_TUKEY * scale)) ** 2, 0.0) ** 2

    return weigh
