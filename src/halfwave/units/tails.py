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

from halfwave.units import coefficients

__all__ = [
    "Tail",
    "excess_log_density",
    "excess_mean",
    "excess_variance",
    "greater",
    "log_add_exp",
    "log_mills",
    "rational",
    "tail",
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
    """``1[x > y]`` in the dtype of ``x``, without the slow detour over a boolean tensor in eager mode."""
    if torch.compiler.is_compiling():
        return (x > y).to(x.dtype)
    return torch.gt(x, y, out=torch.empty_like(x))  # pyright: ignore[reportCallIssue, reportArgumentType]


def _continued_fraction(x: Tensor) -> Tensor:
    """c(x) for x ≥ 0."""
    table = coefficients.TAIL_DOUBLE if x.dtype == torch.float64 else coefficients.TAIL_SINGLE
    s = (x + coefficients.TAIL_SCALE).reciprocal_().mul_(coefficients.TAIL_SCALE)
    return rational(table, s).mul_(s)


def tail(a: Tensor) -> Tail:
    """Moments and normalisation of the excess over ``a``, any shape; see `Tail`. Not differentiable."""
    x = a.abs()
    double_c = _continued_fraction(x).mul_(2.0)
    mean_above = (x + double_c).reciprocal_()
    mills = (x + mean_above).reciprocal_()
    variance_above = (double_c - mean_above).mul_(mean_above)
    negative_part = torch.relu(-a)
    exponent = negative_part * negative_part * 0.5
    # below the mean: the mass above the threshold is 1 − φ·mills, at least a half
    density = torch.exp(x * x * -0.5).mul_(1.0 / _ROOT_TWO_PI)
    mass = 1.0 - density * mills
    hazard = density / mass
    mean_below = x + hazard
    below = greater(negative_part, 0.0)
    return Tail(
        mean=torch.lerp(mean_above, mean_below, below),
        variance=torch.lerp(variance_above, 1.0 - hazard * mean_below, below),
        scale=torch.lerp(mills, mass * _ROOT_TWO_PI, below),
        exponent=exponent,
    )


def excess_log_density(e: Tensor, a: Tensor, scale: Tensor) -> Tensor:
    """Log density of the excess over ``a`` at ``e ≥ 0``, given ``tail(a).scale``.

    For ``a < 0`` it is a normal density around ``−a``: completing the square keeps the two large terms
    ``a e`` and ``a²/2`` from cancelling.
    """
    beyond = e - torch.relu(-a)
    return -0.5 * beyond * beyond - torch.relu(a) * e - scale.log()


def third_cumulant(a: Tensor, values: Tail) -> Tensor:
    """Third cumulant of the excess, ``−d variance/d a``.

    ``mean − variance·(a + 2·mean)`` cancels far out, where the asymptotic series takes over.
    """
    direct = values.mean - values.variance * (a + 2.0 * values.mean)
    switch = 60.0 if a.dtype == torch.float64 else 14.0
    inverse = a.clamp(min=switch).reciprocal()
    square = inverse * inverse
    series = 2.0 + square * (-24.0 + square * (300.0 + square * (-4144.0 + square * 63540.0)))
    return torch.where(a > switch, series * square * inverse, direct)


class _ExcessVariance(torch.autograd.Function):
    """variance(a), whose derivative is minus the third cumulant."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tail(a).variance

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (a,) = ctx.saved_tensors
        return -gradient * third_cumulant(a, tail(a))


class _ExcessMean(torch.autograd.Function):
    """mean(a), whose derivative is minus the variance."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return tail(a).mean

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (a,) = ctx.saved_tensors
        return -gradient * excess_variance(a)


class _LogMills(torch.autograd.Function):
    """log ∫₀^∞ exp(−e²/2 − a e) de, whose derivative is minus the mean."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        values = tail(a)
        return values.scale.log() + values.exponent

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (a,) = ctx.saved_tensors
        return -gradient * excess_mean(a)


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


def excess_variance(a: Tensor) -> Tensor:
    """Variance of the excess over ``a``; differentiable once."""
    return _apply(_ExcessVariance, a)


def excess_mean(a: Tensor) -> Tensor:
    """Mean of the excess over ``a``; differentiable twice, with exact derivatives."""
    return _apply(_ExcessMean, a)


def log_mills(a: Tensor) -> Tensor:
    """``log erfcx(a/√2) + ½ log(π/2)``, the log of Mills' ratio; differentiable three times, exactly.

    >>> log_mills(torch.tensor([0.0, 1e6]))  # ½ log(π/2) and −log(1e6)
    tensor([  0.2258, -13.8155])
    """
    return _apply(_LogMills, a)


def log_add_exp(x: Tensor, y: Tensor) -> Tensor:
    """``log(eˣ + eʸ)`` of tensors of one shape, with exact derivatives everywhere, ties included.

    >>> log_add_exp(torch.tensor(1000.0), torch.tensor(1000.0))
    tensor(1000.6932)
    """
    return _apply(_LogAddExp, x, y)


def _apply(function: type[torch.autograd.Function], *arguments: Tensor) -> Tensor:
    return function.apply(*arguments)  # pyright: ignore[reportReturnType]
