"""The thresholded rectifier as a torch operation: three forms, numbers or tensors as thresholds.

Eager kernels are chosen so that no boolean mask is ever made (a masked ``where`` costs ten copies on a CPU), and
nothing is kept for backward that the next layer does not keep anyway, wherever the output tells the mask.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from halfwave.errors import HalfwaveError
from halfwave.nn.convention import Convention, as_convention
from halfwave.nn.conventional import Form, conventional_relu, threshold_slope
from halfwave.nn.export import exporting_to_onnx, standard_thresholded_relu
from halfwave.nn.parameters import check_input, finite, rule, sum_to_shape, work_dtype

__all__ = ["FORMS", "WIDE", "number_threshold", "thresholded_relu"]

FORMS = ("subtract", "keep", "floor")
"""The three functions that carry the name thresholded ReLU."""

_OURS = Convention()

WIDE = (torch.float32, torch.float64)
"""Dtypes in which the number path computes; narrower ones are widened first."""


def thresholded_relu(
    x: Tensor,
    threshold: float | Tensor,
    *,
    form: Form = "subtract",
    convention: Convention | str | None = None,
    bandwidth: float = 0.1,
    inplace: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The thresholded rectifier ``f(x)`` with threshold T, in one of three forms.

    "subtract" is ``max(0, x − T)``, "keep" is ``x · 1[x > T]``, "floor" is ``max(x, T)``; the derivative of each is
    ``1[x > T]``, for T of either sign. NaN gives NaN (and lets a gradient pass, as ``torch.relu`` does), ±inf behave
    as limits. Half-precision inputs are compared and computed in float32 and rounded once. Which system computes
    which form is listed at `halfwave.nn.ThresholdedReLU`.

    Args:
        x: any shape and floating dtype; the result has both.
        threshold: T, a finite number or a tensor that broadcasts to the shape of ``x``.
        form: "subtract", "keep" or "floor".
        convention: a `Convention` or the name of a preset for other behaviour at T, NaN and ±inf; by default ours,
            which agrees with the preset "torch".
        bandwidth: ε of the straight-through derivative of form "keep" in a tensor T,
            ``∂f/∂T = −(T/ε) · 1[|x − T| < ε/2]``; the exact derivative is zero where it exists and misses the jump.
        inplace: overwrite ``x``.
        out: a tensor to write to, of the shape and dtype of ``x``; only where no gradient is recorded.

    Returns:
        A tensor like ``x``.

    Raises:
        HalfwaveError: if ``x`` is not floating-point, T is not finite or of the wrong shape, or the form or the
            convention is unknown.

    >>> x = torch.tensor([-2.0, 0.5, 1.0, 3.0])
    >>> thresholded_relu(x, 1.0), thresholded_relu(x, 1.0, form="keep"), thresholded_relu(x, 1.0, form="floor")
    (tensor([0., 0., 0., 2.]), tensor([0., 0., 0., 3.]), tensor([1., 1., 1., 3.]))

    Source of the straight-through derivative: Rajamanoharan et al., arXiv:2407.14435 (2024), eq. 11.
    """
    check_input(x, "thresholded_relu")
    if form not in FORMS:
        raise HalfwaveError(f'`form` of thresholded_relu must be "subtract", "keep" or "floor"; got {form!r}')
    t = finite(threshold, x, "`threshold` of thresholded_relu")
    if out is not None:
        _check_out(out, x, t)
    rules = None if convention is None else as_convention(convention)
    if rules == _OURS:
        rules = None
    fast = rules is None and not isinstance(t, Tensor) and x.dtype in WIDE
    if fast and not exporting_to_onnx():
        return number_threshold(x, t, form, x if inplace else out)  # pyright: ignore[reportArgumentType]
    # What autograd keeps must not be overwritten.
    source = x.clone() if inplace else x
    result = _anyhow(source, t, form, rules, _width(bandwidth))
    target = x if inplace else out
    return result if target is None else target.copy_(result)


def _anyhow(x: Tensor, t: Any, form: Form, rules: Convention | None, bandwidth: float) -> Tensor:
    if rules is not None:
        return _under_convention(x, t, form, rules, bandwidth)
    if isinstance(t, Tensor):
        return _tensor_threshold(x, t, form, bandwidth)
    return _for_export(x, t, form) if exporting_to_onnx() else _narrow(x, t, form)


def _check_out(out: Tensor, x: Tensor, t: float | Tensor) -> None:
    if not isinstance(out, Tensor):
        raise HalfwaveError(f"`out` must be a torch tensor; got {type(out).__name__}")
    if out.shape != x.shape or out.dtype != x.dtype:
        raise HalfwaveError(
            f"`out` must have the shape and dtype of `x`, {tuple(x.shape)} {x.dtype}; "
            f"got {tuple(out.shape)} {out.dtype}"
        )
    if torch.is_grad_enabled() and (x.requires_grad or (isinstance(t, Tensor) and t.requires_grad)):
        raise HalfwaveError("`out` cannot record a gradient; got an input that requires one")


def _width(bandwidth: float) -> float:
    if torch.compiler.is_compiling():
        return bandwidth
    if not isinstance(bandwidth, Real) or not (math.isfinite(bandwidth) and bandwidth > 0):
        raise HalfwaveError(f"`bandwidth` must be a positive number; got {bandwidth!r}")
    return bandwidth


def _under_convention(x: Tensor, t: Any, form: Form, rules: Convention, bandwidth: float) -> Tensor:
    if form == "keep" and not isinstance(t, Tensor) and exporting_to_onnx():
        standard = standard_thresholded_relu(x, t, rules)
        if standard is not None:
            return standard
    return conventional_relu(x, t, form, rules, bandwidth)


def number_threshold(x: Tensor, t: float, form: Form, target: Tensor | None) -> Tensor:
    """The form for a finite number t, without checks: into ``target``, which may be ``x``, or a new tensor."""
    if form == "subtract":
        # The difference is a fresh tensor: rectified in place it costs no second allocation.
        if target is x:
            return x.sub_(t).relu_()
        return (torch.sub(x, t) if target is None else torch.sub(x, t, out=target)).relu_()
    below = 0.0 if form == "keep" else t
    if target is x:
        return torch.threshold_(x, t, below)
    if target is not None:
        return torch.ops.aten.threshold.out(x, t, below, out=target)
    if (form == "keep" and t < 0) or not (torch.is_grad_enabled() and x.requires_grad):
        return torch.threshold(x, t, below)
    return _output_tells(x, t, below)


def _narrow(x: Tensor, t: float, form: Form) -> Tensor:
    """Half precision: torch would round T first in the difference; the comparison of F.threshold is in float32."""
    if form == "subtract" and x.dtype.itemsize == 2:
        return rule(_Narrow, _NarrowForward).apply(x, t)  # pyright: ignore[reportReturnType]
    if form == "keep" and x.dtype.itemsize == 2:
        return number_threshold(x, t, form, None)
    if form == "subtract":
        return torch.sub(x.to(torch.float32), t).relu_().to(x.dtype)
    return F.threshold(x.to(torch.float32), t, 0.0 if form == "keep" else t).to(x.dtype)


def _for_export(x: Tensor, t: float, form: Form) -> Tensor:
    """Sub and Relu, LessOrEqual and Where, or Max, with T as a constant of the dtype of the comparison.

    The exporter would round a bare number to 32 bits.
    """
    wide = x.to(work_dtype(x))
    constant = torch.tensor(t, dtype=wide.dtype)
    if form == "subtract":
        return F.relu(wide - constant).to(x.dtype)
    if form == "floor":
        return torch.maximum(wide, constant).to(x.dtype)
    return torch.where(wide <= constant, torch.zeros_like(constant), wide).to(x.dtype)


def _tensor_threshold(x: Tensor, t: Tensor, form: Form, bandwidth: float) -> Tensor:
    wide = x.to(t.dtype)
    if form == "subtract":
        return torch.sub(wide, t).relu_().to(x.dtype)
    if form == "floor":
        return rule(_Floor, _FloorForward).apply(wide, t).to(x.dtype)  # pyright: ignore[reportAttributeAccessIssue]
    return rule(_Keep, _KeepForward).apply(wide, t, bandwidth).to(x.dtype)  # pyright: ignore[reportAttributeAccessIssue]


def _output_tells(x: Tensor, t: float, below: float) -> Tensor:
    return rule(_OutputTells, _OutputTellsForward).apply(x, t, below)  # pyright: ignore[reportReturnType]


class _OutputTells(torch.autograd.Function):
    """``x if x > t else below``, of which only the output is kept: it exceeds ``below`` just where x exceeds t."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, t: float, below: float) -> Tensor:
        return F.threshold(x, t, below)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.below = inputs[2]
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradients[0], y, ctx.below), None, None


class _OutputTellsForward(_OutputTells):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(tangents[0], y, ctx.below)


class _Narrow(torch.autograd.Function):
    """``max(0, x − t)`` of a half-precision x, computed in float32 and rounded once; only the output is kept."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, t: float) -> Tensor:
        return torch.sub(x.to(torch.float32), t).relu_().to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradients[0], y, 0.0), None


class _NarrowForward(_Narrow):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(tangents[0], y, 0.0)


class _Keep(torch.autograd.Function):
    """``x · 1[x > t]`` for a tensor t, with the straight-through derivative in t.

    ``threshold_backward(a, b, 0)`` is ``a if b > 0 else 0``, NaN kept: a selection without a boolean mask.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, t: Tensor, bandwidth: float) -> Tensor:
        return torch.ops.aten.threshold_backward(x, x - t, 0.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, t, ctx.bandwidth = inputs
        ctx.save_for_backward(x, t)
        ctx.save_for_forward(x, t)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, t = ctx.saved_tensors
        (gradient,) = gradients
        to_x = torch.ops.aten.threshold_backward(gradient, x - t, 0.0) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return to_x, None, None
        return to_x, sum_to_shape(gradient * threshold_slope(x, t, t, "keep", ctx.bandwidth), t), None


class _KeepForward(_Keep):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        x, t = ctx.saved_tensors
        along_x = torch.ops.aten.threshold_backward(tangents[0], x - t, 0.0)
        return along_x + tangents[1] * threshold_slope(x, t, t, "keep", ctx.bandwidth)


class _Floor(torch.autograd.Function):
    """``max(x, t)`` for a tensor t; at a tie the derivative goes to t."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, t: Tensor) -> Tensor:
        return torch.maximum(x, t)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output, inputs[1])
        ctx.save_for_forward(output, inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        y, t = ctx.saved_tensors
        (gradient,) = gradients
        to_x = torch.ops.aten.threshold_backward(gradient, y - t, 0.0)
        return to_x, sum_to_shape(gradient - to_x, t) if ctx.needs_input_grad[1] else None


class _FloorForward(_Floor):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        y, t = ctx.saved_tensors
        above, below = (torch.ops.aten.threshold_backward(z.expand_as(y), y - t, 0.0) for z in tangents)
        return above + (tangents[1] - below)
