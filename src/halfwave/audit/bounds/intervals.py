"""Interval arithmetic through the functions of torch: what a tensor can be, given what the inputs can be.

An interval is a pair of float64 tensors of the shape of the tensor it bounds, infinite where nothing is known.
Bounds hold for the function that the network writes down; its own rounding is not part of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["Interval", "linear_map", "through_rectifier"]

_INFINITE = 1e30
"""What an infinite end counts as inside a function whose limit is wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Bounds of every element of a tensor: ``low ≤ x ≤ high``, both of its shape, float64.

    >>> interval = Interval.point(torch.tensor([1.0, 2.0]))
    >>> interval.high
    tensor([1., 2.], dtype=torch.float64)
    """

    low: Tensor
    high: Tensor

    @classmethod
    def point(cls, x: Tensor) -> Interval:
        """A tensor that is known."""
        wide = x.detach().to(torch.float64)
        return cls(wide, wide)

    @classmethod
    def unknown(cls, shape: Any, device: Any) -> Interval:
        """Nothing known."""
        high = torch.full(shape, math.inf, dtype=torch.float64, device=device)
        return cls(-high, high)

    def each(self, function: Callable[[Tensor], Tensor]) -> Interval:
        """Both ends through a function that never falls, or that moves elements only."""
        return Interval(function(self.low), function(self.high))


def linear_map(
    x: Interval, weight: Tensor, bias: Tensor | None, apply: Callable[[Tensor, Tensor], Tensor], channel: int
) -> Interval:
    """Bounds of ``W x + b``: ``high = W⁺ x_high − W⁻ x_low + b`` with ``W± = max(0, ±W)``, and low likewise.

    Args:
        x: what goes in.
        weight: W.
        bias: b (channels,) or None.
        apply: ``(x, W) ↦ W x``, linear in both, of any layout.
        channel: dimension of the result along which the bias lies.
    """
    weight = weight.detach().to(torch.float64)
    positive, negative = weight.clamp(min=0.0), (-weight).clamp(min=0.0)
    high = _sum(apply, ((positive, x.high), (negative, -x.low)))
    low = -_sum(apply, ((positive, -x.low), (negative, x.high)))
    if bias is not None:
        shape = [1] * high.ndim
        shape[channel] = -1
        laid = bias.detach().to(torch.float64).view(shape)
        low, high = low + laid, high + laid
    return Interval(low, high)


def _sum(apply: Callable[[Tensor, Tensor], Tensor], terms: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
    """Sum of products of weights that are not negative with upper ends, where 0 · inf = 0."""
    total: Any = 0.0
    for weight, end in terms:
        infinite = end == math.inf
        total = total + apply(torch.where(infinite, 0.0, end), weight)
        if bool(infinite.any()):
            reached = apply(infinite.to(torch.float64), (weight > 0).to(torch.float64)) > 0.5
            total = torch.where(reached, math.inf, total)
    # an upper end of −inf bounds nothing from below and cannot occur; NaN of a weight says nothing
    return torch.where(torch.isnan(total), math.inf, total)


def through_rectifier(x: Interval, rectifier: Rectifier, call: Callable[[Tensor], Tensor]) -> Interval:
    """Bounds of what a rectifier makes of an interval; nothing is known of one that rises and falls at will."""
    low, high = (end.clamp(-_INFINITE, _INFINITE) for end in (x.low, x.high))
    at_low, at_high = (_unclamped(call(end)) for end in (low, high))
    if rectifier.increasing:
        return Interval(at_low, at_high)
    if rectifier.valley is None:
        return Interval.unknown(at_low.shape, at_low.device)
    # It falls, then rises: the highest value is at an end, the lowest at an end or in the valley.
    lowest = torch.minimum(at_low, at_high)
    lowest = torch.where(x.low < 0, lowest.clamp(max=rectifier.valley), lowest)
    return Interval(lowest, torch.maximum(at_low, at_high))


def _unclamped(value: Tensor) -> Tensor:
    large = value.abs() > 1e20
    return torch.where(large, value.sign() * math.inf, value).to(torch.float64)
