"""Choosing the number of kinks among fits already made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from halfwave.fitting.assemble import as_function, rows
from halfwave.fitting.criteria import effective_points, is_correlated, lag_one, warn_of_correlation
from halfwave.fitting.fit_result import FitRow, sum_of_squares
from halfwave.fitting.observations import Observations
from halfwave.fitting.request import Wanted
from halfwave.fitting.search.meeting import met
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import Found, search, settle
from halfwave.functions import PiecewiseLinear
from halfwave.functions.double_double import Vector

Correlation = Literal["warn", "correct", "ignore"]

_FOLDS = 10


def choose(
    data: Observations, rules: Rules, found: Found, asked: Wanted
) -> tuple[tuple[FitRow, ...], FitRow]:
    """The table with the criteria, and the row that the criterion prefers."""
    count = len(data.x)
    made = rows(data, found, count)
    rho = autocorrelation(data, made[-1].function)
    if asked.correlation == "correct" and is_correlated(rho, count):
        made = rows(data, found, effective_points(count, rho))
    if asked.criterion == "cross_validation":
        return _cross_validated(data, rules, found, made, asked.use_numba)
    best = min(made, key=lambda row: row.criteria[asked.criterion])
    made, chosen = _settled(data, rules, found, made, best, asked.use_numba)
    left = autocorrelation(data, chosen.function)
    if asked.correlation == "warn" and is_correlated(left, count):
        warn_of_correlation(left, count, asked.criterion, len(chosen.kinks))
    return made, chosen


def autocorrelation(
    data: Observations, function: PiecewiseLinear, influence: Callable[[Vector], Vector] | None = None
) -> float:
    """Lag-one correlation of the residuals in the order of x; 0 for exact fits, NaN for large data not sorted.

    Args:
        data: the observations.
        function: the fit.
        influence: the derivative of the loss, where that is not squares; it takes the place of residuals.
    """
    if not data.is_sorted:
        return math.nan
    residuals = data.y - function(data.x)
    # What rounding leaves of an exact fit has a pattern, but no meaning.
    rounding = 64 * np.finfo(np.float64).eps * np.abs(data.y).max()
    if np.abs(residuals).max() <= rounding:
        return 0.0
    return lag_one(residuals if influence is None else influence(residuals), data.weights)


def _cross_validated(
    data: Observations, rules: Rules, found: Found, made: tuple[FitRow, ...], use_numba: bool | None
) -> tuple[tuple[FitRow, ...], FitRow]:
    """The fewest kinks whose error on left-out points is within one standard error of the least.

    Source: Breiman, Friedman, Olshen and Stone (1984), Classification and Regression Trees, section 3.4.3.
    """
    segments = [len(row.kinks) + 1 for row in made]
    errors = np.full((_FOLDS, len(made)), np.nan)
    for fold in range(_FOLDS):
        errors[fold] = _fold_errors(data, rules, segments, fold, use_numba)
    usable = np.isfinite(errors).all(axis=0)
    mean = np.where(usable, errors.mean(axis=0), np.inf)
    spread = errors.std(axis=0, ddof=1) / math.sqrt(_FOLDS)
    best = int(np.argmin(mean))
    chosen = int(np.flatnonzero(mean <= mean[best] + spread[best])[0])
    told = tuple(
        replace(row, criteria={**row.criteria, "cross_validation": float(value)})
        for row, value in zip(made, mean, strict=True)
    )
    return _settled(data, rules, found, told, told[chosen], use_numba)


def _settled(
    data: Observations,
    rules: Rules,
    found: Found,
    made: tuple[FitRow, ...],
    chosen: FitRow,
    use_numba: bool | None,
) -> tuple[tuple[FitRow, ...], FitRow]:
    """The table with the chosen fit searched down to the finest scale, which leaves the criteria as they are."""
    segments = len(chosen.kinks) + 1
    function, kinks = as_function(
        data, met(settle(found, rules, segments, use_numba), data, rules).fits[segments]
    )
    sse = sum_of_squares(function, data.x, data.y, data.weights)
    better = replace(chosen, function=function, kinks=kinks, sse=sse)
    return tuple(better if row is chosen else row for row in made), better


def _fold_errors(
    data: Observations, rules: Rules, segments: list[int], fold: int, use_numba: bool | None
) -> Vector:
    """Mean squared error of each number of segments on every tenth point, fitted to the others."""
    # The end points stay: without them the fold would test extrapolation.
    held = np.arange(len(data.x)) % _FOLDS == fold
    held[[0, -1]] = False
    if data.is_sorted:
        held &= (data.x > data.x[0]) & (data.x < data.x[-1])
    weights = None if data.weights is None else data.weights[~held]
    rest = replace(data, x=data.x[~held], y=data.y[~held], weights=weights, order=None)
    found = search(rest, rules, segments, use_numba, thorough=False)
    heavy = np.ones(int(held.sum())) if data.weights is None else data.weights[held]
    errors = np.full(len(segments), np.nan)
    for place, k in enumerate(segments):
        if k in found.fits:
            function, _ = as_function(rest, found.fits[k])
            errors[place] = np.average((data.y[held] - function(data.x[held])) ** 2, weights=heavy)
    return errors
