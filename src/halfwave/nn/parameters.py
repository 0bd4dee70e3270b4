"""Parameters of activations: numbers or tensors, checked, laid along a dimension, in the precision of the work."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError

__all__ = [
    "along_channels",
    "check_input",
    "finite",
    "rule",
    "scaled",
    "sum_to_shape",
    "to_work",
    "work_dtype",
]

_LARGE = torch.finfo(torch.float32).max
"""What an infinite input counts as where it is multiplied by zero."""


def check_input(x: Tensor, function: str) -> Tensor:
    """``x`` if it is a real floating-point tensor, else `HalfwaveError`."""
    if not isinstance(x, Tensor):
        raise HalfwaveError(f"`x` of {function} must be a torch tensor; got {type(x).__name__}")
    if not x.is_floating_point():
        raise HalfwaveError(
            f"`x` of {function} must be a floating-point tensor, which can carry a gradient; got {x.dtype}"
        )
    return x


def work_dtype(x: Tensor) -> torch.dtype:
    """The precision in which ``x`` is compared and computed with: its own, but at least float32."""
    return torch.float32 if x.dtype.itemsize < 4 else x.dtype


def finite(
    value: Any, x: Tensor, name: str, rule: Callable[[float], bool] | None = None, words: str = ""
) -> Any:
    """A parameter ready for use with ``x``: a finite float, or a tensor that broadcasts to the shape of ``x``.

    Numbers are checked against the rule; the elements of tensors are not read, which would wait for a GPU.
    """
    if torch.compiler.is_compiling():  # values and shapes may be symbols, of which nothing can be asked
        return value.to(work_dtype(x)) if isinstance(value, Tensor) else value
    if isinstance(value, Tensor):
        _check_shape(value, x, name)
        return value.to(work_dtype(x))
    if isinstance(value, bool) or not isinstance(value, Real):
        raise HalfwaveError(f"{name} must be a number or a tensor; got {value!r}")
    if not math.isfinite(value):
        raise HalfwaveError(f"{name} must be finite; got {value!r}")
    if rule is not None and not rule(float(value)):
        raise HalfwaveError(f"{name} must be {words}; got {value!r}")
    if abs(float(value)) > torch.finfo(work_dtype(x)).max:
        raise HalfwaveError(f"{name} must be finite in {work_dtype(x)}; got {value!r}")
    return float(value)


def _check_shape(value: Tensor, x: Tensor, name: str) -> None:
    if not value.is_floating_point():
        raise HalfwaveError(f"{name} must be a floating-point tensor; got {value.dtype}")
    missing = value.ndim - x.ndim
    fits = missing <= 0 and all(
        size in (1, full)
        for size, full in zip(value.shape, x.shape[-missing:] if missing else x.shape, strict=True)
    )
    if value.ndim and not fits:
        raise HalfwaveError(
            f"{name} must broadcast to the input's shape {tuple(x.shape)}; got shape {tuple(value.shape)}"
        )


def to_work(x: Tensor) -> Tensor:
    """``x`` in `work_dtype`."""
    return x.to(work_dtype(x))


def along_channels(value: Any, x: Tensor, dimension: int, name: str) -> Any:
    """A vector (channels,) laid along one dimension of ``x``; anything else is returned as it is."""
    if not isinstance(value, Tensor) or value.ndim != 1 or value.numel() == 1:
        return value
    size = x.shape[dimension] if -x.ndim <= dimension < x.ndim else None
    if size != value.numel():
        raise HalfwaveError(
            f"{name} has {value.numel()} channels, so dimension {dimension} of the input must have as many; "
            f"got shape {tuple(x.shape)}"
        )
    shape = [1] * x.ndim
    shape[dimension] = value.numel()
    return value.view(shape)


def rule(
    reverse: type[torch.autograd.Function], both: type[torch.autograd.Function]
) -> type[torch.autograd.Function]:
    """The differentiation rule to use now: the compiler cannot trace one that has a forward mode of its own."""
    return reverse if torch.compiler.is_compiling() else both


def scaled(factor: Any, z: Tensor) -> Tensor:
    """``factor · z`` with ``0 · ±inf = 0``, the limit of a line of slope zero.

    The factor is a number or a tensor that broadcasts to the shape of ``z``.
    """
    if isinstance(factor, Tensor):
        return rule(_Scaled, _ScaledForward).apply(factor, z)  # pyright: ignore[reportReturnType]
    if factor == 0:
        return z.clamp(-_LARGE, _LARGE) * 0.0
    return z * factor


class _Scaled(torch.autograd.Function):
    """The product, in which infinite values are cut to finite ones where the slope is zero."""

    generate_vmap_rule = True

    @staticmethod
    def forward(factor: Tensor, z: Tensor) -> Tensor:
        bound = torch.where(factor == 0, torch.full_like(factor, _LARGE), torch.full_like(factor, math.inf))
        return factor * torch.minimum(torch.maximum(z, -bound), bound)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        factor, z = ctx.saved_tensors
        (gradient,) = gradients
        to_factor = None
        if ctx.needs_input_grad[0]:
            # nothing comes back from where nothing went on, not even from an infinite input
            terms = torch.where(gradient == 0, torch.zeros_like(z), gradient * z)
            to_factor = sum_to_shape(terms, factor)
        return to_factor, gradient * factor if ctx.needs_input_grad[1] else None


class _ScaledForward(_Scaled):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        factor, z = ctx.saved_tensors
        return tangents[0] * z + factor * tangents[1]


def sum_to_shape(values: Tensor, like: Tensor) -> Tensor:
    """The sum of ``values`` over the dimensions along which ``like`` was broadcast to them."""
    extra = values.ndim - like.ndim
    stretched = [i + extra for i, size in enumerate(like.shape) if size == 1 and values.shape[i + extra] != 1]
    dimensions = [*range(extra), *stretched]
    return values.sum(dimensions, keepdim=True).reshape(like.shape) if dimensions else values
