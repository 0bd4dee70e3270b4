"""Binary units, values 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from halfwave.units.base import Unit
from halfwave.units.numerics.noise import as_uniform

__all__ = ["Binary"]


def log1p_exp(t: Tensor) -> Tensor:
    """``log(1 + exp(t))`` without overflow and without the linear shortcut of ``softplus``."""
    return -torch.nn.functional.logsigmoid(-t)


class Binary(Unit):
    """Units with values in {0, 1} and potential ``U(x) = −g x``, ``g`` the field (log-odds at zero input).

    With ``t = g + I``: ``Γ = log(1 + e^t)``, mean ``σ(t)``, variance ``σ(t) σ(−t)``, mode ``1[t > 0]``.

    Args:
        shape: shape of the layer; the field is then zero.
        field: ``g``, any shape, finite.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if the field is not finite.

    >>> Binary(field=torch.tensor([0.0, 2.0])).mean_from_inputs(torch.zeros(2))
    tensor([0.5000, 0.8808])

    Source: Hinton, "A practical guide to training restricted Boltzmann machines" (2012), eq. 7.
    """

    parameter_rules = {"field": "finite"}
    input_signs = {"field": 1.0}
    value_rule = "0 or 1"
    discrete = True
    field: Tensor

    def energies(self, x: Tensor) -> Tensor:
        return -self.field * self.convert(x)

    def cgfs(self, inputs: Tensor) -> Tensor:
        return log1p_exp(self.field + inputs)

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        # both outcomes apart: I x − U − Γ would lose the log probability of the likely one
        x, t = self.convert(x), self.field + inputs
        return -(x * log1p_exp(-t) + (1.0 - x) * log1p_exp(t))

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid(self.field + inputs)

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        t = self.field + inputs
        return torch.sigmoid(t) * torch.sigmoid(-t)

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        return (self.field + inputs > 0).to(self.dtype)

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        return self.mean_from_inputs(inputs)

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        return indicator_at_most(noise, self.mean_from_inputs(inputs))

    def sample_with_statistics(self, inputs: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        mean = self.mean_from_inputs(inputs)
        return indicator_at_most(noise, mean), {"x": mean}

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        return {"x": self.convert(x)}

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"x": self.mean_from_inputs(inputs)}

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"field": -moments["x"]}

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        self.field.data.copy_(torch.logit(mean.clamp(epsilon, 1.0 - epsilon)))


def indicator_at_most(noise: Tensor, probability: Tensor) -> Tensor:
    """``1[noise ≤ probability]`` as floats: 1 with this probability for noise from `random_words`."""
    noise = as_uniform(noise)
    if torch.compiler.is_compiling():
        return (noise <= probability).to(probability.dtype)
    out = torch.empty_like(probability)
    return torch.le(noise, probability, out=out)  # pyright: ignore[reportCallIssue, reportArgumentType]
