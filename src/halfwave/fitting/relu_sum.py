"""The least-squares fit of a sum of ReLUs to data of one variable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting.assemble import rows
from halfwave.fitting.cells import Cells, cells_of
from halfwave.fitting.criteria import Criterion, check_criterion
from halfwave.fitting.fit_result import FitRow, ReLUSumFit
from halfwave.fitting.intervals import Problem
from halfwave.fitting.observations import Observations, observe, times_as_numbers
from halfwave.fitting.request import Flat, no_fit, number_of_kinks, one_of, rules_of
from halfwave.fitting.robust import Loss, reweighted
from halfwave.fitting.rules import Rules
from halfwave.fitting.search import search
from halfwave.fitting.selection import Correlation, autocorrelation, choose
from halfwave.fitting.shape import Convex, Monotone, shape_of


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
    flat: Flat = "none",
    monotone: Monotone | None = None,
    convex: Convex | None = None,
    loss: Loss = "squares",
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
            points choose too many kinks: "warn", "correct" (count as many points as independent ones would
            tell as much) or "ignore".
        min_points: how many different x a segment has at least, those at its ends included; 2 or more.
        min_length: the shortest segment, in units of x (seconds for datetimes).
        fixed_kinks: kinks that the fit must have, inside the data; they count among `kinks`.
        flat: which end pieces have slope 0.
        monotone: "increasing" or "decreasing": the fit never falls, or never rises, inside the data.
        convex: "convex" (or True): slopes never fall; "concave": they never rise. With this or `monotone` the
            kinks are moved one at a time, and the certificate does not call them optimal unless they would be
            without; not to be had together with `flat`.
        loss: "squares"; "huber" or "tukey" against outliers, which are iterated squares,
            with the result's `weights` and `sse` those of the last round. They need a number of kinks.
        use_numba: whether to run the compiled kernels; by default where numba is installed and the data are large
            or the kernels loaded already. Loading takes a second, and the very first time some ten to compile.

    Returns:
        The fit, its table of all smaller ones, and what is known about its optimality.

    Raises:
        HalfwaveError: if x or y is empty, not one-dimensional, not real or not finite; lengths differ; all x
            are equal; there are too few different x for the kinks; a fixed kink lies outside the data; no
            placement of kinks meets all constraints; an option is not one of those named.

    Warns:
        AutocorrelationWarning: if kinks were chosen by counting points whose residuals are correlated.

    Source: Fearnhead, Maidstone and Letchford (2019), J. Comput. Graph. Stat. 28(2), 265-275.

    >>> x = np.arange(9.0)
    >>> fit = fit_relu_sum(x, np.abs(x - 4), kinks=1)
    >>> fit.kinks, fit.sse < 1e-20
    (array([4.]), True)
    """
    check_criterion(criterion)
    one_of("correlation", correlation, get_args(Correlation))
    shape = shape_of(monotone, convex)
    level = one_of("flat", flat, get_args(Flat)) != "none" or shape.monotone != 0
    data = observe(x, y, weights, level=level)
    rules = rules_of(data, min_points, min_length, fixed_kinks, flat, shape)
    cells = cells_of(data)
    fewest = len(rules.fixed)
    automatic = isinstance(kinks, str)
    count = number_of_kinks(kinks, max_kinks, cells, rules)
    if one_of("loss", loss, get_args(Loss)) != "squares":
        if automatic:
            raise HalfwaveError(f"`kinks` must be a number with loss={loss!r}; got 'auto'")
        data = reweighted(data, rules, count + 1, loss, use_numba)
        cells = cells_of(data)
    every = list(range(fewest + 1, count + 2))
    found = search(data, rules, every if automatic else [count + 1], use_numba, cells, not automatic)
    if not found.fits:
        raise no_fit(fewest if automatic else count, rules, data)

    if automatic:
        made, chosen = choose(data, rules, found, criterion, correlation)
        table = partial(tuple, made)
    else:
        chosen = rows(data, found, len(data.x))[0]
        table = partial(_all_rows, data, rules, every, use_numba, cells)
    return ReLUSumFit(
        function=chosen.function,
        kinks=chosen.kinks,
        sse=chosen.sse,
        certificate=chosen.certificate,
        criterion=criterion if automatic else "given",
        x=times_as_numbers("`x`", x)[0],
        y=np.asarray(y, dtype=np.float64),
        weights=data.weights_as_given(np.shape(x)[0]),
        x_unit=data.x_unit,
        autocorrelation=autocorrelation(data, chosen.function),
        _rows=table,
        _cells=found.cells,
        _scale=data.scale,
        _problem=Problem(data, found.cells, found.fits[len(chosen.kinks) + 1], rules),
    )


def _all_rows(
    data: Observations, rules: Rules, segments: list[int], use_numba: bool | None, cells: Cells
) -> tuple[FitRow, ...]:
    """The table of a fit whose number of kinks was given: computed when it is read."""
    return rows(data, search(data, rules, segments, use_numba, cells), len(data.x))
