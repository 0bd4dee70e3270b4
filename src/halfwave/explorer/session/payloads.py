"""What a page may say: numbers, lists and texts of limited size, checked one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear, relu_sum

__all__ = ["MOST_CHARACTERS", "MOST_TERMS", "function_of", "number", "text", "whole_number"]

MOST_TERMS = 200
MOST_CHARACTERS = 2000


def number(payload: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """The finite number with this name; the default, if there is one, where the name is missing."""
    if default is not None and name not in payload:
        return default
    return _finite(payload.get(name), f"`{name}`")


def whole_number(
    payload: Mapping[str, Any], name: str, least: int, most: int, default: int | None = None
) -> int:
    """The whole number between two ends with this name; the default, if there is one, where it is missing.

    >>> whole_number({"samples": 20}, "samples", 1, 100)
    20
    """
    value = number(payload, name, default)
    if value != int(value) or not least <= value <= most:
        raise HalfwaveError(f"`{name}` must be a whole number from {least} to {most}; got {value:g}")
    return int(value)


def text(payload: Mapping[str, Any], name: str) -> str:
    """The text with this name, of limited length."""
    value = payload.get(name)
    if not isinstance(value, str):
        raise HalfwaveError(f"`{name}` must be a text; got {_shown(value)}")
    if len(value) > MOST_CHARACTERS:
        raise HalfwaveError(f"`{name}` may have at most {MOST_CHARACTERS} characters; got {len(value)}")
    return value


def function_of(payload: Mapping[str, Any]) -> PiecewiseLinear:
    """The function ``Σ w leaky(m x + b) + slope x + offset`` of a page, where leaky(z) is z or leak·z.

    Args:
        payload: `terms`, a list of [w, m, b]; and, 0 where missing, `leak`, `slope` and `offset`.

    Raises:
        HalfwaveError: if something is missing, too long or not a finite number.

    >>> function_of({"terms": [[2, 1, -1]], "offset": 3})(2.0)
    5.0
    """
    rows = _terms(payload.get("terms"))
    leak = number(payload, "leak", 0.0)
    slopes, intercepts = [m for _, m, _ in rows], [b for _, _, b in rows]
    weights = [w for w, _, _ in rows]
    if leak:
        # what a term lets through where it is off is a falling term
        slopes += [-m for m in slopes]
        intercepts += [-b for b in intercepts]
        weights += [-leak * w for w in weights]
    return relu_sum(
        slopes, intercepts, weights, number(payload, "slope", 0.0), number(payload, "offset", 0.0)
    )


def _terms(value: Any) -> list[tuple[float, float, float]]:
    if not isinstance(value, list):
        raise HalfwaveError(f"`terms` must be a list of [w, m, b]; got {_shown(value)}")
    if len(value) > MOST_TERMS:
        raise HalfwaveError(f"a function may have at most {MOST_TERMS} terms here; got {len(value)}")
    return [_term(row, index) for index, row in enumerate(value)]


def _term(row: Any, index: int) -> tuple[float, float, float]:
    if not isinstance(row, list) or len(row) != 3:
        raise HalfwaveError(f"a term must be [w, m, b]; got {_shown(row)} at index {index}")
    w, m, b = (_finite(value, f"`{name}` of term {index}") for name, value in zip("wmb", row, strict=True))
    return w, m, b


def _finite(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise HalfwaveError(f"{name} must be a number; got {_shown(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise HalfwaveError(f"{name} must be finite; got {_shown(value)}")
    return result


def _shown(value: Any) -> str:
    """A value short enough for a sentence."""
    if isinstance(value, int | float | str | None):
        shown = repr(value)
        return shown if len(shown) <= 30 else f"{shown[:30]}…"
    return f"a {type(value).__name__}"
