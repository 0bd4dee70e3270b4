"""The free parameters that an optimiser sees, and their exact relation to the parameters of a unit.

Curvatures are trained as logarithms and stay positive by construction; asymmetries in (−1, 1) as inverse
hyperbolic tangents. Fields and thresholds are those of the centred machine
``E = U_v + U_h − Σ (v − λ_v) W (h − λ_h)``, which has the same distribution as the plain one with shifted fields:
the plain machine absorbs the constant inputs ``−W λ_h`` and ``−Wᵀ λ_v``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from halfwave.units.base import Unit

__all__ = ["Leaves"]


def _itself(x: Tensor) -> Tensor:
    return x


_TO_LEAF: dict[str, Callable[[Tensor], Tensor]] = {"positive": torch.log, "inside (-1, 1)": torch.atanh}
_FROM_LEAF: dict[str, Callable[[Tensor], Tensor]] = {"positive": torch.exp, "inside (-1, 1)": torch.tanh}


class Leaves:
    """Unconstrained, centred parameters of one layer, and the layer of the centred machine that they make.

    Args:
        plain: the layer of the plain machine; it is read, and written by `write_plain` only.
        offset_inputs: constant inputs ``W λ`` of the layer from the other layer's offset, ``(*shape)``.
    """

    def __init__(self, plain: Unit, offset_inputs: Tensor) -> None:
        self.plain = plain
        self.unit = unit = copy.deepcopy(plain)
        self.tensors: dict[str, Tensor] = {}
        for key, rule in unit.parameter_rules.items():
            value = unit.get_parameter(key).detach()
            self.tensors[key] = _TO_LEAF.get(rule, torch.clone)(value)
        self.shift(offset_inputs)
        self.write()

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

    def write(self) -> None:
        """Set the layer of the centred machine from the leaves."""
        for key, rule in self.unit.parameter_rules.items():
            self.unit.get_parameter(key).data.copy_(_FROM_LEAF.get(rule, _itself)(self.tensors[key]))

    def write_plain(self, offset_inputs: Tensor) -> None:
        """Set the layer of the plain machine from the leaves."""
        for key in self.unit.parameter_rules:
            self.plain.get_parameter(key).data.copy_(self.unit.get_parameter(key))
        self.plain.absorb_inputs(-offset_inputs)

    def set_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """Store gradients with respect to the parameters of the unit as gradients of the leaves."""
        for key, rule in self.unit.parameter_rules.items():
            value = self.unit.get_parameter(key)
            gradient = gradients[key].to(value.dtype)
            if rule == "positive":
                gradient = gradient * value
            elif rule == "inside (-1, 1)":
                gradient = gradient * (1.0 - value * value)
            self.tensors[key].grad = gradient
