"""Losses other than squares, by iteratively reweighted least squares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from halfwave.fitting.assemble import as_function
from halfwave.fitting.cells import cells_of
from halfwave.fitting.observations import Observations
from halfwave.fitting.polish import Candidate, refine, solve
from halfwave.fitting.rules import Rules
from halfwave.fitting.search import search
from halfwave.functions.double_double import Vector

Loss = Literal["squares", "huber", "tukey"]

# 95 % efficiency for normal noise: Holland and Welsch (1977), Comm. Statist. A6, 813-827.
_HUBER, _TUKEY = 1.345, 4.685
_CONSISTENT = 1.4826  # median absolute deviation to standard deviation, for normal noise
_LEAST = 1e-8  # no point is lost altogether: segments must keep data
_GLOBAL_ROUNDS = 6  # with a new search; outliers can hide a kink at first
_LOCAL_ROUNDS = 50
_SETTLED = 1e-7


def reweighted(
    data: Observations, rules: Rules, segments: int, loss: Loss, use_numba: bool | None
) -> Observations:
    """The data with the weights under which least squares is the robust fit with so many segments.

    Huber's loss counts residuals beyond 1.345 standard deviations linearly; Tukey's forgets those beyond
    4.685; the standard deviation is 1.4826 times the median absolute residual, in each round.

    Source: Holland and Welsch (1977), Comm. Statist. A6, 813-827.
    """
    # Tukey's loss has many local optima: it starts from Huber's.
    stages: list[Loss] = ["huber", "tukey"] if loss == "tukey" else [loss]
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
    for turn in range(_GLOBAL_ROUNDS + _LOCAL_ROUNDS):
        cells = cells_of(current)
        if turn < _GLOBAL_ROUNDS or fit is None:
            found = search(current, rules, [segments], use_numba, cells, thorough=False).fits
            fit = found.get(segments, fit)
        else:
            again = solve(cells, fit.knots, rules)
            fit = fit if again is None else refine(cells, again, rules, 1.0, 1.0)
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


def _weight_function(loss: Loss) -> Callable[[Vector], Vector]:
    def weigh(residuals: Vector) -> Vector:
        size = np.abs(residuals)
        scale = _CONSISTENT * float(np.median(size))
        if scale == 0:
            scale = float(size.max()) or 1.0
        if loss == "huber":
            return np.minimum(1.0, _HUBER * scale / np.maximum(size, np.finfo(np.float64).tiny))
        return np.maximum(1 - (residuals / (_TUKEY * scale)) ** 2, 0.0) ** 2

    return weigh
