"""Tails of the normal distribution, accurate from −1e6 to +1e6 standard deviations.

Let ``e = Z − a`` be the excess of a standard normal ``Z`` over a threshold ``a``, given ``Z > a``. A side of a
rectified unit is such a variable. Everything a unit needs of it follows from one function that is smooth and
free of cancellation for ``x = |a| ≥ 0``, the tail of a continued fraction,

    c(x) = 1/(x + 3/(x + 4/(x + …))),   mean(x) = 1/(x + 2c),   variance(x) = mean·(2c − mean),

and from the reflection ``hazard(a) = φ(a)/(1 − φ(x)·mills(x))`` for ``a < 0``. The textbook forms
``hazard − a`` and ``1 − hazard·(hazard − a)`` lose ``a²`` and ``a⁴`` units in the last place; these lose none.

All functions are branch-free and made of vectorised primitives, so that eager torch is fast and
``torch.compile`` fuses them. Source of the continued fraction: DLMF 7.9.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from halfwave.units.numerics import coefficients

__all__ = [
    "Tail",
    "excess_log_density",
    "fourth_cumulant",
    "greater",
    "log_add_exp",
    "rational",
    "tail",
    "tail_scale",
    "third_cumulant",
]

_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


class Tail(NamedTuple):
    """Excess of a normal variable over a threshold: moments and normalisation, element by element."""

    mean: Tensor
    """Mean of the excess, > 0."""
    variance: Tensor
    """Variance of the excess, > 0."""
    scale: Tensor
    """``∫₀^∞ exp(−e²/2 − a e) de = scale · exp(exponent)``; scale stays between 1/|a| and 2.6."""
    exponent: Tensor
    """``a²/2`` for a < 0, else 0."""


def rational(table: tuple[tuple[float, ...], tuple[float, ...]], x: Tensor) -> Tensor:
    """``P(x)/Q(x)`` by Horner's rule from ``(numerator, denominator)``, highest power first."""
    parts = []
    for row in table:
        value = x * row[0] + row[1]
        for coefficient in row[2:]:
            value = value.mul_(x).add_(coefficient)
        parts.append(value)
    return parts[0].div_(parts[1])


def greater(x: Tensor, y: Tensor | float) -> Tensor:
    """``1[x > y]`` in the dtype of ``x``, without the slow detour over a boolean tensor."""
    return (x - y).gt_(0.0)


def _continued_fraction(x: Tensor) -> Tensor:
    """c(x) for x ≥ 0."""
    table = coefficients.TAIL_DOUBLE if x.dtype == torch.float64 else coefficients.TAIL_SINGLE
    s = (x + coefficients.TAIL_SCALE).reciprocal_().mul_(coefficients.TAIL_SCALE)
    return rational(table, s).mul_(s)


class _Normalisation(NamedTuple):
    """What the moments and the normalisation of the excess have in common."""

    mean_above: Tensor
    double_c: Tensor
    mass: Tensor
    """Mass above the threshold for a < 0: at least a half."""
    hazard: Tensor
    """Density at the threshold over that mass."""
    below: Tensor
    """1 for a < 0, else 0."""
    scale: Tensor
    exponent: Tensor


def _normalisation(a: Tensor, x: Tensor) -> _Normalisation:
    """The shared part of `tail` and `tail_scale`; ``x`` is ``|a|``."""
    double_c = _continued_fraction(x).mul_(2.0)
    mean_above = (x + double_c).reciprocal_()
    mills = (x + mean_above).reciprocal_()
    negative_part = torch.relu(-a)
    density = (x * x).mul_(-0.5).exp_().mul_(1.0 / _ROOT_TWO_PI)
    mass = 1.0 - density * mills
    below = torch.sign(negative_part)
    scale = torch.lerp(mills, mass * _ROOT_TWO_PI, below)
    exponent = (negative_part * negative_part).mul_(0.5)
    return _Normalisation(mean_above, double_c, mass, density.div_(mass), below, scale, exponent)


def tail_scale(a: Tensor) -> tuple[Tensor, Tensor]:
    """``scale`` and ``exponent`` of `tail` alone, at two thirds of the price. Not differentiable."""
    parts = _normalisation(a, a.abs())
    return parts.scale, parts.exponent


def tail(a: Tensor) -> Tail:
    """Moments and normalisation of the excess over ``a``, any shape; see `Tail`. Not differentiable."""
    x = a.abs()
    parts = _normalisation(a, x)
    variance_above = (parts.double_c - parts.mean_above).mul_(parts.mean_above)
    mean_below = x + parts.hazard
    variance_below = 1.0 - parts.hazard * mean_below
    return Tail(
        mean=torch.lerp(parts.mean_above, mean_below, parts.below),
        variance=torch.lerp(variance_above, variance_below, parts.below),
        scale=parts.scale,
        exponent=parts.exponent,
    )


def excess_log_density(e: Tensor, a: Tensor, scale: Tensor) -> Tensor:
    """Log density of the excess over ``a`` at ``e ≥ 0``, given ``tail(a).scale``.

    For ``a < 0`` it is a normal density around ``−a``: completing the square keeps the two large terms
    ``a e`` and ``a²/2`` from cancelling.
    """
    beyond = e - torch.relu(-a)
    return -0.5 * beyond * beyond - torch.relu(a) * e - scale.log()


def _inverse_square(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the asymptotic series take over, ``1/a`` and ``1/a²`` there."""
    switch = 60.0 if a.dtype == torch.float64 else 14.0
    inverse = a.clamp(min=switch).reciprocal()
    return a > switch, inverse, inverse * inverse


def third_cumulant(a: Tensor, values: Tail) -> Tensor:
    """Third cumulant of the excess, ``−d variance/d a``.

    ``mean − variance·(a + 2·mean)`` cancels far out, where the asymptotic series takes over.
    """
    direct = values.mean - values.variance * (a + 2.0 * values.mean)
    far, inverse, square = _inverse_square(a)
    series = 2.0 + square * (-24.0 + square * (300.0 + square * (-4144.0 + square * 63540.0)))
    return torch.where(far, series * square * inverse, direct)


def fourth_cumulant(a: Tensor, values: Tail) -> Tensor:
    """Fourth cumulant of the excess, ``−d third_cumulant/d a``, likewise."""
    third, variance = third_cumulant(a, values), values.variance
    direct = 2.0 * variance * (1.0 - variance) - third * (a + 2.0 * values.mean)
    far, _, square = _inverse_square(a)
    series = 6.0 + square * (-120.0 + square * (2100.0 + square * (-37296.0 + square * 698940.0)))
    return torch.where(far, series * square * square, direct)


class _LogAddExp(torch.autograd.Function):
    """log(exp x + exp y); torch's own second derivative is NaN where exp(x − y) overflows."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, y: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return torch.logaddexp(x, y)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y = ctx.saved_tensors
        return gradient * torch.sigmoid(x - y), gradient * torch.sigmoid(y - x)


def log_add_exp(x: Tensor, y: Tensor) -> Tensor:
    """``log(eˣ + eʸ)`` of tensors of one shape, with exact derivatives everywhere, ties included.

    >>> log_add_exp(torch.tensor(1000.0), torch.tensor(1000.0))
    tensor(1000.6932)
    """
    return _LogAddExp.apply(x, y)  # pyright: ignore[reportReturnType]
