"""Penalties on the parameters, subtracted from the mean log-likelihood."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.units.base import Unit

__all__ = ["Regularization"]


@dataclass(frozen=True)
class Regularization:
    """Strengths of the penalties; all at least 0, all off by default.

    Args:
        l1_weights: ``λ Σ |w|``.
        l2_weights: ``λ/2 Σ w²``.
        l2l1_weights: ``λ/(2N) Σ_μ (Σ_i |w_iμ|)²`` with N visible components: sparse and even over hidden units.
        l2_fields: ``λ/2 Σ g²`` over the fields or thresholds of the visible units.

    Raises:
        HalfwaveError: if a strength is negative or not finite.

    >>> from halfwave.units import Binary
    >>> Regularization(l1_weights=0.01).penalty(Binary(2), torch.tensor([[1.0], [-2.0]]))
    tensor(0.0300)

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 8.
    """

    l1_weights: float = 0.0
    l2_weights: float = 0.0
    l2l1_weights: float = 0.0
    l2_fields: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value < float("inf"):
                raise HalfwaveError(f"`{field.name}` must be at least 0 and finite; got {value}")

    def penalty(self, visible: Unit, weights: Tensor) -> Tensor:
        """Value of the penalty for the weight matrix ``(N, M)``."""
        column = weights.abs().sum(0)
        total = self.l1_weights * column.sum() + 0.5 * self.l2_weights * weights.square().sum()
        total = total + 0.5 * self.l2l1_weights / len(weights) * column.square().sum()
        for key in visible.input_signs:
            total = total + 0.5 * self.l2_fields * visible.get_parameter(key).square().sum()
        return total

    def add_weight_gradient(self, gradient: Tensor, weights: Tensor) -> None:
        """Add the gradient with respect to the weight matrix to ``gradient``, in place."""
        if self.l2_weights:
            gradient.add_(weights, alpha=self.l2_weights)
        if self.l1_weights or self.l2l1_weights:
            strength = torch.full_like(weights[0], self.l1_weights)
            if self.l2l1_weights:
                strength += weights.abs().sum(0) * (self.l2l1_weights / len(weights))
            gradient.addcmul_(weights.sign(), strength)
