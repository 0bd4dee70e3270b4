"""The thresholded rectifier under an explicit convention: exact at every point, not the fastest."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.nn.convention import Convention
from halfwave.nn.parameters import rule, sum_to_shape, work_dtype

__all__ = ["Form", "conventional_relu", "rounded_threshold"]

Form = Literal["subtract", "keep", "floor"]


def conventional_relu(
    x: Tensor, threshold: Any, form: Form, convention: Convention, bandwidth: float
) -> Tensor:
    """The thresholded rectifier of a form under a convention; ``threshold`` is a number or a tensor."""
    _refuse_negative(threshold, convention)
    t = rounded_threshold(x, threshold, convention)
    return rule(_Conventional, _ConventionalForward).apply(x, t, form, convention, bandwidth)  # pyright: ignore[reportReturnType]


def _refuse_negative(threshold: Any, convention: Convention) -> None:
    if convention.negative == "allow" or torch.compiler.is_compiling():
        return
    lowest = float(threshold.min()) if isinstance(threshold, Tensor) else threshold
    if lowest < 0:
        raise HalfwaveError(f"`threshold` must not be negative under this convention; got {lowest!r}")


def rounded_threshold(x: Tensor, threshold: Any, convention: Convention) -> Tensor:
    """T as the system holds it when it compares: at least one-dimensional, in the precision of the comparison."""
    t = (
        threshold
        if isinstance(threshold, Tensor)
        else torch.tensor(threshold, dtype=torch.float64, device=x.device)
    )
    if convention.threshold_dtype == "float32":
        t = t.to(torch.float32)
    if convention.precision == "input":
        t = t.to(x.dtype)
    return t.to(work_dtype(x))


def _is_below(wide: Tensor, t: Tensor, convention: Convention) -> Tensor:
    """Where the function takes its lower branch; a comparison with NaN is false, which decides what NaN gives."""
    if convention.nan == "propagate":
        return wide <= t if convention.side == ">" else wide < t
    below = ~(wide > t if convention.side == ">" else wide >= t)
    return below & ~(torch.isnan(wide) & (t == 0)) if convention.nan == "zero unless T is 0" else below


def _value(x: Tensor, t: Tensor, form: Form, convention: Convention) -> Tensor:
    wide = x.to(t.dtype)
    if form == "keep" and convention.masking == "multiply":
        return x * (wide > t if convention.side == ">" else wide >= t).to(x.dtype)
    kept = wide - t if form == "subtract" else wide
    lower = t if form == "floor" else torch.zeros_like(t)
    return torch.where(_is_below(wide, t, convention), lower, kept).to(x.dtype)


def _slope(x: Tensor, t: Tensor, y: Tensor, convention: Convention) -> Tensor:
    """The derivative in x, (*x.shape)."""
    if convention.gradient == "output sign":
        return torch.sign(y)
    if convention.gradient == "output positive":
        return (y > 0).to(x.dtype)
    wide = x.to(t.dtype)
    slope = (wide > t).to(x.dtype) + convention.kink * (wide == t).to(x.dtype)
    return slope + convention.nan_gradient * torch.isnan(wide).to(x.dtype)


class _Conventional(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, t: Tensor, form: Form, convention: Convention, bandwidth: float) -> Tensor:
        return _value(x, t, form, convention)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, t, ctx.form, ctx.convention, ctx.bandwidth = inputs
        ctx.save_for_backward(x, t, output)
        ctx.save_for_forward(x, t, output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, t, y = ctx.saved_tensors
        (gradient,) = gradients
        slope = _slope(x, t, y, ctx.convention)
        to_x = gradient * slope if ctx.needs_input_grad[0] else None
        to_t = None
        if ctx.needs_input_grad[1]:
            wide = gradient.to(t.dtype)
            to_t = sum_to_shape(wide * threshold_slope(x.to(t.dtype), t, slope, ctx.form, ctx.bandwidth), t)
        return to_x, to_t, None, None, None


class _ConventionalForward(_Conventional):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        x, t, y = ctx.saved_tensors
        slope = _slope(x, t, y, ctx.convention)
        along_t = tangents[1] * threshold_slope(x.to(t.dtype), t, slope, ctx.form, ctx.bandwidth)
        return tangents[0] * slope + along_t.to(x.dtype)


def threshold_slope(x: Tensor, t: Tensor, slope: Tensor, form: Form, bandwidth: float) -> Tensor:
    """The derivative in the threshold; for "keep" the straight-through one, ``−(T/ε) · 1[|x − T| < ε/2]``."""
    if form == "subtract":
        return -slope.to(t.dtype)
    if form == "floor":
        return 1.0 - slope.to(t.dtype)
    near = ((x - t).abs() < bandwidth / 2).to(t.dtype)
    return -(t / bandwidth).detach() * near
