"""Spin units, values −1 and +1."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from halfwave.units.base import Unit
from halfwave.units.binary import indicator_at_most, log1p_exp

__all__ = ["Spin"]


class Spin(Unit):
    """Units with values in {−1, +1} and potential ``U(x) = −g x``, ``g`` the field.

    With ``t = g + I``: ``Γ = log 2 cosh t``, mean ``tanh t``, variance ``1 − tanh² t``, mode ``sign t``
    (−1 at ``t = 0``).

    Args:
        shape: shape of the layer; the field is then zero.
        field: ``g``, any shape, finite.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if the field is not finite.

    >>> Spin(field=torch.tensor([0.0, 1.0])).mean_from_inputs(torch.zeros(2))
    tensor([0.0000, 0.7616])

    Source: Nishimori, "Statistical Physics of Spin Glasses and Information Processing" (2001), §1.
    """

    parameter_rules = {"field": "finite"}
    input_signs = {"field": 1.0}
    value_rule = "-1 or 1"
    discrete = True
    field: Tensor

    def energies(self, x: Tensor) -> Tensor:
        return -self.field * self.convert(x)

    def cgfs(self, inputs: Tensor) -> Tensor:
        t = self.field + inputs
        return log1p_exp(2.0 * t) - t

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        # both outcomes apart: I x − U − Γ would lose the log probability of the likely one
        x, t = self.convert(x), 2.0 * (self.field + inputs)
        return -0.5 * ((1.0 + x) * log1p_exp(-t) + (1.0 - x) * log1p_exp(t))

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        return torch.tanh(self.field + inputs)

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        # 4 σ(2t) σ(−2t) keeps its relative accuracy where 1 − tanh² is zero
        t = 2.0 * (self.field + inputs)
        return 4.0 * torch.sigmoid(t) * torch.sigmoid(-t)

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        return 2.0 * (self.field + inputs > 0).to(self.dtype) - 1.0

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        return torch.ones_like(self.field + inputs)

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        up = torch.sigmoid(2.0 * (self.field + inputs))
        return 2.0 * indicator_at_most(noise, up) - 1.0

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        return {"x": self.convert(x)}

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"x": self.mean_from_inputs(inputs)}

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"field": -moments["x"]}

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        self.field.data.copy_(torch.atanh(mean.clamp(-1.0 + 2.0 * epsilon, 1.0 - 2.0 * epsilon)))
