"""What `fit_relu_sum` returns where pieces need not meet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.assemble import visible_sse
from halfwave.fitting.criteria import inflation_of, information, is_correlated, warn_of_correlation
from halfwave.fitting.fit_result import Certificate, FitRow, sum_of_squares
from halfwave.fitting.jumps.intervals import cut_intervals, line_intervals
from halfwave.fitting.jumps.segmented import Segmented, best_segments, segmented_function
from halfwave.fitting.observations import Observations
from halfwave.fitting.request import Wanted, no_fit
from halfwave.fitting.search.cells import cells_of
from halfwave.fitting.search.lower_bound import lower_bound
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.selection import autocorrelation
from halfwave.fitting.uncertainty.intervals import Intervals, Method, checked

__all__ = ["jump_fit"]

_PER_JUMP = {"bic": 3.0, "bic3": 4.0}  # parameters: a place, a height and a slope, and one for the search


def jump_fit(data: Observations, rules: Rules, asked: Wanted) -> dict[str, Any]:
    """The fields of a result whose pieces need not meet.

    Source: Bellman (1961), Comm. ACM 4, 284; Bai and Perron (2003), J. Appl. Econometrics 18, 1-22.
    """
    fewest = len(rules.fixed)
    every = list(range(fewest + 1, asked.most + 2))
    fits = best_segments(data, rules, every if asked.automatic else [asked.most + 1])
    if not fits:
        raise no_fit(fewest if asked.automatic else asked.most, rules, data)
    if asked.automatic:
        made = _chosen_rows(data, fits, asked)
        chosen = min(made, key=lambda k: made[k].criteria[asked.criterion])
        table = partial(tuple, made.values())
    else:
        chosen = asked.most + 1
        made = _rows(data, fits, len(data.x))
        table = partial(_all_rows, data, rules, every)
    row, rho = made[chosen], autocorrelation(data, made[chosen].function)
    if asked.automatic and asked.correlation == "warn" and is_correlated(rho, len(data.x)):
        warn_of_correlation(rho, len(data.x), asked.criterion, chosen - 1)
    return {
        "function": row.function,
        "kinks": row.kinks,
        "sse": row.sse,
        "loss_value": row.sse,
        "certificate": row.certificate,
        "_correlation": partial(float, rho),
        "weights": data.weights_as_given(),
        "_rows": table,
        "_bound": partial(_bound, data, fits[chosen], row.sse),
        "_intervals": partial(_intervals, data, rules, fits[chosen], _inflation(data, asked, rho)),
    }


def _chosen_rows(data: Observations, fits: dict[int, Segmented], asked: Wanted) -> dict[int, FitRow]:
    """The rows with criteria that count as many points as the correlation of residuals leaves."""
    made = _rows(data, fits, len(data.x))
    rho = autocorrelation(data, made[max(made)].function)
    inflation = _inflation(data, asked, rho)
    return made if inflation == 1 else _rows(data, fits, len(data.x) / inflation)


def _inflation(data: Observations, asked: Wanted, rho: float) -> float:
    return inflation_of(rho, len(data.x)) if asked.correlation == "correct" else 1.0


def _all_rows(data: Observations, rules: Rules, segments: list[int]) -> tuple[FitRow, ...]:
    return tuple(_rows(data, best_segments(data, rules, segments), len(data.x)).values())


def _rows(data: Observations, fits: dict[int, Segmented], points: float) -> dict[int, FitRow]:
    """One row for each number of segments."""
    made = {}
    for segments, fit in sorted(fits.items()):
        function, cuts = segmented_function(data, fit)
        sse = sum_of_squares(function, data.x, data.y, data.weights)
        visible = visible_sse(data, sse)
        criteria = {
            name: information(visible, points, segments - 1, each) for name, each in _PER_JUMP.items()
        }
        grid = len(np.unique(data.x)) - 1 if fit.is_optimal else 0
        certificate = Certificate(fit.is_optimal, grid, sse, everywhere=fit.is_optimal)
        made[segments] = FitRow(cuts, function, sse, criteria, certificate, sse)
    return made


def _bound(data: Observations, fit: Segmented, sse: float) -> float:
    if fit.is_optimal:
        return sse
    return lower_bound(cells_of(data), len(fit.slopes)) * data.cost_unit


def _intervals(
    data: Observations,
    rules: Rules,
    fit: Segmented,
    inflation: float,
    level: float = 0.95,
    method: Method | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> Intervals:
    """Profile intervals of the cuts, and of the slopes as if the cuts were known.

    Raises:
        HalfwaveError: if another method is asked for; `resamples` and `seed` are for bootstraps.
    """
    if checked(level, method or "profile", resamples) != "profile":
        raise HalfwaveError(f"`method` of intervals must be 'profile' with continuous=False; got {method!r}")
    parameters = len(data.x) - fit.freedom
    # Residuals that say the same twice leave fewer independent ones to estimate their variance from.
    shared = replace(fit, freedom=max(len(data.x) / inflation - parameters, 1.0))
    slopes, _ = line_intervals(data, shared, level)
    return Intervals(float(level), "profile", cut_intervals(data, rules, shared, level), slopes)
