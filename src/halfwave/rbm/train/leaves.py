"""The free parameters that an optimiser sees, and their exact relation to the parameters of a unit.

Curvatures are trained as logarithms and stay positive by construction; asymmetries in (−1, 1) as inverse
hyperbolic tangents. Fields and thresholds are those of the centred machine
``E = U_v + U_h − Σ (v − λ_v) W (h − λ_h)``, which has the same distribution as the plain one with shifted fields:
the plain machine absorbs the constant inputs ``−W λ_h`` and ``−Wᵀ λ_v``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from halfwave.units.base import Unit

__all__ = ["Leaves"]

_TO_LEAF: dict[str, Callable[[Tensor], Tensor]] = {"positive": torch.log, "inside (-1, 1)": torch.atanh}
_FROM_LEAF: dict[str, Callable[[Tensor], Tensor]] = {"positive": torch.exp, "inside (-1, 1)": torch.tanh}


class Leaves:
    """Unconstrained, centred parameters of one layer.

    Args:
        unit: the layer; its parameters are read once and then written by `write`.
        offset_inputs: constant inputs ``W λ`` of the layer from the other layer's offset, ``(*shape)``.
    """

    def __init__(self, unit: Unit, offset_inputs: Tensor) -> None:
        self.unit = unit
        self.tensors: dict[str, Tensor] = {}
        for key, rule in unit.parameter_rules.items():
            value = unit.get_parameter(key).detach()
            self.tensors[key] = _TO_LEAF.get(rule, torch.clone)(value)
        self.shift(offset_inputs)

    def shift(self, inputs: Tensor) -> None:
        """Follow a change of the offset inputs, so that the plain parameters stay as they are."""
        for key, sign in self.unit.input_signs.items():
            self.tensors[key].add_(inputs, alpha=sign)

    def rescale(self, scale: Tensor) -> None:
        """Follow the gauge change ``x → x/scale`` of the layer's values."""
        for key, power in self.unit.scale_powers.items():
            if self.unit.parameter_rules[key] == "positive":
                self.tensors[key].add_(scale.log(), alpha=power)
            else:
                self.tensors[key].mul_(scale**power)

    def write(self, offset_inputs: Tensor) -> None:
        """Set the plain parameters of the unit from the leaves."""
        for key, rule in self.unit.parameter_rules.items():
            plain = self.unit.get_parameter(key).data
            leaf = self.tensors[key]
            if key in self.unit.input_signs:
                torch.add(leaf, offset_inputs, alpha=-self.unit.input_signs[key], out=plain)
            else:
                plain.copy_(_FROM_LEAF.get(rule, lambda x: x)(leaf))

    def set_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """Store gradients with respect to the plain parameters as gradients of the leaves."""
        for key, rule in self.unit.parameter_rules.items():
            plain = self.unit.get_parameter(key)
            gradient = gradients[key].to(plain.dtype)
            if rule == "positive":
                gradient = gradient * plain
            elif rule == "inside (-1, 1)":
                gradient = gradient * (1.0 - plain * plain)
            self.tensors[key].grad = gradient
