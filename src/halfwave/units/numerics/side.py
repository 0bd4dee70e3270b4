"""One side of a rectified unit, ``x ≥ 0`` with ``p(x) ∝ exp(t x − γ x²/2)``: differentiable Γ, mean, variance.

Far beyond the threshold everything hardly depends on γ, and the chain rule through ``t/√γ`` would get these small
derivatives as differences of large numbers, off by ``t²/γ`` units in the last place. The derivatives here are
cumulants instead: ``∂f/∂t`` and ``∂f/∂γ`` of a mean ``f`` are its covariances with ``x`` and with ``−x²/2``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from halfwave.units.numerics.tails import fourth_cumulant, tail, tail_scale, third_cumulant

__all__ = ["side_cgf", "side_mean", "side_variance"]


def _standardised(t: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """Scale of the side and its threshold in units of it."""
    std = gamma.rsqrt()
    return std, -std * t


class _Side(torch.autograd.Function):
    """A function of (t, γ) of broadcastable shapes."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)


class _ThirdCumulant(torch.autograd.Function):
    """Third cumulant of the excess over a, whose derivative is minus the fourth."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return third_cumulant(a, tail(a))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (a,) = ctx.saved_tensors
        return -gradient * fourth_cumulant(a, tail(a))


class _SideVariance(_Side):
    @staticmethod
    def forward(t: Tensor, gamma: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        std, a = _standardised(t, gamma)
        return tail(a).variance * (std * std)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        t, gamma = ctx.saved_tensors
        std, a = _standardised(t, gamma)
        values = tail(a)
        third = third_cumulant(a, values)
        with_square = fourth_cumulant(a, values) + 2.0 * (values.mean * third + values.variance.square())
        return _pair(gradient, std**3 * third, std**4 * with_square, t, gamma)


class _SideMean(_Side):
    @staticmethod
    def forward(t: Tensor, gamma: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        std, a = _standardised(t, gamma)
        return tail(a).mean * std

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        t, gamma = ctx.saved_tensors
        std, a = _standardised(t, gamma)
        variance = side_variance(t, gamma)
        third = std**3 * _apply(_ThirdCumulant, a)
        return _pair(gradient, variance, third + 2.0 * side_mean(t, gamma) * variance, t, gamma)


class _SideCgf(_Side):
    @staticmethod
    def forward(t: Tensor, gamma: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        std, a = _standardised(t, gamma)
        scale, exponent = tail_scale(a)
        return exponent.add_(scale.log_()).add_(std.log_())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        t, gamma = ctx.saved_tensors
        mean = side_mean(t, gamma)
        return _pair(gradient, mean, side_variance(t, gamma) + mean.square(), t, gamma)


def side_cgf(t: Tensor, gamma: Tensor) -> Tensor:
    """``Γ = log erfcx(−t/√(2γ)) + ½ log(π/2γ)``, with exact first and second derivatives in t and γ.

    >>> side_cgf(torch.tensor([0.0, -1e6]), torch.tensor(1.0))  # ½ log(π/2) and −log(1e6)
    tensor([  0.2258, -13.8155])
    """
    return _apply(_SideCgf, t, gamma)


def side_mean(t: Tensor, gamma: Tensor) -> Tensor:
    """Mean of the side, ``∂Γ/∂t``; exact first derivatives, differentiable twice."""
    return _apply(_SideMean, t, gamma)


def side_variance(t: Tensor, gamma: Tensor) -> Tensor:
    """Variance of the side, ``∂²Γ/∂t²``; exact first derivatives, differentiable once."""
    return _apply(_SideVariance, t, gamma)


def _pair(
    gradient: Tensor, by_input: Tensor, with_square: Tensor, t: Tensor, gamma: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of t and γ, summed over the dimensions along which these were broadcast."""
    by_gamma = gradient * with_square * -0.5
    return (gradient * by_input).sum_to_size(t.shape), by_gamma.sum_to_size(gamma.shape)


def _apply(function: type[torch.autograd.Function], *arguments: Tensor) -> Tensor:
    return function.apply(*arguments)  # pyright: ignore[reportReturnType]
