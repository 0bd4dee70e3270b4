"""The best fit of a sum of ReLUs to data of one variable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from halfwave.fitting.assemble import rows
from halfwave.fitting.axes import LogAxes, axes_of
from halfwave.fitting.criteria import Criterion, check_criterion, inflation_of
from halfwave.fitting.fit_result import FitRow, ReLUSumFit
from halfwave.fitting.observations import Observations, observe, times_as_numbers
from halfwave.fitting.request import (
    Flat,
    Loss,
    Wanted,
    no_fit,
    number_of_kinks,
    one_of,
    rules_of,
    truth,
    wanted,
)
from halfwave.fitting.search.cells import Cells, cells_of
from halfwave.fitting.search.lower_bound import lower_bound
from halfwave.fitting.search.meeting import met
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import search
from halfwave.fitting.search.shape import Convex, Monotone, shape_of
from halfwave.fitting.selection import Correlation, autocorrelation, choose
from halfwave.fitting.uncertainty.intervals import Problem, intervals_of


def fit_relu_sum(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    kinks: int | Literal["auto"] = "auto",
    *,
    weights: npt.ArrayLike | None = None,
    max_kinks: int = 12,
    criterion: Criterion = "bic",
    correlation: Correlation = "warn",
    min_points: int = 3,
    min_length: float = 0.0,
    fixed_kinks: Sequence[float] = (),
    through: Sequence[tuple[Any, float]] = (),
    flat: Flat = "none",
    monotone: Monotone | None = None,
    convex: Convex | None = None,
    continuous: bool = True,
    loss: Loss = "squares",
    quantile: float = 0.5,
    log_axes: LogAxes = "none",
    use_numba: bool | None = None,
) -> ReLUSumFit:
    """The continuous piecewise-linear function with k kinks that minimises ``Σ w (y − f(x))²``.

    Every such function is a line plus k ReLUs. The kinks are optimal on a grid of candidates (dynamic
    programming), then moved off it; more kinks than the data support end as near-vertical jumps, which
    `min_points` prevents.

    Args:
        x: abscissae (n,), any order, ties allowed; numbers, datetime64 or timedelta64 (both become seconds).
        y: ordinates (n,).
        kinks: how many, or "auto" to choose up to `max_kinks` by the criterion.
        weights: of the squared residuals (n,), not negative; a point of weight 2 counts as two points.
        max_kinks: the largest number that "auto" tries.
        criterion: "bic" (two parameters a kink), "bic3" (three), "wbic" (between them, by the strongest kink)
            or "cross_validation" (ten folds; the fewest kinks within one standard error of the best).
        correlation: what to do where neighbouring residuals are correlated, which makes criteria that count
            points choose too many kinks, and intervals too short: "warn", "correct" (count as many points as
            independent ones would tell as much) or "ignore".
        min_points: how many different x a segment has at least, those at its ends included; 2 or more.
        min_length: the shortest segment, in units of x (seconds for datetimes; of ln x on a logarithmic axis).
        fixed_kinks: kinks that the fit must have, inside the data; they count among `kinks`.
        through: points (x, y) that the fit must pass through, inside the data or outside; each counts as a point
            of its segment.
        flat: which end pieces have slope 0.
        monotone: "increasing" or "decreasing": the fit never falls, or never rises, inside the data.
        convex: "convex" (or True): slopes never fall; "concave": they never rise. With this or `monotone` the
            kinks are moved one at a time, and the certificate does not call them optimal unless they would be
            without; not to be had together with `flat`.
        continuous: whether pieces must meet. If not, the kinks are jumps between neighbouring points, and optimal
            for up to some thousand different x.
        loss: "squares"; "huber" or "tukey" against outliers, which are iterated squares, with the result's
            `weights` and `sse` those of the last round; or "quantile", the check loss. Their optima are local.
        quantile: q of the loss "quantile", inside (0, 1): a part q of the points lies below the fit.
        log_axes: "x", "y" or "both" fit ln x, ln y or both: the function is piecewise linear in natural
            logarithms. Kinks and predictions are in the units of the data.
        use_numba: whether to run the compiled kernels; by default where numba is installed, from the fit on with
            which loading them pays. Loading takes a second, and the very first time some ten to compile.

    Returns:
        The fit, its table of all smaller ones, and what is known about its optimality.

    Raises:
        HalfwaveError: if x or y is empty, not one-dimensional, not real or not finite; lengths differ; all x
            are equal; there are too few different x for the kinks; a fixed kink lies outside the data; no
            placement of kinks meets all constraints; options exclude one another; an option is not one of those
            named; a number on a logarithmic axis is not positive.

    Warns:
        AutocorrelationWarning: if kinks were chosen by counting points whose residuals are correlated.

    Source: Fearnhead, Maidstone and Letchford (2019), J. Comput. Graph. Stat. 28(2), 265-275.

    >>> x = np.arange(9.0)
    >>> fit = fit_relu_sum(x, np.abs(x - 4), kinks=1)
    >>> fit.kinks, fit.sse < 1e-20
    (array([4.]), True)
    >>> fit_relu_sum(x, np.where(x < 4, 1.0, 3.0), kinks=1, continuous=False).kinks
    array([3.5])
    """
    check_criterion(criterion)
    one_of("correlation", correlation, get_args(Correlation))
    truth("continuous", continuous)
    shape = shape_of(monotone, convex)
    axes = axes_of(log_axes)
    level = one_of("flat", flat, get_args(Flat)) != "none" or shape.monotone != 0
    data = observe(
        axes.x_to(x, "`x`"),
        axes.y_to(y, "`y`"),
        weights,
        level=level,
        through=axes.points_to(through, "`through`"),
    )
    fixed = axes.x_to(fixed_kinks, "`fixed_kinks`")
    rules = rules_of(data, min_points, min_length, fixed, flat, shape)
    cells = cells_of(data)
    asked = wanted(
        criterion=criterion,
        correlation=correlation,
        loss=one_of("loss", loss, get_args(Loss)),
        quantile=quantile,
        continuous=continuous,
        automatic=isinstance(kinks, str),
        most=number_of_kinks(kinks, max_kinks, cells, rules, continuous),
        use_numba=use_numba,
        rules=rules,
        data=data,
    )
    parts = _parts_of(data, rules, cells, asked)
    parts["kinks"] = axes.x_from(parts["kinks"])
    return ReLUSumFit(
        **parts,
        criterion=criterion if asked.automatic else "given",
        x=times_as_numbers("`x`", x)[0],
        y=np.asarray(y, dtype=np.float64),
        x_unit=data.x_unit,
        axes=axes,
        continuous=continuous,
        loss=loss,
    )


def _parts_of(data: Observations, rules: Rules, cells: Cells, asked: Wanted) -> dict[str, Any]:
    """The fields of the result that depend on the kind of fit."""
    if not asked.continuous:
        from halfwave.fitting.jumps.fit import jump_fit

        return jump_fit(data, rules, asked)
    if asked.loss != "squares":
        from halfwave.fitting.losses.robust import robust_fit

        return robust_fit(data, rules, asked)
    return _squares(data, rules, cells, asked)


def _squares(data: Observations, rules: Rules, cells: Cells, asked: Wanted) -> dict[str, Any]:
    """The least-squares fit and what is known about it."""
    every = list(range(len(rules.fixed) + 1, asked.most + 2))
    segments = every if asked.automatic else [asked.most + 1]
    found = met(search(data, rules, segments, asked.use_numba, cells, not asked.automatic), data, rules)
    if not found.fits:
        raise no_fit(len(rules.fixed) if asked.automatic else asked.most, rules, data)
    if asked.automatic:
        made, chosen = choose(data, rules, found, asked)
        table = partial(tuple, made)
    else:
        chosen = rows(data, found, len(data.x))[0]
        table = partial(_all_rows, data, rules, every, asked.use_numba, cells)
    inflation = 1.0
    if asked.correlation == "correct":
        inflation = inflation_of(autocorrelation(data, chosen.function), len(data.x))
    problem = Problem(data, found.cells, found.fits[len(chosen.kinks) + 1], rules, inflation)
    return {
        "function": chosen.function,
        "kinks": chosen.kinks,
        "sse": chosen.sse,
        "loss_value": chosen.sse,
        "certificate": chosen.certificate,
        "_correlation": partial(autocorrelation, data, chosen.function),
        "weights": data.weights_as_given(),
        "_rows": table,
        "_bound": partial(_bound, found.cells, len(chosen.kinks) + 1, data),
        "_intervals": partial(intervals_of, problem),
    }


def _bound(cells: Cells, segments: int, data: Observations) -> float:
    return lower_bound(cells, segments) * data.cost_unit


def _all_rows(
    data: Observations, rules: Rules, segments: list[int], use_numba: bool | None, cells: Cells
) -> tuple[FitRow, ...]:
    """The table of a fit whose number of kinks was given: computed when it is read."""
    return rows(data, met(search(data, rules, segments, use_numba, cells), data, rules), len(data.x))
