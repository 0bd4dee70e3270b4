"""What the room "Functions" asks of the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.payloads import MOST_TERMS, function_of, number, text
from halfwave.explorer.session.session import Answer
from halfwave.functions import PiecewiseLinear, parse
from halfwave.functions.relu_terms import relu_terms

__all__ = ["ANSWERS", "RECORDED", "describe", "read_formula", "sum_of_function"]

_DIGITS = 6
Payload = dict[str, Any]


def read_formula(payload: Mapping[str, Any]) -> Payload:
    """The terms of a typed formula, read by `halfwave.functions.parse`: as data, never as code.

    >>> read_formula({"text": "2*relu(x - 1) + 3"})
    {'terms': [[1.0, 2.0, -2.0]], 'slope': 0.0, 'offset': 3.0}
    """
    return sum_of_function(parse(text(payload, "text")))


def sum_of_function(function: PiecewiseLinear) -> Payload:
    """The function as the sum that the page draws: `terms` of [w, m, b], `slope` and `offset`.

    Raises:
        HalfwaveError: if the function jumps or has too many kinks.

    >>> import halfwave.functions as hf
    >>> sum_of_function(hf.relu())
    {'terms': [[1.0, 1.0, 0.0]], 'slope': 0.0, 'offset': 0.0}
    """
    jumps = function.point_masses()
    if jumps:
        at, height = jumps[0]
        raise HalfwaveError(f"a sum of rectified terms has no jumps; this one jumps by {height:g} at {at:g}")
    rows, slope, offset = [], 0.0, 0.0
    for term in relu_terms(function.pieces):
        if term.kind == "relu":
            rows.append([term.weight, term.slope, term.intercept])
        elif term.kind == "line":
            slope += term.weight * term.slope
            offset += term.weight * term.intercept
        else:
            offset += term.weight
    if len(rows) > MOST_TERMS:
        raise HalfwaveError(f"a function may have at most {MOST_TERMS} terms here; got {len(rows)}")
    return {"terms": rows, "slope": slope, "offset": offset}


def describe(payload: Mapping[str, Any]) -> Payload:
    """The function with its derivative and antiderivative in words, and its Gaussian mean.

    >>> answer = describe({"terms": [[1, 1, 0]], "gaussian": {"mu": 0, "sigma": 1}})
    >>> answer["antiderivative"], answer["gaussian"]["zeros"]
    ('0 if x <= 0, 0.5*x^2 if x > 0', 0.5)
    """
    function = function_of(payload)
    return {
        "formula": function.formula(digits=_DIGITS),
        "latex": function.latex(digits=_DIGITS),
        "cases": function.formula(style="cases", digits=_DIGITS),
        "derivative": function.derivative().formula(style="cases", digits=_DIGITS),
        "antiderivative": function.antiderivative().formula(digits=_DIGITS),
        "gaussian": _gaussian(function, payload.get("gaussian")),
    }


def _gaussian(function: PiecewiseLinear, given: Any) -> Payload | None:
    """Mean of f under a normal input, and the share of inputs for which f is exactly zero."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise HalfwaveError("`gaussian` must be an object with mu and sigma")
    mu, sigma = number(given, "mu"), number(given, "sigma")
    zero = (function.slopes == 0) & (function.intercepts == 0)
    indicator = PiecewiseLinear(function.kinks, np.zeros(len(zero)), zero.astype(np.float64))
    return {
        "mean": _finite_or_none(function.gaussian_mean(mu, sigma)),
        "zeros": indicator.gaussian_mean(mu, sigma),
    }


def _finite_or_none(value: float) -> float | None:
    # JSON knows no infinity
    return value if np.isfinite(value) else None


ANSWERS: dict[str, Answer] = {
    "functions.parse": lambda session, payload: read_formula(payload),
    "functions.describe": lambda session, payload: describe(payload),
}

RECORDED: list[tuple[str, Payload]] = []
