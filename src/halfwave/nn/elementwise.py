"""The rectifier family as torch operations whose parameters are numbers or tensors.

All keep the shape and dtype of the input, compute in float32 at least, give NaN for NaN and the limits at ±inf, and
are compositions of differentiable operations, so that every transform of torch works on them. Where slopes change,
the derivative is the one of the left piece, as in `halfwave.functions`, with one exception: `rectified_linear` of
negative slope has 0 at its kink, as the chain rule through ReLU gives it.

Rules for parameters are checked for numbers; the elements of tensors are not read.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from halfwave.errors import HalfwaveError
from halfwave.nn.convention import Convention
from halfwave.nn.export import exporting_to_onnx
from halfwave.nn.parameters import check_input, finite, rule, scaled, sum_to_shape, to_work
from halfwave.nn.thresholded import thresholded_relu

__all__ = [
    "absolute",
    "clipped_relu",
    "hard_tanh",
    "hard_threshold",
    "leaky_relu",
    "rectified_linear",
    "relu_sum",
    "soft_threshold",
    "two_sided_relu",
]

_CLOSED = Convention(side=">=", kink=1)


def rectified_linear(x: Tensor, m: float | Tensor, b: float | Tensor) -> Tensor:
    """One rectified linear term ``(m x + b)⁺``; its derivative in x is ``m · 1[m x + b > 0]``.

    Args:
        x: any shape and floating dtype.
        m: slope, a finite number or a tensor that broadcasts to the shape of ``x``.
        b: intercept, likewise.

    Returns:
        A tensor like ``x``.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or a parameter is not finite or of the wrong shape.

    >>> rectified_linear(torch.tensor([-2.0, 0.0, 2.0]), -2.0, 1.0)
    tensor([5., 1., 0.])
    """
    check_input(x, "rectified_linear")
    slope = finite(m, x, "`m` of rectified_linear")
    intercept = finite(b, x, "`b` of rectified_linear")
    return F.relu(scaled(slope, to_work(x)) + intercept).to(x.dtype)


def relu_sum(
    x: Tensor,
    slopes: Tensor,
    intercepts: Tensor,
    weights: Tensor | None = None,
    slope: float | Tensor = 0.0,
    offset: float | Tensor = 0.0,
) -> Tensor:
    """A sum of rectified linear terms ``Σ_k weights[k] (slopes[k] x + intercepts[k])⁺ + slope x + offset``.

    Memory is that of ``x`` times the number of terms, and at ±inf terms of opposite sign give NaN; a fixed function
    is cheaper, and has its limits, as `halfwave.nn.PiecewiseLinearActivation`.

    Args:
        x: any shape and floating dtype.
        slopes: slope inside each term (terms,).
        intercepts: intercept inside each term (terms,).
        weights: factor before each term (terms,); 1 by default.
        slope: slope of the linear part.
        offset: value of the linear part at zero.

    Raises:
        HalfwaveError: if ``x`` is not floating-point or the vectors differ in length.

    >>> one, kinks = torch.ones(3), torch.tensor([0.0, 1.0, 2.0])
    >>> relu_sum(torch.tensor([0.5, 1.0, 1.5, 7.0]), one, -kinks, torch.tensor([1.0, -2.0, 1.0]))
    tensor([0.5000, 1.0000, 0.5000, 0.0000])
    """
    check_input(x, "relu_sum")
    if weights is None and isinstance(slopes, Tensor):
        weights = torch.ones_like(slopes)
    vectors = {"slopes": slopes, "intercepts": intercepts, "weights": weights}
    for name, vector in vectors.items():
        if not isinstance(vector, Tensor):
            raise HalfwaveError(f"`{name}` of relu_sum must be a torch tensor; got {type(vector).__name__}")
    if slopes.ndim != 1 or any(vector.shape != slopes.shape for vector in vectors.values()):
        shapes = ", ".join(f"{name} {tuple(vector.shape)}" for name, vector in vectors.items())
        raise HalfwaveError(f"slopes, intercepts and weights of relu_sum must be (terms,); got {shapes}")
    wide = to_work(x)
    m, b, w = (vector.to(wide.dtype) for vector in vectors.values())
    terms = F.relu(scaled(m, wide.unsqueeze(-1).expand(*wide.shape, len(m))) + b)
    line = scaled(finite(slope, x, "`slope` of relu_sum"), wide) + finite(offset, x, "`offset` of relu_sum")
    return (scaled(w, terms).sum(-1) + line).to(x.dtype)


def leaky_relu(x: Tensor, slope: float | Tensor = 0.01) -> Tensor:
    """The leaky rectifier: ``x`` for x > 0, ``slope · x`` otherwise; the derivative at 0 is the slope.

    Args:
        x: any shape and floating dtype.
        slope: on the negative side, a finite number or a tensor that broadcasts to the shape of ``x``.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or the slope is not finite or of the wrong shape.

    >>> leaky_relu(torch.tensor([-4.0, 2.0]), 0.25)
    tensor([-1.,  2.])
    """
    check_input(x, "leaky_relu")
    a = finite(slope, x, "`slope` of leaky_relu")
    if isinstance(a, Tensor):
        wide = to_work(x)
        return (F.relu(wide) + scaled(a, _negative_part(wide))).to(x.dtype)
    if a == 0:  # F.leaky_relu multiplies −inf by a slope of zero
        return F.relu(to_work(x)).to(x.dtype)
    if exporting_to_onnx() and x.dtype == torch.float64:  # LeakyRelu holds its slope in 32 bits
        return F.relu(x) + _negative_part(x) * torch.tensor(a, dtype=x.dtype)
    return F.leaky_relu(x, a) if x.dtype.itemsize > 1 else F.leaky_relu(to_work(x), a).to(x.dtype)


def clipped_relu(x: Tensor, ceiling: float | Tensor = 6.0) -> Tensor:
    """The clipped rectifier ``min(max(0, x), c)``; its derivative is ``1[0 < x ≤ c]``.

    Args:
        x: any shape and floating dtype.
        ceiling: c, a positive number or a tensor that broadcasts to the shape of ``x``.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or the ceiling is not positive or of the wrong shape.

    >>> clipped_relu(torch.tensor([-1.0, 2.0, 9.0]))
    tensor([0., 2., 6.])
    """
    check_input(x, "clipped_relu")
    c = finite(ceiling, x, "`ceiling` of clipped_relu", lambda value: value > 0, "positive")
    return _at_most(F.relu(to_work(x)), c).to(x.dtype)


def hard_tanh(x: Tensor, low: float | Tensor = -1.0, high: float | Tensor = 1.0) -> Tensor:
    """The hard hyperbolic tangent ``min(max(low, x), high)``; its derivative is ``1[low < x ≤ high]``.

    Args:
        x: any shape and floating dtype.
        low: lower limit, a finite number or a tensor that broadcasts to the shape of ``x``.
        high: upper limit, above the lower one.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or a limit is not finite, out of order or of the wrong shape.

    >>> hard_tanh(torch.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    check_input(x, "hard_tanh")
    floor, ceiling = finite(low, x, "`low` of hard_tanh"), finite(high, x, "`high` of hard_tanh")
    if not isinstance(floor, Tensor) and not isinstance(ceiling, Tensor) and not floor < ceiling:
        raise HalfwaveError(f"`low` of hard_tanh must be below `high`; got low = {low!r}, high = {high!r}")
    wide = to_work(x)
    if exporting_to_onnx() and not isinstance(floor, Tensor) and not isinstance(ceiling, Tensor):
        return wide.clamp(floor, ceiling).to(x.dtype)  # one Clip
    return _at_most(thresholded_relu(wide, floor, form="floor"), ceiling).to(x.dtype)


def soft_threshold(x: Tensor, threshold: float | Tensor = 0.5) -> Tensor:
    """Soft thresholding ``sign(x) (|x| − λ)⁺``; its derivative is ``1[x > λ or x ≤ −λ]``.

    Args:
        x: any shape and floating dtype.
        threshold: λ, not negative, a number or a tensor that broadcasts to the shape of ``x``.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or λ is negative, not finite or of the wrong shape.

    >>> soft_threshold(torch.tensor([-3.0, 0.5, 3.0]), 1.0)
    tensor([-2.,  0.,  2.])
    """
    check_input(x, "soft_threshold")
    half = finite(threshold, x, "`threshold` of soft_threshold", lambda value: value >= 0, "not negative")
    wide = to_work(x)
    return (F.relu(wide - half) + _negative_part(wide + half)).to(x.dtype)


def hard_threshold(x: Tensor, threshold: float | Tensor = 0.5, *, bandwidth: float = 0.1) -> Tensor:
    """Hard thresholding: ``x`` where |x| > λ, 0 between; −λ at −λ, which belongs to the line on its left.

    Args:
        x: any shape and floating dtype.
        threshold: λ, not negative, a number or a tensor that broadcasts to the shape of ``x``.
        bandwidth: ε of the straight-through derivative in a tensor λ, see `thresholded_relu`.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or λ is negative, not finite or of the wrong shape.

    >>> hard_threshold(torch.tensor([-3.0, 0.5, 3.0]), 1.0)
    tensor([-3.,  0.,  3.])
    """
    check_input(x, "hard_threshold")
    half = finite(threshold, x, "`threshold` of hard_threshold", lambda value: value >= 0, "not negative")
    wide = to_work(x)
    upper = thresholded_relu(wide, half, form="keep", bandwidth=bandwidth)
    lower = thresholded_relu(-wide, half, form="keep", bandwidth=bandwidth, convention=_CLOSED)
    return (upper - lower).to(x.dtype)


def absolute(x: Tensor) -> Tensor:
    """The absolute value ``|x|``; the derivative at 0 is the left one, −1 (``torch.abs`` has 0).

    Args:
        x: any shape and floating dtype.

    Raises:
        HalfwaveError: if ``x`` is not floating-point.

    >>> absolute(torch.tensor([-3.0, 0.5]))
    tensor([3.0000, 0.5000])
    """
    check_input(x, "absolute")
    return F.relu(x) - _negative_part(x)


def two_sided_relu(
    x: Tensor,
    theta_pos: float | Tensor,
    theta_neg: float | Tensor,
    gamma_pos: float | Tensor = 1.0,
    gamma_neg: float | Tensor = 1.0,
) -> Tensor:
    """The mode of a dReLU unit with input x: a dead zone ``[θ⁻, θ⁺]`` and a slope ``1/γ±`` on each side of it.

    With ``t± = x − θ±``: ``(t⁺)⁺/γ⁺ + (t⁻)⁻/γ⁻`` for ``θ⁻ ≤ θ⁺``. For ``θ⁺ < θ⁻`` it jumps from ``t⁻/γ⁻`` to
    ``t⁺/γ⁺`` where ``(t⁺)²/γ⁺ = (t⁻)²/γ⁻``; the place of the jump passes no gradient to the parameters.

    Args:
        x: any shape and floating dtype.
        theta_pos, theta_neg: thresholds θ⁺ and θ⁻, finite numbers or tensors that broadcast to the shape of ``x``.
        gamma_pos, gamma_neg: curvatures γ⁺ and γ⁻, positive, likewise.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, or a parameter breaks its rule or has the wrong shape.

    >>> two_sided_relu(torch.tensor([-3.0, 0.0, 3.0]), 1.0, -1.0, 1.0, 2.0)
    tensor([-1.,  0.,  2.])

    Source: the potential of Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 4.
    """
    check_input(x, "two_sided_relu")
    thetas = {"theta_pos": theta_pos, "theta_neg": theta_neg}
    gammas = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg}
    pos, neg = (finite(value, x, f"`{name}` of two_sided_relu") for name, value in thetas.items())
    curve_pos, curve_neg = (
        finite(value, x, f"`{name}` of two_sided_relu", lambda number: number > 0, "positive")
        for name, value in gammas.items()
    )
    wide = to_work(x)
    t_pos, t_neg = wide - pos, wide - neg
    both = F.relu(t_pos) / curve_pos + _negative_part(t_neg) / curve_neg
    if not any(isinstance(value, Tensor) for value in (pos, neg)) and neg <= pos:
        return both.to(x.dtype)
    # Between the thresholds of a double well both sides are active: the deeper one remains, the negative on a tie.
    overlap = (t_pos > 0) & (t_neg <= 0)
    # Infinite inputs are never between the thresholds; the branch not taken must not see them in backward.
    t_pos, t_neg = (torch.where(overlap, t, torch.zeros_like(t)) for t in (t_pos, t_neg))
    right = t_pos * _root(curve_neg) > -t_neg * _root(curve_pos)
    deeper = torch.where(right, t_pos / curve_pos, t_neg / curve_neg)
    return torch.where(overlap, deeper, both).to(x.dtype)


def _root(value: Any) -> Any:
    return value.detach().sqrt() if isinstance(value, Tensor) else math.sqrt(value)


def _negative_part(x: Tensor) -> Tensor:
    """``min(x, 0)``; the derivative at 0 is 1."""
    # A one-sided clamp is exported as a Clip from the lowest float, which cuts −inf.
    return -F.relu(-x) if exporting_to_onnx() else x.clamp(max=0.0)


def _at_most(x: Tensor, ceiling: Any) -> Tensor:
    """``min(x, c)``; at a tie the derivative goes to x."""
    return (
        rule(_Minimum, _MinimumForward).apply(x, ceiling)
        if isinstance(ceiling, Tensor)
        else x.clamp(max=ceiling)
    )  # pyright: ignore


class _Minimum(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, ceiling: Tensor) -> Tensor:
        return torch.minimum(x, ceiling)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, ceiling = ctx.saved_tensors
        (gradient,) = gradients
        to_ceiling = torch.ops.aten.threshold_backward(gradient, x - ceiling, 0.0)
        summed = sum_to_shape(to_ceiling, ceiling) if ctx.needs_input_grad[1] else None
        return gradient - to_ceiling, summed


class _MinimumForward(_Minimum):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        x, ceiling = ctx.saved_tensors
        from_x, from_c = (
            torch.ops.aten.threshold_backward(z.expand_as(x), x - ceiling, 0.0) for z in tangents
        )
        return tangents[0] - from_x + from_c
