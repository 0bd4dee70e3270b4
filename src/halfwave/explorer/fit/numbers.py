"""What the fitting process computes: a fit, how sure it is, and the path of a gradient, as plain numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting import AutocorrelationWarning, ReLUSumFit, fit_relu_sum

__all__ = ["VERBS", "details", "fitted", "gradient", "warm_up"]

_IMPORTING = Lock()
"""Lanes that import large packages at once may each find half of what both need."""

Vector = npt.NDArray[np.float64]
Numbers = dict[str, Any]

_FRAMES = 160
_LOSSES = 400
_PATH_POINTS = 5000
"""Points that a gradient follows at most: each of its steps looks at all of them."""


def fitted(x: Vector, y: Vector, options: Mapping[str, Any]) -> Numbers:
    """The fit of `halfwave.fitting.fit_relu_sum` with these options, and its table where that was made.

    >>> answer = fitted(np.arange(9.0), abs(np.arange(9.0) - 4), {"kinks": 1})
    >>> answer["kinks"], answer["function"]["terms"]
    ([4.0], [[2.0, 1.0, -4.0]])
    """
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", AutocorrelationWarning)
        fit = fit_relu_sum(x, y, **options)
    ends = np.array([x.min(), *fit.kinks, x.max()])
    return {
        "function": _function(fit),
        "kinks": fit.kinks.tolist(),
        "corners": [ends.tolist(), fit.predict(ends).tolist()],
        "slopes": fit.slopes.tolist(),
        "sse": fit.sse,
        "loss": fit.loss_value,
        "r2": r_squared(fit),
        "noise": noise(fit, len(options.get("fixed_kinks", ()))),
        "criterion": fit.criterion,
        "certificate": str(fit.certificate),
        "correlation": _number_or_none(fit.autocorrelation),
        "note": str(notes[0].message) if notes else None,
        "table": None if fit.criterion == "given" else _table(fit),
    }


def details(x: Vector, y: Vector, options: Mapping[str, Any]) -> Numbers:
    """Intervals of kinks and slopes of a fit, and the criterion against the number of kinks.

    Neither is made for quantiles, for which both take minutes; the page says so.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutocorrelationWarning)
        fit = fit_relu_sum(x, y, **options)
    formula = fit.function.formula(digits=6)
    if options.get("loss") == "quantile":
        return {"formula": formula, "intervals": None, "table": None, "chosen": None}
    bounds = fit.intervals() if len(fit.kinks) else None
    intervals = {
        "level": 0.95,
        "method": "profile" if bounds is None else bounds.method,
        "kinks": [] if bounds is None else _ends(bounds.kinks),
        "slopes": [] if bounds is None else _ends(bounds.slopes),
    }
    return {"formula": formula, "intervals": intervals, **_CHOICE.of(x, y, options, fit)}


def gradient(x: Vector, y: Vector, options: Mapping[str, Any]) -> Numbers:
    """Frames of `halfwave.fitting.fit_by_gradient`, its losses, and the optimum on the same points.

    Each frame is [step, loss, slopes, intercepts, weights, slope, offset].
    """
    with _IMPORTING:
        from halfwave.fitting import fit_by_gradient

    x, y = _fewer(x, y)
    path = fit_by_gradient(x, y, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutocorrelationWarning)
        best = fit_relu_sum(x, y, options["terms"])
    steps = np.unique(np.geomspace(1, len(path), _FRAMES).round().astype(int) - 1).tolist()
    shown = np.unique(np.geomspace(1, len(path), _LOSSES).round().astype(int) - 1)
    if not np.isfinite(path.losses).all():
        raise HalfwaveError("the gradient ran away: its loss is no longer finite")
    parameters = path.parameters
    return {
        "frames": [
            [step, float(path.losses[step]), *(part[step].tolist() for part in parameters.values())]
            for step in steps
        ],
        "names": list(parameters),
        "losses": [shown.tolist(), path.losses[shown].tolist()],
        "optimum": {"function": _function(best), "loss": best.sse / len(x)},
        "points": len(x),
        "optimizer": path.optimizer,
    }


def r_squared(fit: ReLUSumFit) -> float | None:
    """``1 − SSE/Σ w (y − ȳ)²``; of no meaning for quantiles, and for ordinates that are all equal."""
    if fit.loss == "quantile":
        return None
    weights = np.ones_like(fit.y) if fit.weights is None else fit.weights
    total = float((weights * (fit.y - np.average(fit.y, weights=weights)) ** 2).sum())
    return 1 - fit.sse / total if total > 0 else None


def noise(fit: ReLUSumFit, fixed: int = 0) -> float | None:
    """The standard deviation of the residuals, ``sqrt(SSE/(n − 2 − heights − free kinks))``."""
    freedom = len(fit.x) - 2 - 2 * len(fit.kinks) + fixed
    return math.sqrt(fit.sse / freedom) if freedom > 0 and fit.loss != "quantile" else None


def _function(fit: ReLUSumFit) -> Numbers:
    parts = fit.function.as_relu_sum()
    terms = zip(parts["weights"], parts["slopes"], parts["intercepts"], strict=True)
    return {"terms": [list(term) for term in terms], "slope": parts["slope"], "offset": parts["offset"]}


def _table(fit: ReLUSumFit) -> list[Numbers]:
    return [
        {"kinks": len(row.kinks), "sse": row.sse, "loss": row.loss_value}
        | {name: _number_or_none(value) for name, value in row.criteria.items()}
        for row in fit.table
    ]


def _ends(pairs: Vector) -> list[list[float | None]]:
    return [[_number_or_none(end) for end in pair] for pair in pairs.tolist()]


def _number_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fewer(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Evenly chosen points in the order of x, where there are too many."""
    if len(x) <= _PATH_POINTS:
        return x, y
    order = np.argsort(x, kind="stable")[np.linspace(0, len(x) - 1, _PATH_POINTS).round().astype(int)]
    return x[order], y[order]


class _Choice:
    """The criterion against the number of kinks, which is the same for every number that is asked for."""

    def __init__(self) -> None:
        self._known: tuple[Any, ...] | None = None
        self._answer: Numbers = {}

    def of(self, x: Vector, y: Vector, options: Mapping[str, Any], fit: ReLUSumFit) -> Numbers:
        """The table and the number that the criterion chooses."""
        rest = {name: value for name, value in options.items() if name != "kinks"}
        known = self._known
        if known is None or known[0] is not x or known[1] != rest:
            if fit.criterion == "given":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", AutocorrelationWarning)
                    fit = fit_relu_sum(x, y, "auto", **rest)
            self._answer = {"table": _table(fit), "chosen": len(fit.kinks)}
            self._known = x, rest
        return self._answer


_CHOICE = _Choice()


def warm_up() -> None:
    """Load what is compiled, where numba is installed: fits of some hundred points then take half as long."""
    if find_spec("numba") is not None:
        with _IMPORTING:
            import_module("numba")
        x = np.linspace(0.0, 1.0, 60)
        fit_relu_sum(x, np.sin(9 * x), 2, use_numba=True)


VERBS: dict[str, Callable[[Vector, Vector, Mapping[str, Any]], Numbers]] = {
    "fit": fitted,
    "details": details,
    "gradient": gradient,
}
