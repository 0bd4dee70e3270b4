"""Explicit functions of several variables as torch modules, (*batch, d) → (*batch, 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.functions.double_double import Vector
from halfwave.nn import PiecewiseLinearActivation, ReLUSum

__all__ = ["AdditiveModule", "DifferenceOfMaxAffineModule", "MaxAffineModule", "relu_sum_module"]


class MaxAffineModule(nn.Module):
    """``max_k (slopes[k] · x + intercepts[k])``, trainable.

    >>> module = MaxAffineModule(torch.tensor([[0.0], [2.0]]), torch.zeros(2))
    >>> module(torch.tensor([[-1.0], [1.0]])).tolist()
    [[0.0], [2.0]]
    """

    def __init__(self, slopes: Tensor, intercepts: Tensor) -> None:
        super().__init__()
        self.slopes, self.intercepts = nn.Parameter(slopes), nn.Parameter(intercepts)

    def forward(self, x: Tensor) -> Tensor:
        """f of each row: (*batch, d) → (*batch, 1)."""
        return F.linear(x, self.slopes, self.intercepts).max(dim=-1, keepdim=True).values


class DifferenceOfMaxAffineModule(nn.Module):
    """The difference of two `MaxAffineModule`."""

    def __init__(self, convex: MaxAffineModule, subtracted: MaxAffineModule) -> None:
        super().__init__()
        self.convex, self.subtracted = convex, subtracted

    def forward(self, x: Tensor) -> Tensor:
        """f of each row: (*batch, d) → (*batch, 1)."""
        return self.convex(x) - self.subtracted(x)


class AdditiveModule(nn.Module):
    """``offset + Σ_j f_j(x_j)`` with fixed functions f_j; only the offset can be trained."""

    def __init__(
        self, functions: Sequence[PiecewiseLinear], offset: float, dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        self.functions = nn.ModuleList(PiecewiseLinearActivation(f) for f in functions)
        self.offset = nn.Parameter(torch.tensor(offset, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """f of each row: (*batch, d) → (*batch, 1)."""
        if x.shape[-1:] != (len(self.functions),):
            raise HalfwaveError(
                f"the input must end in {len(self.functions)} features; got shape {tuple(x.shape)}"
            )
        columns = [f(x[..., j : j + 1]) for j, f in enumerate(self.functions)]
        return torch.cat(columns, dim=-1).sum(dim=-1, keepdim=True) + self.offset


def relu_sum_module(
    slopes: Vector,
    intercepts: Vector,
    weights: Vector,
    slope: Vector,
    offset: float,
    dtype: torch.dtype | None,
) -> ReLUSum:
    """A `ReLUSum` with these numbers; without a term it gets one of weight zero."""
    terms = len(weights)
    # A generator of its own leaves torch's global random numbers alone.
    module = ReLUSum(len(slope), max(terms, 1), dtype=dtype, generator=torch.Generator())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        if terms:
            module.slopes.copy_(torch.tensor(slopes))
            module.intercepts.copy_(torch.tensor(intercepts))
            module.weights.copy_(torch.tensor(weights[None]))
        module.slope.copy_(torch.tensor(slope[None]))
        module.offset.fill_(offset)
    return module
