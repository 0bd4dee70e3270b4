"""Numbers kept as an unevaluated sum of two floats, about 32 significant digits.

Intercepts need them: ``0.1 (x − 1e9)`` has the intercept ``−0.1 · 1e9``, and rounding that product moves the
zero of the line by more than the distances the caller cares about there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_SPLITTER = 2.0**27 + 1.0  # cuts 53 bits into two halves whose products are exact


@dataclass(frozen=True, slots=True)
class DoubleDouble:
    """An array of numbers ``high + low`` with ``|low|`` at most half a unit in the last place of ``high``."""

    high: Vector  # (n,)
    low: Vector  # (n,)

    def __add__(self, other: DoubleDouble) -> DoubleDouble:
        top, error = _two_sum(self.high, other.high)
        tail, tail_error = _two_sum(self.low, other.low)
        top, error = _fast_two_sum(top, error + tail)
        return DoubleDouble(*_fast_two_sum(top, error + tail_error))

    def __sub__(self, other: DoubleDouble) -> DoubleDouble:
        return self + -other

    def __mul__(self, other: DoubleDouble) -> DoubleDouble:
        top, error = _two_product(self.high, other.high)
        return DoubleDouble(*_fast_two_sum(top, error + (self.high * other.low + self.low * other.high)))

    def __truediv__(self, other: DoubleDouble) -> DoubleDouble:
        # Long division: the second digit divides what the first leaves over.
        quotient = exact(self.high / other.high)
        rest = self - quotient * other
        return quotient + exact(_or_zero(rest.high / other.high))

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.high, -self.low)

    def __getitem__(self, index: Any) -> DoubleDouble:
        return DoubleDouble(self.high[index], self.low[index])


def exact(values: npt.ArrayLike) -> DoubleDouble:
    """Floats as they are, with nothing in the low part."""
    high = np.asarray(values, dtype=np.float64)
    return DoubleDouble(high, np.zeros_like(high))


def exact_sum(a: Vector, b: Vector) -> DoubleDouble:
    """The sum of two float arrays without rounding."""
    return DoubleDouble(*_two_sum(a, b))


def exact_product(a: Vector, b: Vector) -> DoubleDouble:
    """The product of two float arrays without rounding (unless it under- or overflows)."""
    return DoubleDouble(*_two_product(a, b))


def join(parts: Iterable[DoubleDouble]) -> DoubleDouble:
    """One array out of several."""
    kept = list(parts)
    return DoubleDouble(np.concatenate([p.high for p in kept]), np.concatenate([p.low for p in kept]))


def running_sum(terms: DoubleDouble) -> DoubleDouble:
    """Cumulative sums (n,) of n terms, each rounded at 32 digits."""
    high, low = terms.high.copy(), terms.low.copy()
    for i in range(1, len(high)):
        total = DoubleDouble(high[i - 1 : i], low[i - 1 : i]) + terms[i : i + 1]
        high[i], low[i] = total.high[0], total.low[0]
    return DoubleDouble(high, low)


def where(condition: npt.NDArray[np.bool_], a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Elements of `a` where the condition holds, of `b` elsewhere."""
    return DoubleDouble(np.where(condition, a.high, b.high), np.where(condition, a.low, b.low))


def _two_sum(a: Vector, b: Vector) -> tuple[Vector, Vector]:
    total = a + b
    part = total - a
    return total, _or_zero((a - (total - part)) + (b - part))


def _fast_two_sum(a: Vector, b: Vector) -> tuple[Vector, Vector]:
    # One operation fewer than _two_sum; right when |a| >= |b| or a is zero.
    total = a + b
    return total, _or_zero(b - (total - a))


def _two_product(a: Vector, b: Vector) -> tuple[Vector, Vector]:
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, _or_zero(rest)


def _split(a: Vector) -> tuple[Vector, Vector]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def _or_zero(low: Vector) -> Vector:
    # Near the overflow threshold a correction is inf − inf; the leading float alone is then the answer.
    return np.where(np.isfinite(low), low, 0.0)
