"""How many kinks: information criteria, and how much correlated residuals are worth."""

from __future__ import annotations

import math
import warnings
from typing import Literal, get_args

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.heights import spans
from halfwave.functions.double_double import Vector

Criterion = Literal["bic", "bic3", "wbic", "cross_validation"]


class AutocorrelationWarning(UserWarning):
    """Residuals of neighbouring points are correlated: criteria that count points take them for structure."""


def check_criterion(name: object) -> Criterion:
    """The criterion, or HalfwaveError."""
    if name not in get_args(Criterion):
        known = ", ".join(repr(choice) for choice in get_args(Criterion))
        raise HalfwaveError(f"`criterion` must be one of {known}; got {name!r}")
    return name  # pyright: ignore[reportReturnType]


def information(sse: float, points: float, kinks: int, per_kink: float) -> float:
    """``n ln(SSE/n) + (2 + p k) ln n``, with p parameters for each of k kinks; smaller is better.

    Args:
        sse: sum of squared residuals, positive.
        points: n, or an effective number of independent points.
        kinks: k.
        per_kink: p: 2 is the Bayesian information criterion, 3 is BIC3.

    Source: Schwarz (1978), Ann. Statist. 6, 461-464; BIC3: Kim and Kim (2016), Statist. Sinica 26.

    >>> round(information(1.0, 100.0, 1, 2.0), 3)
    -442.096
    """
    return points * math.log(sse / points) + (2 + per_kink * kinks) * math.log(points)


def strongest_kink(cells: Cells, knots: Vector) -> float:
    """The largest partial R² of a kink within the data of the two segments that it joins; 0 without kinks.

    WBIC charges ``2 + R²`` parameters a kink: as BIC where kinks are weak, as BIC3 where one is strong.

    Source: Kim, Chen, Midthune, Wheeler, Buckman, Green, Byrne, Luo and Feuer (2023), J. Appl. Stat. 50(9),
    1992-2013, as documented for NCI Joinpoint 5 ("Weighted BIC").
    """
    largest = 0.0
    for left, kink, right in zip(knots[:-2], knots[1:-1], knots[2:], strict=True):
        inside = cells.pick((cells.x >= left) & (cells.x <= right))
        three = spans(inside, np.array([left, kink, right]))
        gram, target = _hinge_equations(three, kink - left, right - kink)
        line, hinge = gram[:2, :2], gram[:2, 2]
        fitted = np.linalg.lstsq(line, np.column_stack((hinge, target[:2])), rcond=None)[0]
        z_z = gram[2, 2] - hinge @ fitted[:, 0]
        z_y = target[2] - hinge @ fitted[:, 1]
        y_y = three.yy.sum() - target[:2] @ fitted[:, 1]
        if z_z > 0 and y_y > 0:
            largest = max(largest, min(1.0, float(z_y**2 / (z_z * y_y))))
    return largest


def _hinge_equations(three: object, before: float, after: float) -> tuple[Vector, Vector]:
    """Normal equations (3, 3) of 1, x − kink and (x − kink)⁺, from those of heights at three knots."""
    aa, ab, bb, ay, by = (getattr(three, name) for name in ("aa", "ab", "bb", "ay", "by"))
    tent = np.array([[aa[0], ab[0], 0.0], [ab[0], bb[0] + aa[1], ab[1]], [0.0, ab[1], bb[1]]])
    pull = np.array([ay[0], by[0] + ay[1], by[1]])
    heights = np.array([[1.0, -before, 0.0], [1.0, 0.0, 0.0], [1.0, after, after]])
    return heights.T @ tent @ heights, heights.T @ pull


def lag_one(residuals: Vector, weights: Vector | None = None) -> float:
    """The correlation of neighbouring residuals (n,), in the order of x."""
    scaled = residuals if weights is None else residuals * np.sqrt(weights)
    total = float(scaled @ scaled)
    return float(scaled[1:] @ scaled[:-1]) / total if total > 0 else 0.0


def is_correlated(correlation: float, points: int) -> bool:
    """Whether a lag-one correlation is beyond chance: more than four standard errors above 0, and 0.1."""
    return correlation > max(4 / math.sqrt(points), 0.1)


def effective_points(points: int, correlation: float) -> float:
    """How many independent points a first-order autoregressive series of n is worth, ``n (1 − ρ)/(1 + ρ)``.

    Source: Bayley and Hammersley (1946), J. R. Statist. Soc. Suppl. 8, 184-197.
    """
    return max(points * (1 - correlation) / (1 + correlation), 8.0)


def inflation_of(correlation: float, points: int) -> float:
    """How many correlated points tell as much as an independent one; 1 where the correlation may be chance."""
    return points / effective_points(points, correlation) if is_correlated(correlation, points) else 1.0


def warn_of_correlation(correlation: float, points: int, criterion: str, kinks: int) -> None:
    """AutocorrelationWarning with what it means for the number of kinks that a criterion chose."""
    warnings.warn(
        f"neighbouring residuals have correlation {correlation:.2f}: {criterion} takes that for structure and "
        f"chose {kinks} kinks; correlation='correct' counts {effective_points(points, correlation):.0f} "
        f"independent points instead of {points}",
        AutocorrelationWarning,
        stacklevel=6,
    )
