"""What the other parametrisations of the dReLU unit share: everything is computed by the equivalent dReLU."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from halfwave.functions import PiecewiseLinear
from halfwave.units.base import Unit
from halfwave.units.drelu_family.conversions import Convertible
from halfwave.units.drelu_family.drelu import DReLU
from halfwave.units.drelu_family.two_sided import TwoSided
from halfwave.units.numerics.noise import random_words

__all__ = ["DReLUFamily", "drelu_from_asymmetry"]


class DReLUFamily(Convertible, Unit):
    """A dReLU unit under other parameters; a concrete class supplies the conversion and the chain rule."""

    statistic_names = DReLU.statistic_names

    @abstractmethod
    def drelu_parameters(self) -> dict[str, Tensor]:
        """(θ⁺, θ⁻, γ⁺, γ⁻) as differentiable expressions of the parameters."""

    def to_drelu(self) -> DReLU:
        """The same unit as a `DReLU`; the conversion is exact up to rounding."""
        return DReLU.from_parameters({key: value.detach() for key, value in self.drelu_parameters().items()})

    def _twin(self) -> TwoSided:
        """The formulas of the equivalent dReLU; autograd reaches this unit's parameters through them."""
        return TwoSided.of(self.drelu_parameters())

    def energies(self, x: Tensor) -> Tensor:
        return self._twin().energies(x)

    def cgfs(self, inputs: Tensor) -> Tensor:
        return self._twin().cgfs(inputs)

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        return self._twin().mean_from_inputs(inputs)

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        return self._twin().var_from_inputs(inputs)

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        return self._twin().mean_abs_from_inputs(inputs)

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        return self._twin().mode_from_inputs(inputs)

    def draw_noise(self, batch_shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        return random_words((2, *batch_shape, *self.shape), generator, self.dtype, self.device)

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        return self._twin().sample_from_noise(inputs, noise)

    def sample_with_statistics(self, inputs: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self._twin().sample_with_statistics(inputs, noise)

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        return self._twin().statistics(x)

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        return self._twin().statistics_from_inputs(inputs)

    def mean_from_statistics(self, statistics: Mapping[str, Tensor]) -> Tensor:
        return statistics["x_pos"] + statistics["x_neg"]

    def mode_function(self, index: int | tuple[int, ...] = ()) -> PiecewiseLinear:
        return self.to_drelu().mode_function(index)

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Chain rule through `drelu_parameters`, by reverse differentiation of these few expressions."""
        own = {key: value.detach().requires_grad_() for key, value in self.named_parameters()}
        with torch.enable_grad():
            drelu = torch.func.functional_call(self, own, (), {})
        outer = self._twin().energy_gradients(moments)
        names = list(drelu)
        gradients = torch.autograd.grad(
            [drelu[n] for n in names], list(own.values()), [outer[n] for n in names]
        )
        return dict(zip(own, gradients, strict=True))

    def forward(self) -> dict[str, Tensor]:
        return self.drelu_parameters()


def drelu_from_asymmetry(
    theta: Tensor, gamma: Tensor, delta: Tensor, one_plus: Tensor, one_minus: Tensor
) -> dict[str, Tensor]:
    """``γ± = γ/(1 ± η)``, ``θ⁺ = θ + Δ/(1 + η)``, ``θ⁻ = θ − Δ/(1 − η)`` from ``1 + η`` and ``1 − η``."""
    return {
        "theta_pos": theta + delta / one_plus,
        "theta_neg": theta - delta / one_minus,
        "gamma_pos": gamma / one_plus,
        "gamma_neg": gamma / one_minus,
    }
